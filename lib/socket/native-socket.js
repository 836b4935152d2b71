'use strict';

/**
 * NativeSocket: the net.Socket of one Rust connection.
 *
 * While HTTP is spoken, reading and writing go through its NativeHandle. A socket that a user has asked an agent for
 * has a handle of libuv until a request gets it. After an upgrade or a CONNECT it has one again, on the same
 * descriptor. With a handle of libuv it is a net.Socket like any other, which `tls.connect({ socket })`, `child.send()`
 * and everything else can use.
 */

const { OutgoingMessage } = require('node:http');
const net = require('node:net');

const { isCalledBy } = require('../node/callers');
const { socketInUse } = require('../node/errors');
const { kReinitializeHandle } = require('../node/internals');
const { nextTick } = require('../node/timing');
const { NativeHandle } = require('./native-handle');
const { isReading, onLateTimeout } = require('../response/socket-events');

const { setKeepAlive, setNoDelay, [kReinitializeHandle]: reinitializeHandle } = net.Socket.prototype;

/** Options that the constructors of net.Socket and of the streams below it look at, and few connections have. */
const RARE_OPTIONS = [
  'allowHalfOpen', 'blockList', 'captureRejections', 'construct', 'defaultEncoding', 'destroy', 'final',
  'highWaterMark', 'objectMode', 'pauseOnCreate', 'read', 'readable', 'readableHighWaterMark', 'readableObjectMode',
  'signal', 'typeOfService', 'writable', 'writableHighWaterMark', 'writableObjectMode', 'write', 'writev',
];

/**
 * Picks those options of a connection that its socket must be made with. Net copies what it is given, which is slow:
 * 8 µs in the V8 of Node 20, as much as the rest of a socket.
 * @param {import('node:net').SocketConstructorOpts} options
 * @returns {import('node:net').SocketConstructorOpts|undefined} Undefined if what most connections have can be set
 *   afterwards.
 */
function constructorOptions(options) {
  const { encoding, keepAliveInitialDelay } = options;
  let picked;
  for (const name of RARE_OPTIONS) {
    const value = options[name];
    if (value !== undefined) (picked ??= {})[name] = value;
  }
  // Agents say null.
  if (encoding) (picked ??= {}).encoding = encoding;
  // What is wrong with it is net's to say.
  if (keepAliveInitialDelay !== undefined && typeof keepAliveInitialDelay !== 'number') {
    (picked ??= {}).keepAliveInitialDelay = keepAliveInitialDelay;
  }
  return picked;
}

/**
 * Own property of a socket that libuv connects, or has connected, and that the I/O thread may take over: the options of
 * its connection.
 */
const kOptions = Symbol('options');

/** Own property of a socket: its `server`. */
const kServer = Symbol('server');

/** Module of Node that takes the handle of a socket which is sent to a child process, or to a parent. */
const CHILD_PROCESS = ['node:internal/child_process'];

class NativeSocket extends net.Socket {
  /**
   * @param {import('node:net').NetConnectOpts} options
   * @param {boolean} [isPlain] Has libuv make the connection, so that the socket is one like any other until
   *   `becomeNative`.
   */
  constructor(options, isPlain = false) {
    super(constructorOptions(options));
    const { noDelay, keepAlive, keepAliveInitialDelay } = options;
    // Without a handle they only note what is to be done when it is connected.
    if (noDelay) setNoDelay.call(this, true);
    if (keepAlive) setKeepAlive.call(this, true, Math.max(keepAliveInitialDelay ?? 0, 0));
    if (isPlain) {
      // Net makes a handle of libuv when the socket connects.
      this[kOptions] = options;
      return;
    }
    const handle = new NativeHandle();
    handle.socket = this;
    reinitializeHandle.call(this, handle);
  }

  /**
   * Null, unless a server has the socket. Node asks for it when the socket is sent to another process, and takes the
   * handle then, which has to be one of libuv.
   */
  get server() {
    if (this.isNative && isCalledBy(CHILD_PROCESS)) giveToLibuv(this);
    return this[kServer];
  }

  set server(server) {
    this[kServer] = server;
  }

  /** True while the I/O thread has the connection. */
  get isNative() {
    return this._handle instanceof NativeHandle;
  }

  /**
   * Tells whether the I/O thread may take the connection over from libuv: one that libuv is to make, or has made, and
   * of which nobody has read a byte. What has been written has not left the Writable.
   * @returns {boolean}
   */
  canBecomeNative() {
    if (this[kOptions] === undefined || this.destroyed || !this._handle) return false;
    const { encoding, ended, flowing, length } = this._readableState;
    return !ended && length === 0 && flowing === null && !encoding && this.bytesRead === 0 &&
      this._handle.bytesWritten === 0 && this.listenerCount('data') === 0 && this.listenerCount('readable') === 0;
  }

  /**
   * Gives the connection to the I/O thread, which makes it, or takes it over if libuv has made it. While libuv
   * connects, that cannot be done.
   * @returns {boolean} False if libuv keeps the connection: nothing has been done then.
   */
  becomeNative() {
    if (!this.canBecomeNative()) return false;
    const { _handle: libuv } = this;
    const { localAddress, localPort, path } = this[kOptions];
    const isBegun = libuv.fd >= 0;
    // A replacement of the connection would not be bound.
    if (isBegun && (this.connecting || localAddress || localPort)) return false;
    const handle = new NativeHandle();
    handle.socket = this;
    if (!libuv.hasRef()) handle.unref();
    if (isBegun && !handle.adopt(libuv, path || '')) return false;
    replaceHandle(this, handle);
    this[kOptions] = undefined;
    return true;
  }

  /** Connects, as net's, and can be used again like one. */
  connect(...arguments_) {
    if (this.destroyed) this[kOptions] = undefined;
    super.connect(...arguments_);
    // Undoes what net does to a socket whose `write` is not its own, lest it be a used one that has ended.
    this.write = NativeSocket.prototype.write;
    return this;
  }

  /** Replaces the handle, as net does between two attempts of Happy Eyeballs: ours gets one of its own kind. */
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
   * Goes on as a socket of libuv, which reads on like any other: the end of the peer is noticed without a reader, and
   * the process stays alive for it.
   * @param {number} descriptor
   */
  becomeLibuv(descriptor) {
    const { bytesRead, bytesWritten, shutdownRequest } = this._handle;
    this._handle.shutdownRequest = null;
    const carrier = new net.Socket({ fd: descriptor, manualStart: true, readable: true, writable: true });
    const handle = carrier._handle;
    carrier._handle = null;
    // Counters of a libuv handle start at 0; those of the socket go on.
    offsetCounter(handle, 'bytesRead', bytesRead);
    offsetCounter(handle, 'bytesWritten', bytesWritten);
    const unreferenced = !this._handle.hasRef();
    replaceHandle(this, handle);
    handle.reading = false;
    if (unreferenced) handle.unref();
    if (shutdownRequest) shutDown(handle, shutdownRequest);
    // Starts libuv's reading.
    this.read(0);
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

  /** Closes the connection by a TCP reset, as net's, which knows only handles of libuv. */
  resetAndDestroy() {
    if (!this.isNative) return super.resetAndDestroy();
    if (this.connecting) this.once('connect', () => this._reset());
    else this._reset();
    return this;
  }

  /**
   * Writes a chunk. Where nothing waits before it, it goes to the staging buffer at once: the buffer does what a cork
   * is for, and the caller may change or transfer its bytes when this returns.
   */
  write(chunk, encoding, callback) {
    if (!canWriteDirectly(this, chunk)) return super.write(chunk, encoding, callback);
    if (this._handle.writes.isBehind(chunk.length)) {
      // The Writable waits for the kernel, but need not wait for the end of the tick to hand the bytes over.
      const corks = this.writableCorked;
      for (let i = 0; i < corks; i++) this.uncork();
      const below = super.write(chunk, encoding, callback);
      for (let i = 0; i < corks; i++) this.cork();
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
    if (this.write !== NativeSocket.prototype.write || !canWriteDirectly(this, '')) return false;
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

/** Users, util.inspect() and stacks see the class of Node. */
Object.defineProperty(NativeSocket.prototype, 'constructor', { value: net.Socket });

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
 * Gives an idle connection to libuv at once.
 * @param {NativeSocket} socket
 */
function giveToLibuv(socket) {
  const descriptor = socket._handle.releaseNow();
  if (descriptor < 0) throw socketInUse('to another process');
  socket.becomeLibuv(descriptor);
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
  return socket.isNative && !socket.connecting && socket.writable && state.length === 0 && !state.errored &&
    (typeof chunk === 'string' || chunk instanceof Uint8Array) &&
    !req?.isCorkedByUser;
}

/**
 * Ends the writing side. The handle before this one had been asked for it, and may have done it: no harm.
 * @param {object} handle
 * @param {object} request Of net.Socket.
 */
function shutDown(handle, request) {
  request.handle = handle;
  const error = handle.shutdown(request);
  // Net looks at no error, but waits for the answer.
  if (error !== 0) request.oncomplete(error);
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

module.exports = { NativeSocket };
