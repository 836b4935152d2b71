'use strict';

/**
 * NativeTlsSocket: the tls.TLSSocket of one Rust connection.
 *
 * Node makes each as a TLSSocket that is about to connect, and it becomes a NativeTlsSocket then. After an upgrade or a
 * CONNECT it has Node's own handle again, on the same connection in the same TLS.
 */

const net = require('node:net');
const tls = require('node:tls');

const { kReinitializeHandle } = require('../node/internals');
const { addProperties } = require('../node/socket-properties');
const { setImmediate } = require('../node/timing');
const { certificateOf } = require('./known-certificates');
const { NativeDuplex, continueCounters, continueShutdown, replaceHandle } = require('./native-duplex');
const { TlsHandle } = require('./tls-handle');

const { [kReinitializeHandle]: reinitializeHandle } = net.Socket.prototype;
const { [kReinitializeHandle]: continueNatively } = NativeDuplex.prototype;

class NativeTlsSocket extends tls.TLSSocket {
  /** @returns {boolean} False: only before it connects can the I/O thread have it. */
  canBecomeNative() {
    return false;
  }

  /**
   * Gives Node's check of the identity the certificate of the server without those of its chain, of which it reads
   * nothing. The one of before will do if it has the same bytes.
   * @override
   */
  getPeerCertificate(detailed) {
    if (!detailed || !this.isNative || !this._handle.takeIdentityCheck()) return super.getPeerCertificate(detailed);
    const { _handle: { peerAddress, tls }, servername } = this;
    return certificateOf(servername || String(peerAddress), (der) => tls.hasPeerCertificate(der),
      () => super.getPeerCertificate(false));
  }

  /** Goes on with the next address. */
  [kReinitializeHandle](handle) {
    if (!this.isNative) {
      super[kReinitializeHandle](handle);
      return;
    }
    continueNatively.call(this, handle);
    this.ssl = this._handle;
  }

  /**
   * Goes on as Node's own, which reads on like any other.
   * @param {number} descriptor
   */
  becomeLibuv(descriptor) {
    const { _handle: native } = this;
    const { bytesRead, bytesWritten, endsWriting, shutdownRequest } = native;
    const held = native.takeHeld();
    native.shutdownRequest = null;
    const unreferenced = !native.hasRef();
    const { handle, rest } = native.giveBack(descriptor);
    continueCounters(handle, bytesRead, bytesWritten);
    replaceHandle(this, handle);
    this.ssl = handle;
    handle.reading = false;
    if (unreferenced) handle.unref();
    if (rest.length > 0) this.push(rest);
    setImmediate(readOn, this, handle);
    if (held !== null) this._writeGeneric(held.isVector, held.data, held.encoding, held.callback);
    if (!this.destroyed) continueShutdown(handle, endsWriting, shutdownRequest);
    this.read(0);
  }
}

for (const name of Reflect.ownKeys(NativeDuplex.prototype)) {
  // A TLSSocket inherits from net.Socket what these call there.
  if (Object.hasOwn(NativeTlsSocket.prototype, name)) continue;
  Object.defineProperty(NativeTlsSocket.prototype, name, Object.getOwnPropertyDescriptor(NativeDuplex.prototype, name));
}

/** Users, util.inspect() and stacks see the class of Node. */
Object.defineProperty(NativeTlsSocket.prototype, 'constructor', { value: tls.TLSSocket });

/**
 * Makes Node's handle read on, or shake hands. Its `SSL` may have more, or the end of the stream: that must not come
 * before a listener of 'upgrade' has had a turn to add its own.
 * @param {NativeTlsSocket} socket
 * @param {object} handle
 */
function readOn(socket, handle) {
  if (socket._handle === handle) handle.start();
}

/**
 * Tells whether the I/O thread may have the connection of a socket that Node has just made: it does not connect yet,
 * and nobody has read or written on it.
 * @param {tls.TLSSocket} socket
 * @returns {boolean}
 */
function canTakeOver(socket) {
  if (Object.getPrototypeOf(socket) !== tls.TLSSocket.prototype) return false;
  const { _handle: handle, _readableState: { flowing, length } } = socket;
  return !socket.destroyed && socket.connecting && Boolean(handle?._parent) && !handle._parentWrap &&
    handle._parent.fd < 0 && typeof handle._parent.open === 'function' && flowing === null && length === 0 &&
    socket.writableLength === 0 && socket.writable &&
    ['data', 'readable', 'keylog'].every((name) => socket.listenerCount(name) === 0);
}

/**
 * Gives the connection of a socket, for which `canTakeOver` holds, to the I/O thread.
 * @param {tls.TLSSocket} socket
 * @param {InstanceType<import('../../binding').TlsConnection>} connection Its TLS.
 * @param {boolean} isIdentityForNode Node's own function checks the identity of the server.
 */
function takeOver(socket, connection, isIdentityForNode) {
  const { _handle: ofNode } = socket;
  const handle = new TlsHandle(connection, ofNode, isIdentityForNode);
  handle.socket = socket;
  if (socket.listenerCount('session') > 0) connection.tellSessions();
  addProperties(socket);
  Object.setPrototypeOf(socket, NativeTlsSocket.prototype);
  // Else net would close it.
  socket._handle = null;
  reinitializeHandle.call(socket, handle);
  socket.ssl = handle;
}

module.exports = { canTakeOver, takeOver };
