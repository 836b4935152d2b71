'use strict';

/** Proxies, and origins behind them. */

const nodeHttp = require('node:http');
const nodeHttps = require('node:https');
const net = require('node:net');

const {
  bytesOf, certificate, cleanUp, responseTo, sendSegments, serve, serveRaw, untilNoConnections,
  untilPoolIsEmpty,
} = require('..');

/** The https module under test; see support/http.js. */
const https = process.env.ORACLE === 'node' ? nodeHttps : require('../../../https');

const ESTABLISHED = 'HTTP/1.1 200 Connection Established\r\n\r\n';

/** True when the running Node has proxies of its own. */
const nodeHasProxies = process.allowedNodeEnvironmentFlags.has('--use-env-proxy');

/**
 * Starts a forward proxy for http, which answers for origins itself.
 * @param {nodeHttp.RequestListener} [handler]
 * @param {nodeHttp.ServerOptions} [options]
 * @returns {Promise<import('../servers').Peer & { url: string, seen: { method: string, url: string,
 *   headers: string[] }[] }>} seen: the requests it got; headers: raw names and values
 */
async function serveHttpProxy(handler = (req, res) => res.end('from the proxy'), options = {}) {
  const seen = [];
  const peer = await serve((req, res) => {
    seen.push({ method: req.method, url: req.url, headers: req.rawHeaders });
    handler(req, res);
  }, options);
  return Object.assign(peer, { seen, url: `http://127.0.0.1:${peer.port}` });
}

/**
 * Starts a proxy that knows CONNECT only.
 * @param {(socket: net.Socket, index: number) => (string | Buffer | undefined)[] | undefined} [answer] what it sends,
 *   in segments; if that begins with a status of 200, a connection to the origin follows; undefined: nothing
 * @returns {Promise<import('../servers').Peer & { url: string, heads: string[] }>} heads: what it was sent
 *   before its answer
 */
async function serveTunnels(answer = () => [ESTABLISHED]) {
  const heads = [];
  const peer = await serveRaw((socket, index) => {
    let head = '';
    socket.on('end', () => socket.end());
    socket.on('data', async function onData(chunk) {
      head += chunk.toString('latin1');
      if (!head.endsWith('\r\n\r\n')) return;
      socket.removeListener('data', onData);
      socket.pause();
      heads.push(head);
      const segments = answer(socket, index);
      if (!segments) {
        socket.resume();
        return;
      }
      await sendSegments(socket, segments);
      if (/^HTTP\/1\.[01] 200/.test(segments.join(''))) connectToOrigin(socket, head);
      else socket.resume();
    });
  });
  return Object.assign(peer, { heads, url: `http://127.0.0.1:${peer.port}` });
}

function connectToOrigin(socket, head) {
  const { hostname, port } = new URL(`http://${head.split(' ')[1]}`);
  // Whatever name was asked for, it is an origin of the test.
  const origin = net.connect({ host: net.isIPv4(hostname) ? hostname : '127.0.0.1', port });
  origin.on('error', () => socket.destroy());
  origin.on('close', () => socket.destroy());
  socket.on('close', () => origin.destroy());
  origin.pipe(socket);
  socket.pipe(origin);
}

/**
 * Starts an https server, with the certificate of the tests.
 * @param {nodeHttp.RequestListener} [handler]
 */
async function serveHttps(handler = (req, res) => res.end(`secure ${req.url}`)) {
  const server = nodeHttps.createServer(certificate, handler);
  server.on('tlsClientError', () => {});
  const peer = await serveRaw((socket) => server.emit('connection', socket));
  return Object.assign(peer, { secureServer: server });
}

/** @returns {import('node:https').Agent} an agent for that proxy, destroyed after the test */
function httpsAgentFor(proxy, options) {
  const agent = new https.Agent({ ca: certificate.cert, ...options, proxyEnv: { HTTPS_PROXY: proxy.url } });
  cleanUp(() => agent.destroy());
  return agent;
}

/** Makes a request and reads its response to the end. */
async function httpsExchange({ body, ...options }) {
  const req = https.request(options);
  req.end(body);
  const res = await responseTo(req);
  return { req, res, body: await bytesOf(res) };
}

/** @returns {Promise<Error>} what a request fails with */
function failureOf(options) {
  return httpsExchange(options).then(() => { throw new Error('it has not failed'); }, (error) => error);
}

/** @returns {Promise<string[]>} the events of a request until its end, errors with their codes */
function eventsOf(req) {
  const events = [];
  for (const name of ['socket', 'response', 'timeout', 'abort']) req.on(name, () => events.push(name));
  req.on('error', (error) => events.push(`error ${error.code}`));
  return new Promise((resolve) => {
    req.on('close', () => resolve([...events, 'close']));
  });
}

/**
 * Waits until the agent's tables are empty and the proxy has no connection. Node itself leaves the name of an origin in
 * a table when there was no tunnel.
 */
async function untilNothingIsLeft(agent, proxy) {
  if (process.env.ORACLE !== 'node') await untilPoolIsEmpty(agent);
  await untilNoConnections(proxy);
}

module.exports = {
  ESTABLISHED,
  eventsOf,
  failureOf,
  https,
  httpsAgentFor,
  httpsExchange,
  nodeHasProxies,
  nodeHttp,
  nodeHttps,
  serveHttpProxy,
  serveHttps,
  serveTunnels,
  untilNothingIsLeft,
};
