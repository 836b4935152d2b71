'use strict';

/**
 * Watches idle sockets that JavaScript reads from, as the I/O thread watches its own: what comes on one that serves no
 * request is nobody's answer, and must not be taken for the next one's (response-queue poisoning, CWE-444). Node's own
 * agent does so since 22.
 */

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
  if (socket.isNative) return;
  socket.on('data', onIdleData);
  socket.on('error', onIdleError);
}

/** @param {import('node:stream').Duplex} socket A socket that comes from the pool. */
function unwatch(socket) {
  if (socket.isNative) return;
  socket.removeListener('data', onIdleData);
  socket.removeListener('error', onIdleError);
}

module.exports = { unwatch, watch };
