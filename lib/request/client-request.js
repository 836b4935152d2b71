'use strict';

/**
 * ClientRequest: a request in progress.
 *
 * Its writing half is Node's OutgoingMessage; what it adds are the options, the way to a socket, and the stages at
 * which it can be called off. The response's events come from response-events.js.
 */

const diagnostics = require('node:diagnostics_channel');
const net = require('node:net');
const { addAbortSignal, finished } = require('node:stream');

const agents = require('./global-agent');
const { debug } = require('../node/debug');
const { connectionReset, createError } = require('../node/errors');
const { kAuthority, kHighWaterMark, kNeedDrain, kOutHeaders, kUniqueHeaders } = require('../node/internals');
const { NativeSocket } = require('../socket/native-socket');
const { http } = require('../node/modules');
const performanceEntries = require('../response/performance-entries');
const { kProxyConfig, kTunnel } = require('../proxy/config');
const proxyRequest = require('../proxy/request');
const options_ = require('./request-options');
const { closeRequest, emitError, inTurn } = require('../response/request-end');
const socketEvents = require('../response/socket-events');
const { StreamTransport } = require('../stream/stream-transport');
const { LLHTTP, flagsOf, maxHeaderSizeOf } = require('../response/decoder-settings');
const writeBatch = require('../stream/write-batch');
const { bytesOf, timerDuration, validatePath } = require('../node/validators');

const { OutgoingMessage } = http;
const NODE_MAJOR = Number.parseInt(process.versions.node, 10);

/**
 * Whether a socket knows the request that gets it before the next tick, as since a release of Node 24. Where it does
 * not, the agent keeps one whose request is called off until then only if another request has just been served.
 */
const KNOWS_AT_ONCE = String(http.ClientRequest.prototype.onSocket).includes('_httpMessage');

/** Whether `path` of this Node's requests is checked whenever it is set. */
const hasPathAccessor = Object.hasOwn(http.ClientRequest.prototype, 'path');

const createdChannel = diagnostics.channel('http.client.request.created');

const kPath = Symbol('path');
/** What destroy() was given. */
const kError = Symbol('error');

/**
 * @param {string|URL|import('node:http').RequestOptions} input
 * @param {import('node:http').RequestOptions|Function} [options]
 * @param {(res: import('../response/client-response').ClientResponse) => void} [callback]
 * @see https://nodejs.org/api/http.html#class-httpclientrequest
 */
function ClientRequest(input, options, callback) {
  OutgoingMessage.call(this);
  ({ options, callback } = options_.normalizeArguments(input, options, callback));
  if (options.highWaterMark !== undefined && options.highWaterMark !== null && kHighWaterMark) {
    this[kHighWaterMark] = options.highWaterMark;
  }

  const defaultAgent = options._defaultAgent || agents.get();
  const agent = options_.chooseAgent(options, defaultAgent);
  this.agent = agent;
  const protocol = options_.checkProtocol(options, agent, defaultAgent);

  const defaultPort = options.defaultPort || agent?.defaultPort;
  const port = options.port = options.port || defaultPort || 80;
  const host = options.host = options_.hostOf(options);

  options_.applyOptions(this, options);
  if (options.signal) {
    addAbortSignal(options.signal, this);
    // The agent and the socket get the options too, but the signal is this request's own.
    delete options.signal;
  }
  options_.applyParserOptions(this, options);
  this[kPath] = options.path || '/';
  if (!hasPathAccessor) this.path = this[kPath];
  if (callback) this.once('response', callback);

  this._ended = false;
  this.res = null;
  this.aborted = false;
  this.timeoutCb = null;
  this.upgradeOrConnect = false;
  this.parser = null;
  this.maxHeadersCount = null;
  this.reusedSocket = false;
  this.host = host;
  this.protocol = protocol;
  if (agent) {
    // An agent that would not use the connection again has no reason to ask the peer to keep it.
    this.shouldKeepAlive = Boolean(agent.keepAlive) || Number.isFinite(agent.maxSockets);
    this._last = !this.shouldKeepAlive;
  }

  const authority = options_.authorityOf(host, port, defaultPort);
  if (kAuthority) this[kAuthority] = authority;
  const isProxied = agent?.[kProxyConfig] ? proxyRequest.isProxied(agent, options) : false;
  setHeaders(this, options, authority, isProxied ? options : undefined);
  this[kUniqueHeaders] = options_.uniqueHeadersOf(options.uniqueHeaders);

  if (debug) debug.onRequest(this);
  if (agent) {
    agent.addRequest(this, options);
  } else {
    connectWithoutAgent(this, options);
  }
  if (createdChannel.hasSubscribers) createdChannel.publish({ request: this });
}
Object.setPrototypeOf(ClientRequest.prototype, OutgoingMessage.prototype);
Object.setPrototypeOf(ClientRequest, OutgoingMessage);

if (hasPathAccessor) {
  Object.defineProperty(ClientRequest.prototype, 'path', {
    __proto__: null,
    get() {
      return this[kPath];
    },
    set(value) {
      const path = String(value);
      validatePath(path);
      this[kPath] = path;
    },
    configurable: true,
    enumerable: true,
  });
}

/**
 * Header fields from the options, and those that follow from them.
 * @param {ClientRequest} req
 * @param {object} options
 * @param {string} authority
 * @param {{ host: string, port: string|number }} [origin] Of a request that goes to a proxy.
 */
function setHeaders(req, options, authority, origin) {
  const { headers } = options;
  if (Array.isArray(headers)) {
    // A list is sent as it is, in its order and with its repetitions.
    storeHeader(req, origin ? proxyRequest.rewrite(req, origin, undefined, headers) : headers);
    return;
  }
  if (headers) {
    for (const name of Object.keys(headers)) req.setHeader(name, headers[name]);
  }
  const userHost = origin && req.getHeader('host');
  const { setHost = options.setDefaultHeaders !== false } = options;
  if (authority && setHost && !req.getHeader('host')) {
    // RFC 9110, section 9.3.6: the target of CONNECT is its authority.
    const isTunnel = NODE_MAJOR >= 26 && req.method === 'CONNECT' && options.path;
    setHostField(req, isTunnel ? String(req.path) : authority);
  }
  if (options.auth && !req.getHeader('Authorization')) {
    req.setHeader('Authorization', `Basic ${Buffer.from(options.auth).toString('base64')}`);
  }
  if (origin) proxyRequest.rewrite(req, origin, userHost);
  // The peer is asked at once, before there is a body to send.
  if (req.getHeader('expect')) req._implicitHeader();
}

/** The last authority that setHeader has found to be a valid value: most requests of a process go to the same few. */
let validAuthority;

function setHostField(req, authority) {
  if (authority !== validAuthority || req.setHeader !== OutgoingMessage.prototype.setHeader) {
    req.setHeader('Host', authority);
    validAuthority = authority;
    return;
  }
  // What setHeader does after its checks.
  const fields = req[kOutHeaders] ??= { __proto__: null };
  fields.host = ['Host', authority];
}

function storeHeader(req, headers) {
  req._storeHeader(`${req.method} ${req.path} HTTP/1.1\r\n`, headers);
}

function connectWithoutAgent(req, options) {
  req._last = true;
  req.shouldKeepAlive = false;
  if (options.path || options.socketPath) {
    // To a socket, `path` is that of a Unix domain socket.
    options = { ...options, path: options.socketPath || undefined };
  }
  if (typeof options.createConnection !== 'function') {
    req.onSocket(net.createConnection(options));
    return;
  }
  let called = false;
  const onCreate = (error, socket) => {
    if (called) return;
    called = true;
    if (error) process.nextTick(emitError, req, error);
    else req.onSocket(socket);
  };
  try {
    const socket = options.createConnection(options, onCreate);
    if (socket) onCreate(null, socket);
  } catch (error) {
    onCreate(error);
  }
}

ClientRequest.prototype._finish = function _finish() {
  performanceEntries.start(this);
};

ClientRequest.prototype._implicitHeader = function _implicitHeader() {
  if (this._header) {
    throw createError(Error, 'ERR_HTTP_HEADERS_SENT', 'Cannot render headers after they are sent to the client');
  }
  storeHeader(this, this[kOutHeaders]);
};

/** What was written before there was a socket. */
ClientRequest.prototype._flushOutput = function _flushOutput(socket) {
  const { outputData } = this;
  if (outputData.length > 0 && this.writableCorked === 0 && socket.isNative && socket.writeKept(outputData)) {
    this.outputData = [];
    this._onPendingData(-this.outputSize);
    this.outputSize = 0;
    return true;
  }
  // A Writable calls the callbacks of one batch in a row; one that throws must not take the others with it.
  if (outputData.length > 1) {
    const call = callerInRow();
    for (const entry of outputData) {
      const { callback } = entry;
      if (callback) entry.callback = (error) => call(callback, error);
    }
  }
  return OutgoingMessage.prototype._flushOutput.call(this, socket);
};

/**
 * @returns {(callback: Function, error?: Error|null) => void} Calls at once, because callbacks of writes that were not
 *   kept may follow in the same row. What one throws is thrown behind that, and those after it are called behind it.
 */
function callerInRow() {
  let threw = false;
  return (callback, error) => {
    if (threw) {
      process.nextTick(callback, error);
      return;
    }
    try {
      callback(error);
    } catch (exception) {
      threw = true;
      process.nextTick(() => {
        throw exception;
      });
    }
  };
}

/**
 * Sends a part of the body.
 * @param {string|Uint8Array|number[]} chunk An array of integers is sent as those bytes.
 */
ClientRequest.prototype.write = function write(chunk, encoding, callback) {
  return OutgoingMessage.prototype.write.call(this, Array.isArray(chunk) ? bytesOf(chunk) : chunk, encoding, callback);
};

ClientRequest.prototype.end = function end(chunk, encoding, callback) {
  // Before Node 26, OutgoingMessage sends the end of a chunked body before the chunks that a cork holds back.
  while (this.isCorkedByUser && !this.finished) this.uncork();
  return OutgoingMessage.prototype.end.call(this, Array.isArray(chunk) ? bytesOf(chunk) : chunk, encoding, callback);
};

/** How often the user has corked: OutgoingMessage corks the socket for its own reasons too. */
const kCorks = Symbol('corks');

ClientRequest.prototype.cork = function cork() {
  this[kCorks] = (this[kCorks] ?? 0) + 1;
  OutgoingMessage.prototype.cork.call(this);
};

/** Also called by end(), which undoes every cork. */
ClientRequest.prototype.uncork = function uncork() {
  if (this[kCorks]) this[kCorks] = this.finished ? 0 : this[kCorks] - 1;
  OutgoingMessage.prototype.uncork.call(this);
  if (this[kNeedDrain]) askForDrain(this.socket);
};

/**
 * What is left of a cork waits for the kernel, and is less than the socket's high-water mark, because what came before
 * it was taken at once: the socket owes nobody a 'drain' then, but the request does. (Since Node 26, OutgoingMessage
 * corks every tick's chunks, and answers `false` by all that the cork holds.)
 * @param {import('node:net').Socket|null} socket
 */
function askForDrain(socket) {
  if (socket?.isNative && socket.writableLength > 0) socket._writableState.needDrain = true;
}

Object.defineProperty(ClientRequest.prototype, 'isCorkedByUser', {
  __proto__: null,
  get() {
    return Boolean(this[kCorks]);
  },
  configurable: true,
});

ClientRequest.prototype.abort = function abort() {
  if (this.aborted) return;
  this.aborted = true;
  process.nextTick(emitAbort, this);
  this.destroy();
};

function emitAbort(req) {
  req.emit('abort');
}

ClientRequest.prototype.destroy = function destroy(error) {
  if (this.destroyed) return this;
  this.destroyed = true;
  if (debug) debug.onDestroy(this, error);
  // Whatever else the response brings is of no interest.
  this.res?._dump();
  this[kError] = error;
  // Both messages are whole: since Node 26 there is nothing left to call off.
  if (NODE_MAJOR >= 26 && this.writableFinished && this.res?.complete) return this;
  if (this.parser) writeBatch.sendNow(this.parser);
  this.socket?.destroy(error);
  this[kTunnel]?.destroy();
  return this;
};

/**
 * Takes the socket that an agent, or createConnection, has for this request.
 * @param {import('node:stream').Duplex|null} socket
 * @param {Error} [error] Why there is none.
 */
ClientRequest.prototype.onSocket = function onSocket(socket, error) {
  const served = socket?._httpMessage;
  // At once, because a socket can fail before the next tick.
  if (socket && !error) socketEvents.reserve(this, socket);
  process.nextTick(onSocketNT, this, socket, error, served);
};

/** @param {import('node:http').OutgoingMessage|null|undefined} served The request that the socket has come from. */
function onSocketNT(req, socket, error, served) {
  if (req.destroyed || error) {
    if (socket && !KNOWS_AT_ONCE) socket._httpMessage = served;
    refuseSocket(req, socket, error);
  } else {
    try {
      assignSocket(req, socket);
    } finally {
      // Also when a listener of 'socket' has thrown: the request goes out, and what happens to it is told.
      if (req.parser?.mayHoldBack) writeBatch.flush(req, req.parser);
      else req._flush();
    }
  }
}

/** The request was called off before it had a socket, or there is none. */
function refuseSocket(req, socket, error) {
  req.destroyed = true;
  if (!socket) {
    finishRefused(req, null, error || req[kError]);
  } else if (!error && req.agent && !socket.destroyed) {
    // Nothing was sent on it: another request can have it, and it can be idle if its agent thinks so.
    socketEvents.release(socket);
    socket.emit('free');
    finishRefused(req, socket, req[kError]);
  } else {
    finished(socket.destroy(error || req[kError]), (failure) => {
      if (failure?.code === 'ERR_STREAM_PREMATURE_CLOSE') failure = null;
      finishRefused(req, socket, failure || error);
    });
  }
}

function finishRefused(req, socket, error) {
  if (!req.aborted && !error) error = connectionReset('socket hang up');
  // Errors of a proxy's tunnel, and of the socket, have been told already.
  inTurn(() => {
    if (error && error.code !== 'ERR_PROXY_TUNNEL' && !socket?._hadError) emitError(req, error);
  }, () => closeRequest(req));
}

/** From here on the socket's events are this request's. */
function assignSocket(req, socket) {
  req.socket = socket;
  if (debug) debug.onSocket(req, socket);
  if (socket instanceof NativeSocket && socket.isNative) {
    socket.parser = null;
    socket._handle.request(flagsOf(req), maxHeaderSizeOf(req), LLHTTP);
  } else {
    socket.parser = req.parser = StreamTransport.start(req, socket);
  }
  socketEvents.attach(req, socket);
  if (req.timeout !== undefined || req.agent?.options?.timeout) listenForTimeout(req);
  req.emit('socket', socket);
}

/** The I/O thread has given the socket's descriptor to libuv: the decoder is fed from the stream from now on. */
ClientRequest.prototype.adoptStream = function adoptStream(socket) {
  if (this.socket === socket && !this.res) socket.parser = this.parser = StreamTransport.start(this, socket);
};

function emitRequestTimeout() {
  this._httpMessage?.emit('timeout');
}

/** Makes the socket's 'timeout' the request's. */
function listenForTimeout(req) {
  if (req.timeoutCb) return;
  req.timeoutCb = emitRequestTimeout;
  if (req.socket) req.socket.once('timeout', emitRequestTimeout);
  else req.on('socket', (socket) => socket.once('timeout', emitRequestTimeout));
}

ClientRequest.prototype.setTimeout = function setTimeout(milliseconds, callback) {
  if (this._ended) return this;
  listenForTimeout(this);
  milliseconds = timerDuration(milliseconds, 'msecs');
  if (callback) this.once('timeout', callback);
  if (this.socket) setSocketTimeout(this.socket, milliseconds);
  else this.once('socket', (socket) => setSocketTimeout(socket, milliseconds));
  return this;
};

/** The time to connect does not count. */
function setSocketTimeout(socket, milliseconds) {
  if (socket.connecting) socket.once('connect', () => socket.setTimeout(milliseconds));
  else socket.setTimeout(milliseconds);
}

ClientRequest.prototype.clearTimeout = function clearTimeout(callback) {
  this.setTimeout(0, callback);
};

/**
 * Calls a method of the socket as soon as there is one and it is connected.
 * @param {string} [method]
 * @param {unknown[]} [arguments_]
 */
ClientRequest.prototype._deferToConnect = function _deferToConnect(method, arguments_) {
  const call = () => {
    if (method) this.socket[method](...arguments_);
  };
  const onSocket = () => {
    if (this.socket.writable) call();
    else this.socket.once('connect', call);
  };
  if (this.socket) onSocket();
  else this.once('socket', onSocket);
};

ClientRequest.prototype.setNoDelay = function setNoDelay(noDelay) {
  this._deferToConnect('setNoDelay', [noDelay]);
};

ClientRequest.prototype.setSocketKeepAlive = function setSocketKeepAlive(enable, initialDelay) {
  this._deferToConnect('setKeepAlive', [enable, initialDelay]);
};

module.exports = { ClientRequest };
