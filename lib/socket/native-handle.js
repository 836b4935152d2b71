'use strict';

/**
 * NativeHandle: one Rust connection in the shape that net.Socket expects of its `_handle`.
 *
 * Node's own net.Socket does the rest: names, Happy Eyeballs, timeouts, half-close, events and errors are thereby its
 * own on every version. A handle adds the decoder to those of libuv: while a request is assigned, events of the
 * response come instead of bytes.
 */

const { AsyncResource } = require('node:async_hooks');
const { isIPv4, isIPv6 } = require('node:net');
const {
  constants: { errno: { EBADF, ECANCELED, ECONNREFUSED, ECONNRESET, EINVAL, EMFILE, ENFILE, ENOTCONN } },
} = require('node:os');

const { bridge, peerAddress, staging } = require('../bridge/bridge');
const counters = require('../bridge/counters');
const { command, event, isRead } = require('../bridge/records');
const { watchesIdleSockets } = require('../node/behaviour');
const { isCalledBy } = require('../node/callers');
const { closedBy, giveReason, onReplaced } = require('../node/connection-channels');
const { addLocalSide, connectError, panicError, parseError, socketInUse, systemError } = require('../node/errors');
const { ShutdownRequest } = require('../node/internals');
const { copyToOwnMemory } = require('../node/own-memory');
const { accessDenied, isNetworkDenied } = require('../node/permission');
const { setImmediate } = require('../node/timing');
const { stampsOf } = require('../phases/connecting');
const { inTurn } = require('../response/request-end');
const responseEvents = require('../response/response-events');
const knownRoutes = require('./known-routes');
const { ReadBacklog } = require('./read-backlog');
const { ShutdownQueue } = require('./shutdown-queue');
const { exchange, life } = require('./stages');
const { WriteWindow } = require('./write-window');

/** Modules of Node, by version, that take the handle of a socket for a TLSSocket. */
const TLS = ['node:_tls_wrap', 'node:internal/tls/wrap'];

const shutdowns = new ShutdownQueue();

/** Arguments of the last call of `request`, shared by all handles: most requests of a process are alike. */
let lastSettings = [-1, -1, -1];

/**
 * Returns the arguments of a call of `request` as a list that handles may share.
 * @param {number} flags
 * @param {number} maxHeaderSize
 * @param {number} llhttp
 * @returns {readonly number[]}
 */
function settingsOf(flags, maxHeaderSize, llhttp) {
  if (lastSettings[0] !== flags || lastSettings[1] !== maxHeaderSize || lastSettings[2] !== llhttp) {
    lastSettings = [flags, maxHeaderSize, llhttp];
  }
  return lastSettings;
}

/** Async context of a connection. Tools that list open handles ask it, as a handle of libuv, for `hasRef()`. */
class ConnectionResource extends AsyncResource {
  /** @param {NativeHandle} handle */
  constructor(handle) {
    super('TCPWRAP');
    this.handle = handle;
  }

  /** @returns {boolean} True while the connection keeps the process alive. */
  hasRef() {
    return this.handle.referenced && this.handle.isActive();
  }
}

/**
 * Derived from a class of Node's, so that its native code cannot take a handle of ours for one of libuv; see
 * `ShutdownRequest`.
 */
class NativeHandle extends ShutdownRequest {
  constructor() {
    super();
    /** @type {import('./native-socket').NativeSocket|null} */
    this.socket = null;
    /** Connection id; -1 while the I/O thread has no connection for this handle. */
    this.id = -1;
    this.fd = -1;
    this.resource = new ConnectionResource(this);
    /** Turn of the draining in which this connection last had a read. */
    this.lastTurn = -1;
    /** Each thread works long for what is read: the connection is a new one with TLS. */
    this.isCostly = false;
    /** Records of one read are being dispatched. */
    this.dispatching = false;
    this.life = life.NEW;
    this.exchange = exchange.NONE;
    /**
     * Settings of the decoder for the last request; null if there has been none.
     * @type {readonly number[]|null}
     */
    this.settings = null;
    this.bytesRead = 0;
    /** Bytes that had been read before the last request. */
    this.bytesBefore = 0;
    this.writes = new WriteWindow();
    /** @type {ReadBacklog|null} Null until the reader pauses for the first time: most never do. */
    this.backlog = null;
    /** Part of libuv's interface: net.Socket looks whether it has to start reading. The I/O thread always reads. */
    this.reading = true;
    /** The open connection keeps the process alive. */
    this.referenced = true;
    /** The handle is counted among those that keep the process alive. */
    this.holds = false;
    /** Requests of net.Socket that are under way. */
    this.connectRequest = null;
    this.shutdownRequest = null;
    /** net.Socket has ended the writing side; the I/O thread does it, or has done it. */
    this.endsWriting = false;
    /** Descriptor of a socket that has been bound, and waits for `connect`; -1 if there is none. */
    this.boundDescriptor = -1;
    this.localAddress = '';
    this.localPort = 0;
    /** Numeric address that was connected to, or the path of a Unix domain socket: then there is no port. */
    this.peerAddress = undefined;
    this.peerPort = undefined;
    this.typeOfService = 0;
    /** JavaScript has asked for the descriptor, so that libuv can have it. */
    this.releasing = false;
    /** Writes wait for libuv: the I/O thread would give the descriptor only after them, and read nothing until then. */
    this.leavesWrites = false;
    /**
     * A write of net.Socket that waits: for libuv, or until the peer of TLS is verified.
     * @type {{ isVector: boolean, data: unknown, encoding: string, callback: Function }|null}
     */
    this.held = null;
    /** @type {Buffer|null} Bytes behind HTTP that came with a descriptor which could not be used yet. */
    this.undecoded = null;
  }

  /** @returns {number} Connection id, taken on first use: a socket that never connects costs the I/O thread nothing. */
  get connection() {
    if (this.id === -1) this.id = bridge.attach(this);
    return this.id;
  }

  // --- Transitions: nothing else assigns `life` or `exchange`; the graphs are in stages.js ---

  /** The handle connects. */
  startConnecting() {
    this.life = life.CONNECTING;
  }

  /** The connection has been made, and net.Socket has been told. */
  finishConnecting() {
    // net.Socket may have closed it while it was told of the connection.
    if (this.life === life.CONNECTING) this.life = life.OPEN;
  }

  /** The handle closes, and an exchange on it is called off. */
  startClosing() {
    // As with a parser of libuv's bytes, what has been read already is decoded to its end.
    this.life = this.dispatching ? life.CLOSING : life.CLOSED;
    if (this.exchange === exchange.AWAITED) this.exchange = exchange.OVER;
  }

  /** The handle is closed, and the read that was being dispatched is over. */
  finishClosing() {
    this.life = life.CLOSED;
  }

  /** A request is assigned. */
  startExchange() {
    // Whatever the peer did while the connection was idle, the I/O thread replaces it underneath.
    this.exchange = exchange.AWAITED;
    this.bytesBefore = this.bytesRead;
  }

  /** The response is whole. */
  finishExchange() {
    if (this.exchange === exchange.AWAITED) this.exchange = exchange.OVER;
  }

  /**
   * The stream has ended.
   * @param {number} flags Of the EOF or the READ_ERROR.
   */
  endExchange(flags) {
    if (flags & event.IDLE) this.exchange = exchange.RETIRED;
    else if (flags & event.COMPLETES) this.exchange = exchange.ENDED;
    else if (this.exchange !== exchange.RETIRED) this.exchange = exchange.OVER;
  }

  /** @returns {boolean} True while the connection is being made or open. */
  isActive() {
    return this.life === life.CONNECTING || this.life === life.OPEN;
  }

  /** @returns {boolean} True after `close` or `reset`. */
  isClosed() {
    return this.life >= life.CLOSING;
  }

  // --- What net.Socket calls ---

  /**
   * Binds the local side to an IPv4 address.
   * @param {string} address
   * @param {number} port
   * @returns {number} 0 or a negative error number.
   */
  bind(address, port) {
    return isIPv4(address) ? this.bindTo(address, port) : -EINVAL;
  }

  /**
   * Binds the local side to an IPv6 address.
   * @param {string} address
   * @param {number} port
   * @returns {number} 0 or a negative error number.
   */
  bind6(address, port) {
    return isIPv6(address) ? this.bindTo(address, port) : -EINVAL;
  }

  /**
   * Binds the local side.
   * @param {string} address
   * @param {number} port
   * @returns {number} 0 or a negative error number.
   */
  bindTo(address, port) {
    // What is too large for a port is cut, and net.Socket notices by getsockname().
    this.localPort = port & 0xffff;
    const descriptor = bridge.bindSocket(address, this.localPort);
    if (descriptor < 0) return descriptor;
    this.boundDescriptor = descriptor;
    this.localAddress = address;
    return 0;
  }

  /**
   * Starts connecting.
   * @param {object} request `oncomplete(status, handle, request, readable, writable)` is called once.
   * @param {string} address Numeric address, or a path where there is no port.
   * @param {number} [port]
   * @returns {number|Error} 0, a negative error number, or the error of a process that has lost its permission.
   */
  connect(request, address, port) {
    if (isNetworkDenied()) return accessDenied(address);
    // The kernel would take the part before the NUL for the path. At the beginning it stands for an abstract name.
    if (port === undefined && address.indexOf('\0', 1) !== -1 && address[0] !== '\0') return -EINVAL;
    if (port === undefined) {
      staging.sendConnectUnix(this.connection, address);
    } else {
      const error = this.connectTcp(address, port);
      if (error !== 0) return error;
    }
    this.connectRequest = request;
    this.startConnecting();
    this.settleLiveness();
    // Net has looked the name up, if there was one.
    stampsOf(this.socket)?.onLookup();
    return 0;
  }

  /**
   * Starts connecting by TCP. The kernel may refuse the address of another machine at once, and net tells of that in
   * the same turn.
   * @param {string} address
   * @param {number} port
   * @returns {number} 0 or a negative error number.
   */
  connectTcp(address, port) {
    const descriptor = this.boundDescriptor === -1 ? knownRoutes.connectIfUnknown(address, port) : null;
    if (descriptor >= 0 && descriptor !== null) {
      staging.sendConnect(this.connection, address, port, descriptor, command.STARTED);
      return 0;
    }
    // libuv reports a refused connection as if it came from the network.
    if (descriptor !== null && descriptor !== -ECONNREFUSED) {
      if (!saysNoSocket(-descriptor)) this.localAddress = address.includes(':') ? '::' : '0.0.0.0';
      return descriptor;
    }
    staging.sendConnect(this.connection, address, port, this.boundDescriptor, 0);
    this.boundDescriptor = -1;
    return 0;
  }

  /** @returns {number} 0. */
  readStart() {
    this.reading = true;
    return 0;
  }

  /** @returns {number} 0. */
  readStop() {
    this.reading = false;
    return 0;
  }

  /**
   * Ends the writing side behind what has been written.
   * @param {object} request `oncomplete(status)` is called once.
   * @returns {number} 0.
   */
  shutdown(request) {
    this.endsWriting = true;
    this.shutdownRequest = request;
    if (this.life === life.OPEN && !this.releasing && this.writes.ahead() === 0) shutdowns.add(this);
    else staging.send(command.SHUTDOWN, this.connection, command.ACKNOWLEDGE);
    if (!this.referenced) this.settleLiveness();
    return 0;
  }

  /**
   * Closes the connection.
   * @param {() => void} [callback]
   */
  close(callback) {
    this.end(0, callback);
  }

  /**
   * Closes the connection by a TCP reset.
   * @param {() => void} [callback]
   * @returns {number} 0.
   */
  reset(callback) {
    this.end(command.RESET, callback);
    return 0;
  }

  /**
   * Closes the connection, once.
   * @param {number} flags Of the CLOSE command.
   * @param {(() => void)|undefined} callback
   */
  end(flags, callback) {
    if (this.isClosed()) return;
    const wasAwaited = this.exchange === exchange.AWAITED;
    this.startClosing();
    if (this.boundDescriptor >= 0) bridge.closeSocket(this.boundDescriptor);
    this.boundDescriptor = -1;
    if (this.id !== -1) staging.send(command.CLOSE, this.id, flags);
    // The peer of a request that is called off hears of it before anything else happens, as from libuv.
    if (wasAwaited) staging.ringDoorbell();
    this.settleLiveness();
    // As libuv: in the next phase of the event loop, and not before what was under way has been called off.
    setImmediate(finishClose, this, callback);
  }

  /** Makes the open connection keep the process alive. */
  ref() {
    if (this.referenced) return;
    this.referenced = true;
    this.settleLiveness();
  }

  /** Lets the process end although the connection is open, once nothing is under way on it. */
  unref() {
    if (!this.referenced) return;
    this.referenced = false;
    this.awaitKernel();
  }

  /** @returns {boolean} */
  hasRef() { return this.referenced; }

  /**
   * Sets TCP_NODELAY.
   * @param {boolean} enable
   * @returns {number} 0.
   */
  setNoDelay(enable) {
    staging.send(command.NO_DELAY, this.connection, enable ? command.ENABLE : 0);
    return this.applyNow();
  }

  /**
   * Sets SO_KEEPALIVE; 0 stands for the system's own value.
   * @param {boolean} enable
   * @param {number} [delay] Seconds.
   * @param {number} [interval] Seconds.
   * @param {number} [count]
   * @returns {number} 0.
   */
  setKeepAlive(enable, delay, interval, count) {
    const flags = enable ? command.ENABLE : 0;
    staging.sendNumbers(command.KEEP_ALIVE, this.connection, flags, delay | 0, interval | 0, count | 0);
    return this.applyNow();
  }

  /**
   * Sets the type of service.
   * @param {number} value
   * @returns {number} 0.
   */
  setTypeOfService(value) {
    this.typeOfService = value;
    staging.sendNumbers(command.TYPE_OF_SERVICE, this.connection, 0, value);
    return this.applyNow();
  }

  /**
   * Hands an option of an open connection over at once, so that the next look at the kernel's table shows it, also one
   * that blocks the event loop.
   * @returns {number} 0.
   */
  applyNow() {
    if (this.life === life.OPEN) staging.ringDoorbell();
    return 0;
  }

  /** @returns {number} */
  getTypeOfService() {
    return this.typeOfService;
  }

  /**
   * Tells the local side.
   * @param {{ address?: string, family?: string, port?: number }} out
   * @returns {number} 0 or a negative error number.
   */
  getsockname(out) {
    // Known while it connects: some take that for the sign that the name has been looked up.
    if (this.localAddress === '' && this.connectRequest?.port !== undefined) this.askLocalAddress();
    if (this.localAddress === '') return -EBADF;
    out.address = this.localAddress;
    out.family = this.localAddress.includes(':') ? 'IPv6' : 'IPv4';
    out.port = this.localPort;
    return 0;
  }

  /** Asks the I/O thread for the local end of a connection that is being made. */
  askLocalAddress() {
    const local = bridge.localAddress(this.id);
    if (!local) return;
    this.localAddress = local.address;
    this.localPort = local.port;
  }

  /**
   * Tells the side of the peer, as the kernel knows it: asked for `0.0.0.0`, it connects to another address.
   * @param {{ address?: string, family?: string, port?: number }} out
   * @returns {number} 0 or a negative error number.
   */
  getpeername(out) {
    if (this.peerPort === undefined) return 0;
    // A connection that is being replaced has no descriptor; then what was asked for has to do.
    const { address, port } = peerAddress(this.fd, this.localPort) ??
      { address: this.peerAddress, port: this.peerPort };
    if (address === '') return -ENOTCONN;
    out.address = address;
    out.family = address.includes(':') ? 'IPv6' : 'IPv4';
    out.port = port;
    return 0;
  }

  /** @returns {number} */
  getAsyncId() {
    return this.resource.asyncId();
  }

  /** @returns {number} */
  getProviderType() { return 0; }

  /** Gives the events of a pooled connection the async context of another request. */
  asyncReset() {
    this.resource.emitDestroy();
    this.resource = new ConnectionResource(this);
  }

  /** @returns {number} Bytes that JavaScript has written. */
  get bytesWritten() {
    return this.writes.written;
  }

  /** @returns {number} Bytes that the kernel is not known to have taken. */
  get writeQueueSize() {
    return this.writes.ahead();
  }

  /**
   * Makes an unreferenced handle keep the process alive until the kernel has what was written, as a write does in
   * libuv. A referenced one keeps it alive anyway, and need not know.
   */
  awaitKernel() {
    if (this.life === life.OPEN) this.writes.askForRest(this.id);
    this.settleLiveness();
  }

  /** Counts the handle among those that keep the process alive, or no longer. */
  settleLiveness() {
    const holds = this.isActive() && (this.referenced || this.isBusy());
    if (holds === this.holds) return;
    this.holds = holds;
    bridge.hold(holds ? 1 : -1);
  }

  /** @returns {boolean} True while a connect, a write or a shutdown is under way, which in libuv holds the loop. */
  isBusy() {
    return this.life === life.CONNECTING || this.shutdownRequest !== null || this.writes.ahead() > 0;
  }

  // --- What NativeSocket and ClientRequest call ---

  /**
   * Takes over a connection that libuv has made.
   * @param {object} libuv Handle of libuv, which the caller closes.
   * @param {string} path Path of a Unix domain socket, or ''.
   * @returns {boolean} False if that cannot be done.
   */
  adopt(libuv, path) {
    const peer = { address: path, port: undefined };
    const local = { address: '', port: 0 };
    // Fails on a connection that the peer has reset; libuv will tell of that.
    if (path === '' && (libuv.getpeername(peer) !== 0 || libuv.getsockname(local) !== 0)) return false;
    const descriptor = bridge.duplicateDescriptor(libuv.fd);
    if (descriptor < 0) return false;
    this.fd = descriptor;
    this.localAddress = local.address;
    this.localPort = local.port;
    this.peerAddress = peer.address;
    this.peerPort = peer.port;
    this.typeOfService = libuv.getTypeOfService?.() ?? 0;
    staging.sendAdopt(this.connection, descriptor, peer.address, peer.port);
    this.startConnecting();
    this.finishConnecting();
    this.settleLiveness();
    return true;
  }

  /**
   * Arms the decoder for the response to a request that is about to be written.
   * @param {number} flags `METHOD_*` and `LENIENT_*`.
   * @param {number} maxHeaderSize
   * @param {number} llhttp
   */
  request(flags, maxHeaderSize, llhttp) {
    this.startExchange();
    if (this.settings !== null) {
      counters.connectionsReused++;
      if (!this.socket.secureConnecting) this.isCostly = false;
    }
    this.settings = settingsOf(flags, maxHeaderSize, llhttp);
    this.resumeReading();
    // A process that may make no connection any more may go on using this one.
    if (isNetworkDenied()) staging.send(command.PIN, this.connection);
    staging.sendRequest(this.connection, flags, maxHeaderSize, llhttp);
  }

  /**
   * Gives the request to the handle that tries the next address instead of this one.
   * @param {NativeHandle} next
   */
  handOver(next) {
    next.referenced = this.referenced;
    // Not by `exchange`: this one may be closed already.
    if (this.settings === null) return;
    next.request(...this.settings);
    // It is the same one.
    counters.requests--;
  }

  /** @returns {NativeHandle} A handle for the next address of the same socket. */
  successor() {
    const next = new NativeHandle();
    next.socket = this.socket;
    return next;
  }

  /**
   * Keeps a write that has to wait, if there is reason to.
   * @param {boolean} isVector
   * @param {unknown} data
   * @param {string} encoding
   * @param {Function} callback
   * @returns {boolean} True if the write is kept.
   */
  holdsBack(isVector, data, encoding, callback) {
    if (!this.leavesWrites) return false;
    this.held = { isVector, data, encoding, callback };
    return true;
  }

  /** @returns {typeof this.held} The write that waits, which is the caller's from now on. */
  takeHeld() {
    const { held } = this;
    this.held = null;
    return held;
  }

  /** Makes the write that waits, if any. */
  writeHeld() {
    const held = this.takeHeld();
    if (held !== null) this.socket._writeGeneric(held.isVector, held.data, held.encoding, held.callback);
  }

  /**
   * Sends bytes; see `WriteWindow.write`.
   * @param {string|Uint8Array} data
   * @param {string} encoding
   * @param {((error?: Error|null) => void)|undefined} callback
   */
  write(data, encoding, callback) {
    this.writes.write(this.connection, data, encoding, callback);
    if (!this.referenced) this.awaitKernel();
  }

  /**
   * Sends what a request has kept back; see `WriteWindow.writeKept`.
   * @param {import('./write-window').Write[]} writes
   * @returns {boolean}
   */
  writeKept(writes) {
    const isSent = this.writes.writeKept(this.connection, writes);
    if (!this.referenced) this.awaitKernel();
    return isSent;
  }

  /** Stops reading: what has been read already and not dispatched waits. */
  pauseReading() {
    if (this.isClosed()) return;
    this.backlog ??= new ReadBacklog(this);
    if (!this.backlog.isPaused) this.backlog.pause();
  }

  /** Reads on. */
  resumeReading() {
    if (this.backlog === null || !this.backlog.isPaused || this.isClosed()) return;
    this.backlog.resume();
  }

  /**
   * Makes the I/O thread read nothing, or read on.
   * @param {number} opcode PAUSE or RESUME.
   */
  sendFlow(opcode) {
    // The id of a closed handle may be another's by then.
    if (this.id !== -1 && !this.isClosed()) staging.send(opcode, this.id);
  }

  /** Asks for the descriptor, which a RELEASED record brings, so that the socket can go on as one of libuv. */
  release() {
    if (this.releasing || this.isClosed()) return;
    this.releasing = true;
    // In a response the descriptor waits for its end, for which the peer may want the rest of the request.
    this.leavesWrites = !this.socket._httpMessage?.res;
    staging.send(command.RELEASE, this.connection);
  }

  /** Has the I/O thread write on: a response has begun before the descriptor could be had. */
  keepWrites() {
    this.leavesWrites = false;
    this.writeHeld();
  }

  /**
   * Takes the descriptor of an idle connection at once: the socket goes on as one of libuv.
   * @returns {number} The descriptor; -1 if the connection is not idle.
   */
  releaseNow() {
    const isIdle = this.life === life.OPEN && this.exchange !== exchange.AWAITED && !this.releasing;
    if (!isIdle) return -1;
    this.release();
    return bridge.takeReleased(this.id);
  }

  /**
   * Part of libuv's interface: native code can read and write by the handle. It cannot by ours; http and http2 go
   * through the socket then.
   * @returns {undefined}
   */
  get isStreamBase() {
    if (isCalledBy(TLS)) throw socketInUse('to a TLSSocket');
    return undefined;
  }

  /** @returns {boolean} True if the end of the stream has made the body of the response whole. */
  endsMessage() {
    return this.exchange === exchange.ENDED;
  }

  // --- What the bridge calls ---

  /**
   * Takes one event record; the layout is in src/records/layout.rs.
   * @param {number} opcode
   * @param {number} flags
   * @param {Buffer} slab
   * @param {Int32Array} words The same memory.
   * @param {number} start
   * @param {number} end
   */
  onRecord(opcode, flags, slab, words, start, end) {
    if (opcode === event.CLOSED) return bridge.detach(this.id);
    if (!this.takes(opcode, flags)) return undefined;
    if (this.backlog !== null && this.backlog.withholds(opcode)) {
      return this.backlog.keep(opcode, flags, slab, start, end);
    }
    return this.dispatch(opcode, flags, slab, words, start, end);
  }

  /**
   * Tells whether the handle takes a record. A closed one takes the rest of the read during which it was closed.
   * @param {number} opcode
   * @param {number} flags
   * @returns {boolean}
   */
  takes(opcode, flags) {
    if (this.life < life.CLOSING) return true;
    if (isRead(opcode, flags)) this.finishClosing();
    return this.life === life.CLOSING;
  }

  /**
   * Dispatches one event record, which need not wait for the reader; the parameters are those of `onRecord`.
   * @param {number} opcode
   * @param {number} flags
   * @param {Buffer} slab
   * @param {Int32Array} words
   * @param {number} start
   * @param {number} end
   */
  dispatch(opcode, flags, slab, words, start, end) {
    const { socket } = this;
    switch (opcode) {
      case event.READ:
        return this.onRead(words[start >> 2], words[(start >> 2) + 1]);
      case event.HEAD:
        if (this.leavesWrites) this.keepWrites();
        return responseEvents.onHead(socket, flags, slab, words, start, end);
      case event.DATA:
        // More of it leads to nothing of the kind.
        this.isCostly = false;
        return responseEvents.onData(socket, slab, start, end);
      case event.BODY:
        this.isCostly = false;
        return responseEvents.onBody(socket, slab);
      case event.END:
        this.finishExchange();
        return responseEvents.onEnd(socket, slab, start, end);
      case event.INFORMATION:
        return responseEvents.onInformation(socket, flags, slab, words, start, end);
      case event.CONNECTED:
        return this.onConnected(flags, words[start >> 2], words[(start >> 2) + 1], slab.latin1Slice(start + 8, end));
      case event.CONNECT_FAILED:
        return this.onConnectFailed(flags, words[start >> 2]);
      case event.PARSE_ERROR:
        return responseEvents.onParseError(
          socket, parseError(slab, words, start, end), this.bytesRead - this.bytesBefore);
      case event.WRITTEN:
        return this.onWritten(slab.readDoubleLE(start));
      case event.WRITE_ERROR:
        return this.onWriteError(systemError(words[start >> 2], 'write'));
      case event.SHUTDOWN_DONE:
        return this.onShutdown(words[start >> 2]);
      case event.RELEASED:
        return this.onReleased(flags, slab.readDoubleLE(start), copyToOwnMemory(slab, start + 8, end));
      case event.EOF:
        return this.onStreamEnd(opcode, flags, 0);
      case event.READ_ERROR:
        this.noteTaken(words[(start >> 2) + 1]);
        return this.onStreamEnd(opcode, flags, words[start >> 2]);
      case event.FAILED:
        return this.onFailed();
      default:
        return this.onTlsRecord(opcode, flags, slab, words, start, end);
    }
  }

  /**
   * Takes an event of TLS, which this connection has not.
   * @param {number} opcode
   */
  onTlsRecord(opcode) {
    throw new Error(`unknown event ${opcode}`);
  }

  /**
   * A read has brought bytes.
   * @param {number} length Bytes that were read.
   * @param {number} taken Bytes that the kernel had taken of what was written; the lower 32 bits.
   */
  onRead(length, taken) {
    this.bytesRead += length;
    this.socket._unrefTimer();
    this.noteTaken(taken);
  }

  /**
   * Notes how many bytes the kernel had taken when something was read. A write whose callback waits for them is over:
   * the answer to its own question may come behind this read, and behind the end of the connection.
   * @param {number} taken The lower 32 bits of the number.
   */
  noteTaken(taken) {
    const { writes } = this;
    const total = writes.totalTaken(taken);
    if (!writes.isAwaited() || total <= writes.acknowledged) {
      writes.acknowledged = total;
      return;
    }
    try {
      this.onWritten(total);
    } finally {
      // A user has closed it before anything of the read was decoded. libuv would not have read any more.
      if (this.isClosed()) this.finishClosing();
    }
  }

  /**
   * The connection has been made, or made anew underneath in place of a stale one.
   * @param {number} flags
   * @param {number} descriptor
   * @param {number} port Local one.
   * @param {string} address Local one.
   */
  onConnected(flags, descriptor, port, address) {
    this.fd = descriptor;
    this.localPort = port;
    this.localAddress = address;
    if (flags & event.AGAIN) {
      this.socket._sockname = null;
      // With TLS it is not usable yet.
      if (!this.socket.encrypted) onReplaced(this.socket);
      return;
    }
    const request = this.connectRequest;
    this.connectRequest = null;
    if (request === null) return;
    this.peerAddress = request.address;
    this.peerPort = request.port;
    stampsOf(this.socket)?.onConnect();
    try {
      request.oncomplete(0, this, request, true, true);
    } finally {
      // Only now: what net sets on every new connection need not hurry.
      this.finishConnecting();
      if (!this.referenced) this.awaitKernel();
    }
  }

  /**
   * Makes net.Socket tell of a connection that failed as if libuv had said so.
   * @param {number} flags
   * @param {number} errno The system's (positive) error number.
   */
  onConnectFailed(flags, errno) {
    const request = this.connectRequest;
    this.connectRequest = null;
    knownRoutes.forget(request === null ? this.peerAddress : request.address);
    if (request === null) {
      // A connection that was to replace a stale one.
      this.socket.destroy(connectError(errno, this.peerAddress, this.peerPort));
    } else if (flags & event.AT_ONCE) {
      this.refuseAtOnce(request, errno);
    } else {
      request.oncomplete(-errno, this, request, false, false);
    }
  }

  /**
   * Tells of an error that libuv reports from connect() itself: net.Socket describes it with the local side.
   * @param {object} request
   * @param {number} errno
   */
  refuseAtOnce(request, errno) {
    const { socket } = this;
    const unbound = request.addressType === 6 ? '::' : '0.0.0.0';
    // Net knows no local side of a socket that could not be made.
    const local = saysNoSocket(errno) ? 'undefined:undefined' : `${this.localAddress || unbound}:${this.localPort}`;
    if (request.oncomplete.name === 'afterConnect') {
      socket.destroy(connectError(errno, request.address, request.port, local));
      return;
    }
    // One of several attempts, whose error net.Socket makes and tells.
    const describe = (address, port, family, error) => addLocalSide(error, local);
    socket.prependListener('connectionAttemptFailed', describe);
    try {
      request.oncomplete(-errno, this, request, false, false);
    } finally {
      socket.removeListener('connectionAttemptFailed', describe);
    }
  }

  /**
   * The kernel has taken bytes.
   * @param {number} total Bytes that it has taken since the beginning.
   */
  onWritten(total) {
    this.socket._unrefTimer();
    stampsOf(this.socket)?.onWritten();
    this.writes.acknowledge(total);
    if (!this.referenced) this.awaitKernel();
  }

  /**
   * The kernel has refused bytes. Users may have been told that all is written. Where the response is whole too, and
   * the socket is to end, nothing else happens, as where the kernel has taken the bytes and drops them.
   * @param {Error} error
   */
  onWriteError(error) {
    const isWhole = this.exchange !== exchange.NONE && this.exchange !== exchange.AWAITED;
    if (this.writes.isAwaited()) this.writes.fail(error);
    else if (isWhole && this.shutdownRequest !== null) this.onShutdown(0);
    else this.socket.destroy(error);
  }

  /** Ends the writing side when the queue of shutdowns runs. A close in the meantime has called it off. */
  finishShutdown() {
    if (this.isClosed()) return;
    staging.send(command.SHUTDOWN, this.id);
    this.resource.runInAsyncScope(this.onShutdown, this, 0);
  }

  /**
   * The writing side has ended.
   * @param {number} errno The system's (positive) error number, or 0.
   */
  onShutdown(errno) {
    const request = this.shutdownRequest;
    this.shutdownRequest = null;
    if (!this.referenced) this.settleLiveness();
    request?.oncomplete(-errno);
  }

  /**
   * Takes the descriptor for a socket of libuv: what follows is no longer HTTP.
   * @param {number} errno The system's (positive) error number with which a write has failed, or 0.
   * @param {number} written Bytes that the I/O thread had sent when it released the descriptor.
   * @param {Buffer} undecoded Bytes that it had read and not decoded.
   */
  onReleased(errno, written, undecoded) {
    // Called off in the meantime, as a second response that is an upgrade; the id may soon be another connection's.
    if (this.isClosed()) return;
    if (written < this.writes.written && errno === 0) {
      // More was written in the meantime. The I/O thread still has its own descriptor and sends it first.
      if (undecoded.length > 0) this.undecoded = undecoded;
      staging.send(command.RELEASE, this.connection);
      return;
    }
    const head = this.undecoded ?? undecoded;
    if (errno !== 0) this.failLater(systemError(errno, 'write'), this.writes.takeWaiting());
    this.socket.becomeLibuv(bridge.takeDescriptor(this.id));
    if (this.releasing) this.socket.goOn(head);
    else responseEvents.onUpgrade(this.socket, head);
  }

  /**
   * Tells of a write that has failed behind an upgrade, when libuv has read once what the peer had sent before: as the
   * writes that it would have under way itself.
   * @param {Error} error
   * @param {Function[]} callbacks Of writes that wait for the kernel.
   */
  failLater(error, callbacks) {
    const { resource, socket } = this;
    const tell = () => {
      if (socket.destroyed) return;
      for (const callback of callbacks) callback(error);
      if (callbacks.length === 0) socket.destroy(error);
    };
    setImmediate(() => setImmediate(() => resource.runInAsyncScope(tell)));
  }

  /**
   * The peer has ended its stream, or reading has failed.
   * @param {number} opcode EOF or READ_ERROR.
   * @param {number} flags
   * @param {number} errno The system's (positive) error number, or 0.
   */
  onStreamEnd(opcode, flags, errno) {
    const isIdle = (flags & event.IDLE) !== 0;
    // With a request assigned in the meantime, the I/O thread replaces the connection underneath.
    if (isIdle && this.exchange === exchange.AWAITED) return undefined;
    this.endExchange(flags);
    const { socket } = this;
    if (isIdle) {
      if (flags & event.UNSOLICITED) {
        giveReason(socket, closedBy.UNSOLICITED);
        return responseEvents.onUnsolicited(socket);
      }
      const { _httpMessage: next } = socket;
      // Out of the pool already, for a request that gets it when due ticks have run.
      if (next?.socket === null && this.settings !== null) return undefined;
      giveReason(socket, closedBy.PEER);
      if (!next && this.settings !== null && watchesIdleSockets()) return socket.destroy();
    }
    if (opcode === event.READ_ERROR && !this.hasExchanged(errno)) {
      return this.fail(() => socket.destroy(systemError(errno, 'read')));
    }
    socket.push(null);
    return socket.read(0);
  }

  /**
   * Tells whether a failed read is no more than an end: the peer has reset the connection behind a whole exchange, as
   * one does that closes with bytes unread. libuv takes such a reset for an end if it comes with the response.
   * @param {number} errno The system's (positive) error number.
   * @returns {boolean}
   */
  hasExchanged(errno) {
    const { _httpMessage: req } = this.socket;
    return errno === ECONNRESET && Boolean(req?.res?.complete) && req.writableFinished && this.writes.ahead() === 0;
  }

  /**
   * Tells of an error in what the peer sends. As with libuv, a writing side that is to end does so before: a socket
   * that is done with closes then, and what its peer does behind a whole response is no error of the request.
   * @param {() => void} tell
   */
  fail(tell) {
    if (this.shutdownRequest !== null && this.writes.ahead() === 0) setImmediate(unlessClosed, this, tell);
    else tell();
  }

  /** Fails the connection, because the I/O thread, or its task of this connection, has panicked. */
  onFailed() {
    if (this.isClosed()) return;
    this.socket.destroy(panicError('I/O thread'));
  }

  /**
   * Calls off what is under way; then the handle is closed.
   * @param {(() => void)|undefined} callback
   */
  callOff(callback) {
    const { connectRequest, shutdownRequest } = this;
    const held = this.takeHeld();
    if (held !== null) {
      inTurn(() => held.callback(systemError(ECANCELED, 'write')), () => this.callOff(callback));
      return;
    }
    if (connectRequest === null && shutdownRequest === null && !this.writes.isAwaited()) {
      callback?.();
      return;
    }
    this.connectRequest = null;
    this.shutdownRequest = null;
    // Each calls back a user, who may throw; libuv calls them one by one.
    // Taken away where net.Socket has given up on an attempt.
    inTurn(() => connectRequest?.oncomplete?.(-ECANCELED, this, connectRequest, false, false), () => {
      inTurn(() => this.writes.fail(systemError(ECANCELED, 'write')), () => {
        inTurn(() => shutdownRequest?.oncomplete(-ECANCELED), () => callback?.());
      });
    });
  }
}

NativeHandle.prototype.connect6 = NativeHandle.prototype.connect;

/**
 * @param {number} errno The system's (positive) error number.
 * @returns {boolean} True if the process has no descriptor for a socket: connect(2) itself never fails so.
 */
function saysNoSocket(errno) {
  return errno === EMFILE || errno === ENFILE;
}

/**
 * Finishes a close, in the check phase after `end`.
 * @param {NativeHandle} handle
 * @param {(() => void)|undefined} callback
 */
function finishClose(handle, callback) {
  try {
    handle.resource.runInAsyncScope(handle.callOff, handle, callback);
  } finally {
    handle.resource.emitDestroy();
  }
}

/**
 * Calls a function unless a handle has been closed.
 * @param {NativeHandle} handle
 * @param {() => void} call
 */
function unlessClosed(handle, call) {
  if (!handle.isClosed()) call();
}

module.exports = { NativeHandle };
