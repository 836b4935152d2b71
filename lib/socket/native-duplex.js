'use strict';

/**
 * NativeDuplex: what a net.Socket and a tls.TLSSocket of one Rust connection have in common. While HTTP is spoken,
 * reading and writing go through a NativeHandle.
 */

const { kHandle, kReinitializeHandle, ShutdownRequest } = require('../node/internals');
const { OutgoingMessage, Socket } = require('../node/originals');
const { socketProperty } = require('../node/socket-properties');
const { nextTick } = require('../node/timing');
const { NativeHandle } = require('./native-handle');
const { isReading, onLateTimeout } = require('../response/socket-events');

const { [kReinitializeHandle]: reinitializeHandle } = Socket.prototype;

/**
 * Property of a socket: the number of its corks that its request has set. They hold nothing back, because the staging
 * buffer does what they are for.
 */
const kRequestCorks = socketProperty('requestCorks', 0);

/** A socket whose connection the I/O thread has, or has had. Classes of it add how that comes about. */
class NativeDuplex extends Socket {
  /** True while the I/O thread has the connection. */
  get isNative() {
    return this._handle instanceof NativeHandle;
  }

  /** Replaces the handle, as net does between two attempts of Happy Eyeballs: ours gets one of its own kind. */
  [kReinitializeHandle](handle) {
    if (this.isNative && this.connecting) {
      handle.close();
      const successor = this._handle.successor();
      this._handle.handOver(successor);
      return reinitializeHandle.call(this, successor);
    }
    return super[kReinitializeHandle](handle);
  }

  /**
   * Goes on after `becomeLibuv` for a user who wants the bytes themselves.
   * @param {Buffer} head Bytes that have been read and not decoded.
   */
  goOn(head) {
    const req = this._httpMessage;
    if (req instanceof OutgoingMessage && req.adoptStream) req.adoptStream(this);
    if (head.length > 0) this.push(head);
  }

  /**
   * Adds a listener. For one that wants bytes, which the I/O thread does not give, libuv has to read. Once the response
   * has begun it is too late for that, and the listener gets what follows the response.
   */
  on(name, listener) {
    if ((name === 'data' || name === 'readable') && this.isNative) this._handle.release();
    return super.on(name, listener);
  }

  /**
   * Counts listeners, and the reader of a response, which with libuv would be one: node-fetch and others tell a body
   * that was cut from a whole one by it.
   */
  listenerCount(name, listener) {
    const count = super.listenerCount(name, listener);
    return name === 'data' && isReading(this) ? count + 1 : count;
  }

  /** Adds a listener; see `on`. */
  addListener(name, listener) {
    return this.on(name, listener);
  }

  /** Adds a listener before the others; see `on`. As with net's, one of 'readable' changes nothing else. */
  prependListener(name, listener) {
    if (name === 'data' && this.isNative) this._handle.release();
    return super.prependListener(name, listener);
  }

  /** Pauses the reader: the I/O thread stops reading. */
  pause() {
    if (!this.isNative) return super.pause();
    this._handle.pauseReading();
    return this._handle.releasing ? super.pause() : this;
  }

  /** Lets the reader go on, and the I/O thread with it. */
  resume() {
    if (!this.isNative) return super.resume();
    this._handle.resumeReading();
    return this._handle.releasing ? super.resume() : this;
  }

  /** Holds writes back, as net's. A cork of the socket's request, which asks for few packets, does not. */
  cork() {
    if (this._httpMessage?.isWithinWrite) this[kRequestCorks]++;
    super.cork();
  }

  /** Undoes one cork. Nothing tells for which cork the call is: while there are both kinds, the request's end first. */
  uncork() {
    super.uncork();
    if (this[kRequestCorks] === 0) return;
    // The end of a request undoes all corks, and says so by the counter of the Writable alone.
    if (this.writableCorked === 0) this[kRequestCorks] = 0;
    else this[kRequestCorks]--;
  }

  /**
   * Writes a chunk. If nothing waits before it, the chunk goes to the staging buffer at once. The buffer joins writes
   * as a cork does, and the caller may change or transfer its bytes when this returns.
   */
  write(chunk, encoding, callback) {
    if (!canWriteDirectly(this, chunk)) return super.write(chunk, encoding, callback);
    if (this._handle.writes.isBehind(chunk.length)) {
      // The Writable waits for the kernel, but need not wait for the end of the tick to hand the bytes over.
      const corks = this.writableCorked;
      for (let i = 0; i < corks; i++) super.uncork();
      const below = super.write(chunk, encoding, callback);
      for (let i = 0; i < corks; i++) super.cork();
      return below;
    }
    if (typeof encoding === 'function') {
      callback = encoding;
      encoding = undefined;
    }
    this._unrefTimer();
    this._handle.write(chunk, encoding || 'utf8', noop);
    if (typeof callback === 'function') nextTick(callback, null);
    return true;
  }

  /**
   * Writes what a request has kept back until it had a socket, as one call of `write` for each would.
   * @param {import('./write-window').Write[]} writes
   * @returns {boolean} False where `write` has to be called: nothing has been done then.
   */
  writeKept(writes) {
    // A user who has put something into the place of `write` wants to see each.
    if (this.write !== NativeDuplex.prototype.write || !canWriteDirectly(this, '')) return false;
    if (!this._handle.writeKept(writes)) return false;
    this._unrefTimer();
    for (const { callback } of writes) {
      if (typeof callback === 'function') nextTick(callback, null);
    }
    return true;
  }

  /** Writes what net's Writable gives: the bytes go to the staging buffer instead of a libuv request. */
  _writeGeneric(writev, data, encoding, callback) {
    // While it connects, net's own waits for that and comes back.
    if (this.connecting || !this.isNative) return super._writeGeneric(writev, data, encoding, callback);
    if (this._handle.holdsBack(writev, data, encoding, callback)) return undefined;
    this._pendingData = null;
    this._pendingEncoding = '';
    this._unrefTimer();
    const handle = this._handle;
    if (!writev) return handle.write(data, encoding, callback);
    // The answer is about bytes: an empty write, such as the end of a request, may be handed over later than those.
    let last = data.length - 1;
    while (last > 0 && data[last].chunk.length === 0) last--;
    for (let i = 0; i <= last; i++) {
      const { chunk, encoding: chunkEncoding } = data[i];
      handle.write(chunk, chunkEncoding, i === last ? callback : undefined);
    }
    return undefined;
  }

  /** Tells of a timeout. As with net's, a write that makes progress is activity. */
  _onTimeout() {
    if (this.isNative && this._handle.writes.hasProgressed()) {
      this._unrefTimer();
      return;
    }
    super._onTimeout();
    if (this.isNative) onLateTimeout(this);
  }
}

/**
 * Gives the handle of a socket as net's own `_handle` does. That serves sockets of all kinds, and V8 looks the property
 * up for each; a request asks a dozen times. On a Node that keeps the handle elsewhere, its own stays.
 */
if (kHandle !== undefined) {
  Object.defineProperty(NativeDuplex.prototype, '_handle', {
    __proto__: null,
    get() {
      return this[kHandle];
    },
    set(handle) {
      this[kHandle] = handle;
    },
  });
}

// No constructor makes a socket of TLS.
NativeDuplex.prototype[kRequestCorks] = 0;

/**
 * Goes on with another handle on the same connection.
 * @param {NativeSocket} socket
 * @param {object} handle
 */
function replaceHandle(socket, handle) {
  const { ending, ended, finalCalled, prefinished, finished } = socket._writableState;
  reinitializeHandle.call(socket, handle);
  // Which makes the socket as new. What it has ended, or is about to, stays so.
  Object.assign(socket._writableState, { ending, ended, finalCalled, prefinished, finished });
}

/**
 * Continues the counters of a socket on a handle of Node's, whose own start at 0.
 * @param {object} handle
 * @param {number} bytesRead Bytes that the handle before it had read.
 * @param {number} bytesWritten Bytes that the handle before it had written.
 */
function continueCounters(handle, bytesRead, bytesWritten) {
  offsetCounter(handle, 'bytesRead', bytesRead);
  offsetCounter(handle, 'bytesWritten', bytesWritten);
}

/**
 * Adds a constant to a counter of a handle.
 * @param {object} handle
 * @param {string} name
 * @param {number} offset
 */
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

/** Does nothing. */
function noop() {}

/**
 * Tells whether a chunk may pass the Writable by.
 * @param {NativeSocket} socket
 * @param {unknown} chunk
 * @returns {boolean}
 */
function canWriteDirectly(socket, chunk) {
  const { _httpMessage: req, _writableState: state } = socket;
  return socket.isNative && !socket.connecting && !socket.secureConnecting && socket.writable && state.length === 0 &&
    !socket._handle.leavesWrites && !state.errored && state.corked <= socket[kRequestCorks] &&
    (typeof chunk === 'string' || chunk instanceof Uint8Array) &&
    !req?.isCorkedByUser;
}

/**
 * Ends the writing side of the handle that comes after one of ours, if that has been asked for it. The I/O thread may
 * have done it already: no harm. It may also have released the descriptor before it heard of it, and then it does not.
 * @param {object} handle
 * @param {boolean} endsWriting The handle before has been asked for it.
 * @param {object|null} request Of net.Socket, which waits for it; null if net.Socket has been told that it is done.
 */
function continueShutdown(handle, endsWriting, request) {
  if (!endsWriting) return;
  const shutdown = request ?? Object.assign(new ShutdownRequest(), { oncomplete: noop });
  shutdown.handle = handle;
  const error = handle.shutdown(shutdown);
  // Net looks at no error, but waits for the answer.
  if (error !== 0) shutdown.oncomplete(error);
}

module.exports = { NativeDuplex, continueCounters, continueShutdown, replaceHandle };
