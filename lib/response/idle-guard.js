'use strict';

/**
 * Watches idle sockets that JavaScript reads from, as the I/O thread watches its own: what comes on one that serves no
 * request is nobody's answer, and must not be taken for the next one's (response-queue poisoning, CWE-444). Node's own
 * agent does so since 22.
 *
 * A stream that has served a request of one of our agents keeps its listeners, which then do the watching.
 */

const { listenerCount } = require('node:events').prototype;

/** Own property of an agent: streams that come back to it keep their listeners. */
const kKeepsListeners = Symbol('keepsListeners');

/** Own property of a stream that keeps its listeners: whether it serves no request of ours. */
const kRests = Symbol('rests');

/** Destroys a socket on which something came unasked. */
function onIdleData() {
  this.destroy();
}

/** Nobody else listens: an error ends the socket, and is no one's. */
function onIdleError() {
  this.destroy();
  this.emit('agentRemove');
}

/** @param {import('node:stream').Duplex} socket A socket that goes to the pool. */
function watch(socket) {
  if (socket.isNative || socket[kRests]) return;
  socket.on('data', onIdleData);
  socket.on('error', onIdleError);
}

/** @param {import('node:stream').Duplex} socket A socket that comes from the pool. */
function unwatch(socket) {
  if (socket.isNative || socket[kRests]) return;
  socket.removeListener('data', onIdleData);
  socket.removeListener('error', onIdleError);
}

/**
 * Adds a listener that may be there already. Asked anew for each request, because users remove listeners, and Node's
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

/** Notes that an exchange is over; see `rest` in response-events.js. */
function enter(socket) {
  socket[kRests] = true;
}

/**
 * Notes that a request has come to nothing.
 * @returns {boolean} Whether the socket keeps its listeners.
 */
function reenter(socket) {
  if (socket[kRests] === undefined) return false;
  socket[kRests] = true;
  return true;
}

/** Notes that a request is going to have the socket. */
function leave(socket) {
  if (socket[kRests]) socket[kRests] = false;
}

/**
 * @param {import('node:stream').Duplex} socket
 * @returns {import('../request/client-request').ClientRequest|null|undefined} The request whose exchange is under way.
 *   In `_httpMessage` is the last one for a while longer, or one of Node's own client, which has listeners of its own.
 */
function requestOf(socket) {
  return socket[kRests] ? null : socket._httpMessage;
}

module.exports = { enter, kKeepsListeners, leave, listen, reenter, requestOf, unwatch, watch };
