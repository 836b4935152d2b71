'use strict';

/**
 * NativeSocket: the net.Socket of one Rust connection.
 *
 * While HTTP is spoken, reading and writing go through its NativeHandle. After an upgrade or a CONNECT it gets a
 * handle of libuv on the same descriptor and is then a net.Socket like any other, which `tls.connect({ socket })`,
 * `child.send()` and everything else can use.
 */

const net = require('node:net');

const { kReinitializeHandle } = require('./node-internals');
const { NativeHandle } = require('./native-handle');

const reinitializeHandle = net.Socket.prototype[kReinitializeHandle];

class NativeSocket extends net.Socket {
  /** @param {import('node:net').SocketConstructorOpts} options */
  constructor(options) {
    super({ ...options, handle: new NativeHandle(), manualStart: true });
    this._handle.socket = this;
    this.lastAcknowledged = 0;
  }

  /** Whether the I/O thread has the connection. */
  get isNative() {
    return this._handle instanceof NativeHandle;
  }

  /** Net's way to another handle, between two attempts of Happy Eyeballs: ours gets one of its own kind. */
  [kReinitializeHandle](handle) {
    if (this.isNative && this.connecting) {
      handle.close();
      const replacement = new NativeHandle();
      replacement.socket = this;
      this._handle.handOver(replacement);
      return reinitializeHandle.call(this, replacement);
    }
    return reinitializeHandle.call(this, handle);
  }

  /**
   * Goes on as a socket of libuv.
   * @param {number} descriptor
   */
  becomeLibuv(descriptor) {
    const { bytesRead, bytesWritten } = this._handle;
    const carrier = new net.Socket({ fd: descriptor, manualStart: true, readable: true, writable: true });
    const handle = carrier._handle;
    carrier._handle = null;
    // Counters of a libuv handle start at 0; those of the socket go on.
    offsetCounter(handle, 'bytesRead', bytesRead);
    offsetCounter(handle, 'bytesWritten', bytesWritten);
    const unreferenced = !this._handle.hasRef();
    reinitializeHandle.call(this, handle);
    handle.reading = false;
    if (unreferenced) handle.unref();
  }

  pause() {
    if (!this.isNative) return super.pause();
    this._handle.pauseReading();
    return this;
  }

  resume() {
    if (!this.isNative) return super.resume();
    this._handle.resumeReading();
    return this;
  }

  resetAndDestroy() {
    if (!this.isNative) return super.resetAndDestroy();
    if (this.connecting) this.once('connect', () => this._reset());
    else this._reset();
    return this;
  }

  /** Net's writing end. Bytes go to the staging buffer instead of a libuv request. */
  _writeGeneric(writev, data, encoding, callback) {
    // While it connects, net's own waits for that and comes back.
    if (this.connecting || !this.isNative) return super._writeGeneric(writev, data, encoding, callback);
    this._pendingData = null;
    this._pendingEncoding = '';
    this._unrefTimer();
    const handle = this._handle;
    if (!writev) return handle.write(data, encoding, callback);
    const last = data.length - 1;
    for (let i = 0; i <= last; i++) {
      const { chunk, encoding: chunkEncoding } = data[i];
      handle.write(chunk, chunkEncoding, i === last ? callback : undefined);
    }
    return undefined;
  }

  /** As net's: a write that makes progress is activity. */
  _onTimeout() {
    const handle = this._handle;
    if (this.isNative && handle.pendingWrites.length > 0 && handle.acknowledged !== this.lastAcknowledged) {
      this.lastAcknowledged = handle.acknowledged;
      this._unrefTimer();
      return;
    }
    super._onTimeout();
  }
}

/** Adds a constant to a counter of a handle. */
function offsetCounter(handle, name, offset) {
  if (offset === 0) return;
  const prototype = Object.getPrototypeOf(handle);
  Object.defineProperty(handle, name, {
    configurable: true,
    enumerable: true,
    get() {
      return Reflect.get(prototype, name, handle) + offset;
    },
  });
}

module.exports = { NativeSocket };
