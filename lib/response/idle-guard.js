'use strict';

/**
 * Watches idle streams, as the I/O thread watches its own connections and Node's own agent does since 22. Bytes that
 * come on an idle stream must not be taken for the next response (response-queue poisoning, CWE-444).
 *
 * A stream that keeps the listeners of socket-events.js needs no others.
 */

const { isIdle } = require('./socket-events');

/** Destroys a socket on which bytes came unasked. */
function onIdleData() {
  this.destroy();
}

/** Ends a socket at an error, which is no request's. */
function onIdleError() {
  this.destroy();
  this.emit('agentRemove');
}

/**
 * Watches a socket that goes to the pool.
 * @param {import('node:stream').Duplex} socket
 */
function watch(socket) {
  if (socket.isNative || isIdle(socket)) return;
  socket.on('data', onIdleData);
  socket.on('error', onIdleError);
}

/**
 * Undoes `watch` for a socket that comes from the pool.
 * @param {import('node:stream').Duplex} socket
 */
function unwatch(socket) {
  if (socket.isNative || isIdle(socket)) return;
  socket.removeListener('data', onIdleData);
  socket.removeListener('error', onIdleError);
}

module.exports = { unwatch, watch };
