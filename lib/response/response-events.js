'use strict';

/**
 * Decoder events -> the response and the request's events.
 *
 * Both transports call these functions: NativeHandle with what the I/O thread sent, StreamTransport with what the
 * decoder says of a chunk. The order of every event, and what destroys what, is that of Node's own client.
 */

const diagnostics = require('node:diagnostics_channel');
const { setImmediate } = require('node:timers');

const { addTrailers, createResponse, informationOf, kAnnouncesTimeout } = require('./client-response');
const { connectionReset } = require('../node/errors');
const counters = require('../bridge/counters');
const { debug } = require('../node/debug');
const idleGuard = require('./idle-guard');
const { kDetachAbortSignal, kNeedDrain } = require('../node/internals');
const performanceEntries = require('./performance-entries');
const { event } = require('../bridge/records');

const channels = {
  error: diagnostics.channel('http.client.request.error'),
  finish: diagnostics.channel('http.client.response.finish'),
};

/** Own property of a request: it has been told an error. */
const kFailed = Symbol('failed');

/** Own property of a response: what comes after it on the wire is not its own. */
const kSkip = Symbol('skip');
/** Own property of a stream: it has brought bytes that nobody asked for. */
const kRetired = Symbol('retired');

/** Own property of a socket: the decoder gave up. */
const kGaveUp = Symbol('gaveUp');

/** Own property of a socket: its 'timeout' is the response's. */
const kHearsTimeout = Symbol('hearsTimeout');

/** Own property of a NativeSocket: it has its listeners, and keeps them from one request to the next. */
const kWired = Symbol('wired');

/** Own property of a stream: the StreamTransport that hears its 'data'. */
const kTransport = Symbol('transport');

/**
 * A request is going to have this socket; from now on an error of the socket is the request's.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {import('node:net').Socket} socket
 */
function reserve(req, socket) {
  socket._httpMessage = req;
  if (!socket.isNative) {
    idleGuard.listen(socket, 'error', onSocketError);
    idleGuard.leave(socket);
  } else if (!socket[kWired]) {
    socket[kWired] = true;
    socket.on('error', onSocketError);
    socket.on('end', onSocketEnd);
    socket.on('close', onSocketClose);
    socket.on('drain', onSocketDrain);
  }
}

/**
 * Starts an exchange: from now on the events of this socket are those of this request.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {import('node:net').Socket} socket
 */
function attach(req, socket) {
  socket._httpMessage = req;
  if (socket[kWired]) return;
  idleGuard.listen(socket, 'end', onSocketEnd);
  idleGuard.listen(socket, 'close', onSocketClose);
  idleGuard.listen(socket, 'drain', onSocketDrain);
}

/** Ends it, for a socket that goes on to live without this request. */
function detach(socket) {
  if (socket[kWired] && socket.isNative) return;
  socket[kWired] = false;
  stopReading(socket);
  socket.removeListener('close', onSocketClose);
  socket.removeListener('error', onSocketError);
  socket.removeListener('end', onSocketEnd);
  socket.removeListener('drain', onSocketDrain);
  socket.removeListener('timeout', onResponseTimeout);
  socket[kTransport]?.stopListening();
}

/** Ends it, for a socket that the pool of this agent may have for another request. */
function rest(socket, agent) {
  if (socket.isNative || !agent?.[idleGuard.kKeepsListeners]) {
    detach(socket);
    return;
  }
  socket[kWired] = false;
  stopReading(socket);
  idleGuard.enter(socket);
}

/**
 * @param {import('../socket/native-socket').NativeSocket} socket
 * @returns {boolean} Whether the response to its request is not whole, and has not been given up for bad.
 */
function isReading(socket) {
  const req = socket._httpMessage;
  return Boolean(req) && socket[kWired] === true && !socket.parser && !req.res?.complete && !socket[kGaveUp];
}

/** The request never had the socket. */
function release(socket) {
  if (socket[kWired] || idleGuard.reenter(socket)) return;
  socket.removeListener('error', onSocketError);
}

/** After the last byte of the response: what the peer does from now on is not about this request. */
function stopReading(socket) {
  if (socket[kWired]) return;
  const transport = socket.parser;
  if (transport) transport.close();
}

/**
 * Emits an error on a request, and tells who watches.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {Error} error
 */
function emitError(req, error) {
  req[kFailed] = true;
  if (debug) debug.onError(req, error);
  if (channels.error.hasSubscribers) channels.error.publish({ request: req, error });
  req.emit('error', error);
}

// --- From the decoder ---

/** 1xx, which is not the response. */
function onInformation(socket, flags, slab, words, start, end) {
  const req = socket._httpMessage;
  if (!req || isDoubleResponse(req, socket)) return;
  const res = createResponse(req, flags, slab, words, start, end);
  if (res.statusCode === 100) inTurn(() => req.emit('continue'), () => emitInformation(req, res));
  else emitInformation(req, res);
}

function emitInformation(req, res) {
  req.emit('information', informationOf(res));
}

/** The final response. */
function onHead(socket, flags, slab, words, start, end) {
  const req = socket._httpMessage;
  if (!req || isDoubleResponse(req, socket)) return;
  const res = createResponse(req, flags, slab, words, start, end);
  req.res = res;
  counters.responses++;
  if (flags & event.UPGRADE) return;
  res[kAnnouncesTimeout] = (flags & event.KEEP_ALIVE_FIELD) !== 0;
  if (!(flags & event.KEEP_ALIVE) && !req.upgradeOrConnect) req.shouldKeepAlive = false;
  res.req = req;
  if (debug) debug.onResponse(req, res);
  performanceEntries.stop(req, res);
  if (channels.finish.hasSubscribers) channels.finish.publish({ request: req, response: res });

  // Before the user's own, so that the socket is dealt with first.
  res.on('end', onResponseEnd);
  if (!req.writableFinished) req.on('finish', onRequestFinish);
  // Without a time there is none to listen for; see NativeSocket's _onTimeout for one that is set later.
  if (socket.timeout || !socket[kWired]) {
    socket.on('timeout', onResponseTimeout);
    socket[kHearsTimeout] = true;
  }
  // With nobody to read the body, it must not hold the connection.
  if (req.aborted || !req.emit('response', res)) res._dump();
  if (res.statusCode === 304 && req.method !== 'HEAD') res.complete = true;
}

/**
 * A peer that answers twice cannot be trusted with a third message.
 * @returns {boolean} Whether there is a response already.
 */
function isDoubleResponse(req, socket) {
  if (req.res === null) return false;
  req.res[kSkip] = true;
  socket.destroy();
  return true;
}

/** Up to here a loop is faster than `copy`, which makes a view of the source first. */
const SHORT = 48;

/** From here on a piece has memory of its own, whatever the size of Node's pool is. */
const OWN_FROM = 16 * 1024;

function chunkOf(slab, start, end) {
  const length = end - start;
  const copy = length >= OWN_FROM ? Buffer.allocUnsafeSlow(length) : Buffer.allocUnsafe(length);
  if (length > SHORT) slab.copy(copy, 0, start, end);
  else for (let i = 0; i < length; i++) copy[i] = slab[start + i];
  return copy;
}

/** A piece of the body, in the slab. */
function onData(socket, slab, start, end) {
  const res = socket._httpMessage?.res;
  if (!res || res._dumped || res[kSkip]) return;
  // Not a view: the slab is written again, and whoever transfers a chunk's memory (a ReadableStream of bytes does) must
  // not take other chunks and records along.
  const chunk = chunkOf(slab, start, end);
  pushBody(socket, res, chunk);
}

/** A piece of the body, as a buffer of its own. */
function onBody(socket, chunk) {
  const res = socket._httpMessage?.res;
  if (res && !res._dumped && !res[kSkip]) pushBody(socket, res, chunk);
}

function pushBody(socket, res, chunk) {
  if (!res.push(chunk)) socket.pause();
}

/** The message is complete. */
function onEnd(socket, slab, start, end) {
  const req = socket._httpMessage;
  const res = req?.res;
  if (!res || res[kSkip]) return;
  res.complete = true;
  if (start < end) addTrailers(res, req, slab.latin1Slice(start, end));
  res.push(null);
  // Nothing more is expected, but the socket has to notice its end.
  if (!socket._paused && socket.readable) socket.resume();
  stopReading(socket);
}

/** The decoder gave up. */
function onParseError(socket, error) {
  if (debug) debug.onParseError(socket, error);
  const req = socket._httpMessage;
  if (!req) {
    socket.destroy();
    return;
  }
  stopReading(socket);
  socket[kGaveUp] = true;
  socket.removeListener('end', onSocketEnd);
  socket.destroy();
  socket._hadError = true;
  emitError(req, error);
}

/** The response's head says that what follows is another protocol. The socket is an ordinary one by now. */
function onUpgrade(socket, head) {
  const req = socket._httpMessage;
  const res = req?.res;
  // What upgrades is no response to this request, if there is one at all.
  if (!res || res[kSkip]) {
    socket.destroy();
    return;
  }
  res.upgrade = true;
  // Whatever follows the head, it is not a body.
  res.complete = true;
  res.push(null);
  stopReading(socket);
  if (req.timeoutCb) socket.removeListener('timeout', req.timeoutCb);
  socket.removeListener('timeout', onResponseTimeout);
  const name = req.method === 'CONNECT' ? 'connect' : 'upgrade';
  if (req.listenerCount(name) === 0) {
    socket.destroy();
    return;
  }
  req.upgradeOrConnect = true;
  socket.emit('agentRemove');
  detach(socket);
  socket._httpMessage = null;
  socket.readableFlowing = null;
  inTurn(() => req.emit(name, res, socket, head), () => {
    req.destroyed = true;
    closeRequest(req);
  });
}

/** The socket is a stream, and will have to close instead of serving another request. */
function retire(socket) {
  socket[kRetired] = true;
}

/** Bytes that nobody asked for: the connection must not serve another request (response-queue poisoning). */
function onUnsolicited(socket) {
  const req = socket._httpMessage;
  // A request that is still being written keeps the connection until then, and not longer.
  if (req && !(req._ended && req.writableFinished)) return;
  if (!req || req.res?.complete) socket.destroy();
}

// --- From the socket ---

function onSocketEnd() {
  const socket = this;
  if (socket[kTransport]?.postpones(onSocketEnd)) return;
  const req = idleGuard.requestOf(socket);
  // Idle, or its response is complete: net closes it.
  if (!req || req.res?.complete) return;
  if (!req.res && !socket._hadError) {
    // On the request, because there is nothing else to emit it on.
    socket._hadError = true;
    emitError(req, connectionReset('socket hang up'));
  }
  if (socket.parser ? socket.parser.endsMessage() : socket._handle?.endsMessage?.()) finishMessage(socket);
  socket.parser?.close();
  socket.destroy();
}

/** A close-delimited body ends with the stream. */
function finishMessage(socket) {
  const res = socket._httpMessage?.res;
  if (!res || res[kSkip]) return;
  res.complete = true;
  res.push(null);
}

function onSocketClose() {
  const socket = this;
  if (debug) debug.onClose(socket);
  socket[kTransport]?.catchUp();
  const req = idleGuard.requestOf(socket);
  if (!req || req._closed) return;
  const { res } = req;
  const transport = socket.parser;
  req.destroyed = true;
  if (res) {
    if (!res.complete) res.destroy(connectionReset('aborted'));
    closeRequest(req);
    if (!res.aborted && res.readable) res.push(null);
  } else {
    failWithoutResponse(req, socket);
  }
  // Nobody will send it any more.
  if (req.outputData) req.outputData.length = 0;
  transport?.close();
}

function failWithoutResponse(req, socket) {
  if (socket._hadError) {
    closeRequest(req);
    return;
  }
  socket._hadError = true;
  inTurn(() => emitError(req, connectionReset('socket hang up')), () => closeRequest(req));
}

/** Once, whatever comes first. */
function closeRequest(req) {
  if (req._closed) return;
  req._closed = true;
  req.emit('close');
}

/**
 * Does one thing after another, although listeners may throw in the first: the second is then left to a later turn, so
 * that the exception reaches 'uncaughtException' before it.
 * @param {() => void} first
 * @param {() => void} second
 */
function inTurn(first, second) {
  let threw = true;
  try {
    first();
    threw = false;
  } finally {
    if (threw) setImmediate(second);
  }
  second();
}

/** Also attached while a request waits for the next tick, so that no error of the socket is lost. */
function onSocketError(error) {
  const socket = this;
  socket[kTransport]?.catchUp();
  const req = idleGuard.requestOf(socket);
  if (!req) {
    // Idle: it leaves the pool, and nobody else has to know.
    socket.destroy();
    socket.emit('agentRemove');
    return;
  }
  // Unlike Node's client, which here completes a body that ends with the connection: it was cut.
  socket.parser?.close();
  socket.removeListener('end', onSocketEnd);
  socket.destroy();
  // One error is enough: others of the same failure are not told. (Not by _hadError, which TLS sets beforehand.)
  if (req[kFailed]) return;
  socket._hadError = true;
  emitError(req, error);
}

function onSocketDrain() {
  const req = idleGuard.requestOf(this);
  if (req && !req.finished && req[kNeedDrain]) {
    req[kNeedDrain] = false;
    req.emit('drain');
  }
}

function onResponseTimeout() {
  this._httpMessage?.res?.emit('timeout');
}

/** For a time that was set after the response had begun: then there is no listener. */
function onLateTimeout(socket) {
  if (!socket[kHearsTimeout]) onResponseTimeout.call(socket);
}

// --- From the response and the request ---

function onResponseEnd() {
  const { req } = this;
  const { socket } = req;
  if (kDetachAbortSignal) this[kDetachAbortSignal]();
  if (socket) {
    if (req.timeoutCb) socket.removeListener('timeout', req.timeoutCb);
    if (socket[kHearsTimeout]) {
      socket.removeListener('timeout', onResponseTimeout);
      socket[kHearsTimeout] = false;
    }
  }
  req._ended = true;
  if (req._closed) return;
  if (!req.shouldKeepAlive) {
    if (socket.writable) {
      if (typeof socket.destroySoon === 'function') socket.destroySoon();
      else socket.end();
    }
  } else if (req.writableFinished && !this.aborted) {
    // A destroyed socket keeps its listeners: an error that is on its way is the request's.
    if (socket.destroyed) giveBack(req);
    else keepAlive(req);
  }
}

/** The response was there before the request was out. */
function onRequestFinish() {
  if (this.shouldKeepAlive && this._ended && !this.destroyed && !this.socket.destroyed) keepAlive(this);
}

/** Gives the socket back to its agent. */
function keepAlive(req) {
  const { socket } = req;
  if (req.timeoutCb) {
    socket.setTimeout(0, req.timeoutCb);
    req.timeoutCb = null;
  }
  rest(socket, req.agent);
  giveBack(req);
  // The response must not destroy what is no longer its own.
  if (req.res) req.res.socket = null;
}

function giveBack(req) {
  // Deferred: listeners of 'end' that come after ours must still find the socket in use.
  process.nextTick(free, req);
  req.destroyed = true;
}

function free(req) {
  const { socket } = req;
  if (debug && socket) debug.onFree(socket);
  closeRequest(req);
  if (socket?.[kRetired]) socket.destroy();
  else socket?.emit('free');
}

module.exports = {
  attach,
  closeRequest,
  emitError,
  inTurn,
  isReading,
  kTransport,
  onBody,
  onData,
  onEnd,
  onHead,
  onInformation,
  onLateTimeout,
  onParseError,
  onSocketError,
  onUnsolicited,
  onUpgrade,
  release,
  reserve,
  retire,
};
