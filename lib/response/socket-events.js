'use strict';

/**
 * Makes 'error', 'end', 'close', 'drain' and 'timeout' of a socket events of its request. What each event destroys, and
 * the order in which the request hears of it, are those of Node's own client.
 *
 * A NativeSocket keeps its listeners for life. A stream that has served a request of one of our agents keeps them too:
 * while it is idle they watch it.
 */

const { listenerCount } = require('node:events').prototype;

const { kCounted, kKeepsListeners } = require('./agent-marks');
const { kSuperseded } = require('./client-response');
const { closeRequest, emitError, hasFailed, inTurn, kError, kRetry } = require('./request-end');
const { tellsCauseOfAbort } = require('../node/behaviour');
const { debug } = require('../node/debug');
const { connectionReset } = require('../node/errors');
const { kNeedDrain } = require('../node/internals');
const { socketProperty } = require('../node/socket-properties');
const { kStamps } = require('../phases/connecting');
const { addDetails } = require('../phases/error-details');

/**
 * Own property of a socket: the stage of its listeners. Without a stage they come and go with the request.
 *
 * A NativeSocket goes from NATIVE to GAVE_UP, a stream to and fro between IDLE and SERVING. A NativeSocket that has
 * become one of libuv is a stream when its request is over.
 */
const kStage = socketProperty('stage');
/** The socket has its listeners for life. */
const NATIVE = 1;
/** The socket has its listeners for life; the decoder has refused the response. */
const GAVE_UP = 2;
/** The stream has its listeners, and serves no request of ours. */
const IDLE = 3;
/** The stream has its listeners, and serves a request. */
const SERVING = 4;

/** Own property of a socket: true while its 'timeout' is the response's too. */
const kHearsTimeout = socketProperty('hearsTimeout');

/** Own property of a stream: the StreamTransport that hears its 'data'. */
const kTransport = Symbol('transport');

/** Tells whether a socket has its listeners for life. */
function isWired(socket) {
  const stage = socket[kStage];
  return stage === NATIVE || stage === GAVE_UP;
}

/**
 * Reserves a socket for a request; from now on an error of the socket is the request's.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {import('node:net').Socket} socket
 */
function reserve(req, socket) {
  socket._httpMessage = req;
  if (!socket.isNative) {
    listen(socket, 'error', onSocketError);
    if (socket[kStage] === IDLE) socket[kStage] = SERVING;
  } else if (!isWired(socket)) {
    socket[kStage] = NATIVE;
    socket.on('error', onSocketError);
    socket.on('end', onSocketEnd);
    socket.on('close', onSocketClose);
    socket.on('drain', onSocketDrain);
  }
}

/**
 * Gives a socket, which the I/O thread has taken over from libuv, its listeners for life; some may be there already.
 * @param {import('../socket/native-socket').NativeSocket} socket
 */
function wire(socket) {
  socket[kStage] = NATIVE;
  listen(socket, 'error', onSocketError);
  listen(socket, 'end', onSocketEnd);
  listen(socket, 'close', onSocketClose);
  listen(socket, 'drain', onSocketDrain);
}

/**
 * Starts an exchange: from now on the events of this socket are those of this request.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {import('node:net').Socket} socket
 */
function attach(req, socket) {
  socket._httpMessage = req;
  if (isWired(socket)) return;
  listen(socket, 'end', onSocketEnd);
  listen(socket, 'close', onSocketClose);
  listen(socket, 'drain', onSocketDrain);
}

/**
 * Adds a listener that may be there already. Looked for before each request, because users remove listeners, and Node's
 * client would add its own again.
 * @param {import('node:stream').Duplex} socket
 * @param {string} name
 * @param {Function} listener
 */
function listen(socket, name, listener) {
  const isThere = socket.listenerCount === listenerCount ?
    socket.listenerCount(name, listener) > 0 : socket.listeners(name).includes(listener);
  if (!isThere) socket.on(name, listener);
}

/**
 * Gives up a reservation: the request has come to nothing before the socket was attached.
 * @param {import('node:net').Socket} socket
 */
function release(socket) {
  if (isWired(socket)) return;
  if (socket[kStage] === undefined) socket.removeListener('error', onSocketError);
  else socket[kStage] = IDLE;
}

/**
 * Ends an exchange, for a socket that goes on to live without this request.
 * @param {import('node:net').Socket} socket
 */
function detach(socket) {
  if (isWired(socket)) {
    if (socket.isNative) return;
    socket[kStage] = undefined;
  }
  stopReading(socket);
  socket.removeListener('close', onSocketClose);
  socket.removeListener('error', onSocketError);
  socket.removeListener('end', onSocketEnd);
  socket.removeListener('drain', onSocketDrain);
  socket.removeListener('timeout', onResponseTimeout);
  socket[kTransport]?.stopListening();
}

/**
 * Ends an exchange, for a socket that the pool of this agent may have for another request.
 * @param {import('node:net').Socket} socket
 * @param {import('node:http').Agent|undefined} agent
 */
function becomeIdle(socket, agent) {
  if (socket.isNative ? !isWired(socket) : !agent?.[kKeepsListeners]) {
    detach(socket);
    return;
  }
  if (!socket.isNative) {
    socket[kStage] = IDLE;
    stopReading(socket);
  }
  goBehind(socket, 'error', onSocketError);
  goBehind(socket, 'end', onSocketEnd);
  goBehind(socket, 'close', onSocketClose);
  goBehind(socket, 'drain', onSocketDrain);
}

/**
 * Puts a listener behind those that users have added during a request: they hear of an event before the pool and the
 * next request do, as with Node's client, which adds its own again.
 * @param {import('node:stream').Duplex} socket
 * @param {string} name
 * @param {Function} listener
 */
function goBehind(socket, name, listener) {
  // Most sockets have no other listener.
  if (socket.listenerCount(name) < 2 || socket.listeners(name).at(-1) === listener) return;
  socket.removeListener(name, listener);
  socket.on(name, listener);
}

/**
 * @param {import('node:stream').Duplex} socket
 * @returns {boolean} True for a stream that keeps its listeners and serves no request of ours.
 */
function isIdle(socket) {
  return socket[kStage] === IDLE;
}

/**
 * @param {import('../request/client-request').ClientRequest} req The request that gets the socket.
 * @param {import('node:stream').Duplex} socket
 * @returns {boolean} True if another request of ours has had it.
 */
function isUsed(req, socket) {
  return req.reusedSocket || Boolean(socket?._handle?.settings) || socket?.[kTransport] !== undefined;
}

/**
 * Finds the request whose exchange is under way. `_httpMessage` is the last request for a while longer, although it is
 * closed, or a request of Node's own client, which has its own listeners.
 * @param {import('node:stream').Duplex} socket
 * @returns {import('../request/client-request').ClientRequest|null}
 */
function requestOf(socket) {
  const req = socket[kStage] === IDLE ? null : socket._httpMessage;
  return isOurs(req) && !req._closed ? req : null;
}

/**
 * @param {object|null|undefined} req
 * @returns {boolean} True for a request of ours, false for one of Node's own client.
 */
function isOurs(req) {
  return req?.adoptStream !== undefined;
}

/**
 * @param {import('../socket/native-socket').NativeSocket} socket
 * @returns {boolean} True while the response to its request is not whole, and the decoder has not refused it.
 */
function isReading(socket) {
  const req = socket._httpMessage;
  return Boolean(req) && socket[kStage] === NATIVE && !socket.parser && !req.res?.complete;
}

/**
 * Stops reading behind the last byte of the response: what the peer does from now on is not about this request.
 * @param {import('node:net').Socket} socket
 */
function stopReading(socket) {
  if (isWired(socket)) return;
  const transport = socket.parser;
  if (transport) transport.finish();
}

/**
 * Stops reading a response that the decoder has refused; its end tells the request nothing.
 * @param {import('node:net').Socket} socket
 */
function giveUp(socket) {
  stopReading(socket);
  if (socket[kStage] === NATIVE) socket[kStage] = GAVE_UP;
  socket.removeListener('end', onSocketEnd);
}

/** Ends the exchange, behind what has come before the end. */
function onSocketEnd() {
  if (!this[kTransport]?.postpones(() => endExchange(this), false)) endExchange(this);
}

/** Fails a request whose response has not come, and completes or cuts one that is not whole. */
function endExchange(socket) {
  const req = requestOf(socket);
  // Idle, or its response is complete: net closes it. Of a request that was called off while the end waited, the
  // response stays cut: a socket that is destroyed tells of no end.
  if (!req || req.destroyed || req.res?.complete) return;
  if (!req.res && !socket._hadError) {
    // On the request, because there is nothing else to emit it on.
    socket._hadError = true;
    inTurn(() => emitError(req, connectionReset('socket hang up')), () => endSocket(socket));
  } else {
    endSocket(socket);
  }
}

/** Completes a response that ends with the stream, and closes the socket. */
function endSocket(socket) {
  if (socket.parser ? socket.parser.endsMessage() : socket._handle?.endsMessage?.()) finishMessage(socket);
  socket.parser?.close();
  socket.destroy();
}

/** Completes a response whose body ends with the stream. */
function finishMessage(socket) {
  const res = socket._httpMessage?.res;
  if (!res || res[kSuperseded]) return;
  res.complete = true;
  res.push(null);
}

/** Closes the request, behind what has come before. */
function onSocketClose() {
  if (debug) debug.onClose(this);
  this[kCounted]?.onClose(this);
  if (!this[kTransport]?.postpones(() => closeExchange(this), true)) closeExchange(this);
}

/** Closes the request; a response that is not whole is cut. */
function closeExchange(socket) {
  const req = requestOf(socket);
  if (!req || req._closed) return;
  const { res } = req;
  const transport = socket.parser;
  req.destroyed = true;
  try {
    if (res) closeWithResponse(req, res);
    else failWithoutResponse(req, socket);
  } finally {
    // No socket will send it any more.
    if (req.outputData) req.outputData.length = 0;
    transport?.close();
  }
}

/** Closes a request, and ends its response, whole or not. */
function closeWithResponse(req, res) {
  if (!res.complete) cut(req, res);
  try {
    closeRequest(req);
  } finally {
    if (!res.aborted && res.readable) res.push(null);
  }
}

/** Ends a response that is not whole. */
function cut(req, res) {
  const error = connectionReset('aborted', causeOfAbort(req));
  const stamps = req[kStamps];
  addDetails(error, req, stamps);
  stamps.onAbort();
  res.destroy(error);
}

/**
 * @param {import('../request/client-request').ClientRequest} req
 * @returns {ErrorOptions|undefined} The error that has cut the response, as the cause of that of the response.
 */
function causeOfAbort(req) {
  const cause = req[kError];
  return cause && tellsCauseOfAbort() ? { cause } : undefined;
}

/** Closes a request that has no response, with an error unless it has been told one. */
function failWithoutResponse(req, socket) {
  if (socket._hadError) {
    closeRequest(req);
    return;
  }
  socket._hadError = true;
  // Neither the peer nor the network has ended the connection, of which there would be an event, but the user.
  req[kRetry]?.end();
  inTurn(() => emitError(req, connectionReset('socket hang up')), () => closeRequest(req));
}

/** Listens also while a request waits for the next tick, so that no error of the socket is lost. */
function onSocketError(error) {
  if (!this[kTransport]?.postpones(() => failExchange(this, error), true)) failExchange(this, error);
}

/** Fails the request, or closes an idle socket. */
function failExchange(socket, error) {
  const req = requestOf(socket);
  if (!req) {
    // An idle socket leaves the pool, and no request has to know. One that is not idle yet, its agent does not keep.
    socket.destroy();
    if (socket._httpMessage === null) socket.emit('agentRemove');
    return;
  }
  // Unlike Node's client, which here completes a body that ends with the connection: it was cut.
  socket.parser?.close();
  socket.removeListener('end', onSocketEnd);
  socket.destroy();
  if (tellsCauseOfAbort()) req[kError] ||= error;
  // One error is enough: others of the same failure are not told. (Not by _hadError, which TLS sets beforehand.)
  if (hasFailed(req)) return;
  socket._hadError = true;
  emitError(req, error);
}

/** Emits the 'drain' that the request owes. */
function onSocketDrain() {
  const req = requestOf(this);
  if (req && !req.finished && req[kNeedDrain]) {
    req[kNeedDrain] = false;
    req.emit('drain');
  }
}

/**
 * Makes 'timeout' of a socket the response's too. A NativeSocket without a time emits none; see `onLateTimeout` for a
 * time that is set later.
 * @param {import('node:net').Socket} socket
 */
function listenForTimeout(socket) {
  if (!socket.timeout && isWired(socket)) return;
  socket.on('timeout', onResponseTimeout);
  socket[kHearsTimeout] = true;
}

/**
 * Undoes `listenForTimeout`.
 * @param {import('node:net').Socket} socket
 */
function ignoreTimeout(socket) {
  if (!socket[kHearsTimeout]) return;
  socket.removeListener('timeout', onResponseTimeout);
  socket[kHearsTimeout] = false;
}

/** @this {import('node:net').Socket} */
function onResponseTimeout() {
  this._httpMessage?.res?.emit('timeout');
}

/**
 * Emits 'timeout' on the response of a NativeSocket whose time was set after the response had begun.
 * @param {import('../socket/native-socket').NativeSocket} socket
 */
function onLateTimeout(socket) {
  if (!socket[kHearsTimeout]) onResponseTimeout.call(socket);
}

module.exports = {
  attach,
  becomeIdle,
  detach,
  giveUp,
  ignoreTimeout,
  isIdle,
  isOurs,
  isReading,
  isUsed,
  kTransport,
  listen,
  listenForTimeout,
  onLateTimeout,
  release,
  requestOf,
  reserve,
  stopReading,
  wire,
};
