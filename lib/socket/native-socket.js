'use strict';

/**
 * NativeSocket: the net.Socket of one Rust connection.
 *
 * While HTTP is spoken, reading and writing go through its NativeHandle. A socket that a user has asked an agent for
 * has a handle of libuv until a request gets it. After an upgrade or a CONNECT it has one again, on the same
 * descriptor. With a handle of libuv it is a net.Socket like any other, which `tls.connect({ socket })`, `child.send()`
 * and everything else can use.
 */

const net = require('node:net');

const { kRacing } = require('../addresses/race-marks');
const { bridge } = require('../bridge/bridge');
const { isCalledBy } = require('../node/callers');
const { socketInUse } = require('../node/errors');
const { kReinitializeHandle } = require('../node/internals');
const { addProperties } = require('../node/socket-properties');
const { NativeHandle } = require('./native-handle');
const { NativeDuplex, continueCounters, continueShutdown, replaceHandle } = require('./native-duplex');

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

class NativeSocket extends NativeDuplex {
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
    addProperties(this);
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
    if (!this.canBecomeNative() || this[kRacing] !== undefined || !bridge.tryStart()) return false;
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

  /**
   * Goes on as a socket of libuv, which reads on like any other: the end of the peer is noticed without a reader, and
   * the process stays alive for it.
   * @param {number} descriptor
   */
  becomeLibuv(descriptor) {
    const { bytesRead, bytesWritten, endsWriting, shutdownRequest } = this._handle;
    const held = this._handle.takeHeld();
    this._handle.shutdownRequest = null;
    const carrier = new net.Socket({ fd: descriptor, manualStart: true, readable: true, writable: true });
    const handle = carrier._handle;
    carrier._handle = null;
    continueCounters(handle, bytesRead, bytesWritten);
    const unreferenced = !this._handle.hasRef();
    replaceHandle(this, handle);
    handle.reading = false;
    if (unreferenced) handle.unref();
    if (held !== null) this._writeGeneric(held.isVector, held.data, held.encoding, held.callback);
    if (!this.destroyed) continueShutdown(handle, endsWriting, shutdownRequest);
    // Starts libuv's reading.
    this.read(0);
  }

  /** Closes the connection by a TCP reset, as net's, which knows only handles of libuv. */
  resetAndDestroy() {
    if (!this.isNative) return super.resetAndDestroy();
    if (this.connecting) this.once('connect', () => this._reset());
    else this._reset();
    return this;
  }

}

/** Users, util.inspect() and stacks see the class of Node. */
Object.defineProperty(NativeSocket.prototype, 'constructor', { value: net.Socket });

/**
 * Gives an idle connection to libuv at once.
 * @param {NativeSocket} socket
 */
function giveToLibuv(socket) {
  const descriptor = socket._handle.releaseNow();
  if (descriptor < 0) throw socketInUse('to another process');
  socket.becomeLibuv(descriptor);
}

module.exports = { NativeSocket };
