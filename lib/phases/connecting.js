'use strict';

/**
 * Tells the stamps of a request how its socket connects. The handle of a NativeSocket calls them itself; other sockets
 * have to be listened to.
 */

const { Socket, address: addressOf } = require('../node/originals');

/** Own property of a request: its Stamps. */
const kStamps = Symbol('stamps');

/**
 * Finds the stamps of the request that a socket serves, or is about to serve.
 * @param {import('node:net').Socket} socket
 * @returns {import('./stamps').Stamps|undefined}
 */
function stampsOf(socket) {
  return socket._httpMessage?.[kStamps];
}

/** @this {import('node:net').Socket} */
function onLookup(error) {
  this.removeListener('lookup', onLookup);
  if (!error) stampsOf(this)?.onLookup();
}

/** @this {import('node:net').Socket} */
function onConnect() {
  this.removeListener('lookup', onLookup);
  this.removeListener('connect', onConnect);
  stampsOf(this)?.onConnect();
}

/** @this {import('node:net').Socket} */
function onSecureConnect() {
  this.removeListener('secureConnect', onSecureConnect);
  stampsOf(this)?.onSecureConnect();
}

/**
 * Listens to a stream that connects, or shakes hands.
 * @param {import('node:net').Socket} socket
 * @param {import('./stamps').Stamps} stamps Of its request.
 */
function watch(socket, stamps) {
  if (socket.connecting) {
    // A local address shows that there is nothing to look up, or that it has been done.
    if (localAddressOf(socket) === undefined) listen(socket, 'lookup', onLookup);
    else stamps.onLookup();
    listen(socket, 'connect', onConnect);
  }
  if (stamps.isTls) listen(socket, 'secureConnect', onSecureConnect);
}

/**
 * @returns {string|undefined} The local address; none of a stream that is no socket of net's: what its `address()` does
 *   is not known.
 */
function localAddressOf(socket) {
  if (!(socket instanceof Socket)) return undefined;
  const { _sockname: before } = socket;
  const address = addressOf.call(socket)?.address;
  // Node keeps what it has found, and an error of the connection would tell that there was nothing.
  if (address === undefined) socket._sockname = before;
  return address;
}

/** Adds a listener, unless an earlier request has done so. */
function listen(socket, name, listener) {
  if (!socket.listeners(name).includes(listener)) socket.on(name, listener);
}

module.exports = { kStamps, stampsOf, watch };
