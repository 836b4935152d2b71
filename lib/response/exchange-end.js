'use strict';

/** Ends an exchange when both messages are whole: the socket goes back to its agent, or closes. */

const { setImmediate } = require('../node/timing');
const { kIterated } = require('./client-response');
const { closeRequest } = require('./request-end');
const { becomeIdle, ignoreTimeout } = require('./socket-events');
const { closedBy, giveReason } = require('../node/connection-channels');
const { debug } = require('../node/debug');
const { kDetachAbortSignal } = require('../node/internals');
const { kStamps } = require('../phases/connecting');
const { nextTick } = require('../node/timing');

/** Own property of a stream: true when it has brought bytes that no request asked for. */
const kRetired = Symbol('retired');

/**
 * Listens for the ends of both messages, before the user's own listeners, so that the socket is dealt with first.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {import('./client-response').ClientResponse} res
 */
function listenForEnd(req, res) {
  res.on('end', onResponseEnd);
  if (!req.writableFinished) req.on('finish', onRequestFinish);
}

/**
 * Has the end of a response noted before listeners of 'end' that a subscriber of diagnostics_channel adds. The exchange
 * ends behind those, as with Node's client.
 * @param {import('./client-response').ClientResponse} res
 */
function noteEndFirst(res) {
  res.on('end', noteEnd);
}

/** @this {import('./client-response').ClientResponse} */
function noteEnd() {
  this.req[kStamps].onEnd();
}

/**
 * Lets a stream close instead of serving another request.
 * @param {import('node:stream').Duplex} socket
 */
function retire(socket) {
  socket[kRetired] = true;
  giveReason(socket, closedBy.UNSOLICITED);
}

/**
 * Ends the exchange when the user has read the response.
 * @this {import('./client-response').ClientResponse}
 */
function onResponseEnd() {
  this.req[kStamps].onEnd();
  // After `endUnread` the socket may be another request's.
  if (!this.req._ended) endExchange(this.req, this);
}

/**
 * Ends the exchange of a request that the user has called off when both messages were whole, if the user does not read
 * the response to its end at once. Node's client waits for that; a reader that has broken off never comes to it.
 * @param {import('../request/client-request').ClientRequest} req
 */
function endUnread(req) {
  const { res } = req;
  if (!res.readableEnded) {
    setImmediate(onStillUnread, req);
  } else if (req._ended && !req._closed && req.shouldKeepAlive && res.socket !== null && !req.socket.destroyed) {
    // Called off by a listener of 'finish', behind a response that had ended before: ours finds the request destroyed.
    keepAlive(req);
  }
}

/** Ends the exchange of a request that was called off a turn ago, and the response if its reader has broken off. */
function onStillUnread(req) {
  if (!req._ended && !req._closed) endExchange(req, req.res);
  closeIfUnread(req);
}

/**
 * Closes the whole response of a request that was called off with its connection, if the user does not read it to its
 * end at once. Node leaves it open where a listener of 'readable' keeps it from flowing.
 * @param {import('../request/client-request').ClientRequest} req
 */
function closeUnread(req) {
  setImmediate(closeIfUnread, req);
}

/** Closes a response that nobody reads. An async iterator goes on until it calls abort() of the request. */
function closeIfUnread({ aborted, res }) {
  if (!res.readableEnded && (res[kIterated] ? aborted : res.listenerCount('readable') > 0)) res.destroy();
}

/**
 * Gives the socket back, or closes it.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {import('./client-response').ClientResponse} res
 */
function endExchange(req, res) {
  const { socket } = req;
  if (kDetachAbortSignal) res[kDetachAbortSignal]();
  if (socket) {
    if (req.timeoutCb) socket.removeListener('timeout', req.timeoutCb);
    ignoreTimeout(socket);
  }
  req._ended = true;
  if (req._closed) return;
  if (!req.shouldKeepAlive) {
    giveReason(socket, closedBy.NOT_PERSISTENT);
    if (socket.writable) {
      if (typeof socket.destroySoon === 'function') socket.destroySoon();
      else socket.end();
    }
  } else if (req.writableFinished && !res.aborted) {
    // A destroyed socket keeps its listeners: an error that is on its way is the request's.
    if (socket.destroyed) giveBack(req);
    else keepAlive(req);
  }
}

/**
 * Gives the socket back after a response that was there before the request was out.
 * @this {import('../request/client-request').ClientRequest}
 */
function onRequestFinish() {
  if (this.shouldKeepAlive && this._ended && !this.destroyed && !this.socket.destroyed) keepAlive(this);
}

/**
 * Lets the response that a request has, or its end, no longer end the exchange: the request gets another connection.
 * @param {import('../request/client-request').ClientRequest} req
 */
function forgetExchange(req) {
  req.removeListener('finish', onRequestFinish);
  req.res?.removeListener('end', onResponseEnd);
}

/** Gives a socket back for another request. */
function keepAlive(req) {
  const { socket } = req;
  if (req.timeoutCb) {
    socket.setTimeout(0, req.timeoutCb);
    req.timeoutCb = null;
  }
  becomeIdle(socket, req.agent);
  giveBack(req);
  // The response must not destroy what is no longer its own.
  if (req.res) req.res.socket = null;
}

/** Closes a request, and frees its socket, a tick later. */
function giveBack(req) {
  // Deferred: listeners of 'end' that come after ours must still find the socket in use.
  nextTick(free, req);
  req.destroyed = true;
}

/** Closes the request, and frees its socket, also if a listener of 'close' throws. */
function free(req) {
  const { socket } = req;
  if (debug && socket) debug.onFree(socket);
  // Not by inTurn(), which takes two functions made for each request.
  let threw = true;
  try {
    closeRequest(req);
    threw = false;
  } finally {
    if (threw) setImmediate(freeSocket, socket);
  }
  freeSocket(socket);
}

/** Tells the agent that the socket is free. */
function freeSocket(socket) {
  if (socket?.[kRetired]) socket.destroy();
  else socket?.emit('free');
}

module.exports = { closeUnread, endUnread, forgetExchange, listenForEnd, noteEndFirst, onRequestFinish, retire };
