/**
 * The ES-module face of index.js. An ES module must name its exports before it runs, so this is the union of what
 * node:http exports on every supported Node; a name that the running Node lacks is undefined.
 */
import http from './index.js';

export default http;
export const {
  // The client, which is ferrequest's.
  Agent,
  ClientRequest,
  ClientResponse,
  diagnose,
  get,
  globalAgent,
  request,
  stats,
  // The rest, which is Node's own.
  IncomingMessage,
  METHODS,
  OutgoingMessage,
  STATUS_CODES,
  Server,
  ServerResponse,
  _connectionListener,
  createServer,
  maxHeaderSize,
  setMaxIdleHTTPParsers,
  validateHeaderName,
  validateHeaderValue,
  // Since Node 22.
  CloseEvent,
  MessageEvent,
  WebSocket,
  // Since Node 24.
  setGlobalProxyFromEnv,
  // Since Node 26.
  isValidHeaderName,
  isValidHeaderValue,
  websocketMask,
  websocketUnmask,
} = http;
