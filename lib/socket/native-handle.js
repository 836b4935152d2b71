'use strict';

/**
 * One Rust connection in the shape that net.Socket expects of its `_handle`.
 *
 * Node's own net.Socket does the rest: names, Happy Eyeballs, timeouts, half-close, events and errors are thereby its
 * own on every version. What a handle adds to libuv's is the decoder: while a request is assigned, events of the
 * response come instead of bytes.
 */

const { AsyncResource } = require('node:async_hooks');
const { isIPv4, isIPv6 } = require('node:net');
const { constants: { errno: { EBADF, EINVAL } } } = require('node:os');
const { setImmediate } = require('node:timers');

const { bindSocket, bridge, closeDescriptor, staging } = require('../bridge/bridge');
const { onConnectFailed } = require('./connect-failure');
const counters = require('../bridge/counters');
const { createError, parseError, systemError } = require('../node/errors');
const { finishClose, onShutdown, shutdownSoon } = require('./handle-close');
const { copyToOwnMemory } = require('../bridge/own-memory');
const { command, event, isRead } = require('../bridge/records');
const { isOfStream, runBacklog } = require('./read-backlog');
const responseEvents = require('../response/response-events');
const { ASK_AFTER, SMALLEST, writeWindow } = require('./write-window');

/** Since Node 22 an idle socket that the peer closes or resets is closed without 'end' or 'error'. */
const CLOSES_IDLE_AT_ONCE = Number.parseInt(process.versions.node, 10) >= 22;

/** Stands for the lists of a handle that has none of its own yet: most never need one. Nothing is ever put into it. */
const NONE = [];

/** What `request` was called with last, shared by all handles: most requests of a process are alike. */
let lastNumbers = [-1, -1, -1];

/** @returns {readonly number[]} */
function numbersOf(flags, maxHeaderSize, llhttp) {
  if (lastNumbers[0] !== flags || lastNumbers[1] !== maxHeaderSize || lastNumbers[2] !== llhttp) {
    lastNumbers = [flags, maxHeaderSize, llhttp];
  }
  return lastNumbers;
}

class NativeHandle {
  constructor() {
    /** @type {import('./native-socket').NativeSocket|null} */
    this.socket = null;
    this.id = this.fd = -1;
    this.bytesRead = 0;
    this.bytesWritten = 0;
    /** Part of libuv's interface: net.Socket looks whether it has to start reading. The I/O thread always reads. */
    this.reading = true;
    this.resource = new AsyncResource('TCPWRAP');
    /** The last dispatch turn in which this connection had a read. */
    this.lastTurn = -1;
    this.active = false;
    this.connected = false;
    this.referenced = true;
    this.closed = false;
    this.localAddress = '';
    this.localPort = 0;
    this.connectRequest = this.shutdownRequest = null;
    /** Writes whose callbacks wait for the kernel: total at which they are done, callback. */
    this.pendingWrites = NONE;
    this.acknowledged = 0;
    this.lastRequested = 0;
    /** A request has been assigned and its response is not complete. */
    this.armed = false;
    this.requestNumbers = null;
    /** The connection cannot carry another request: the peer has closed it or sent bytes out of turn. */
    this.retired = false;
    this.paused = false;
    /**
     * What was read before the I/O thread knew of a pause: libuv would not have read it yet, so it waits here.
     * @type {{ opcode: number, flags: number, bytes: Buffer }[]}
     */
    this.backlog = NONE;
    /** The records of the current read go to the backlog. */
    this.withholding = false;
    /** Set while records of one read are dispatched. */
    this.dispatching = false;
    /** Closed, and what comes from now on comes from later reads: nobody wants it. */
    this.silenced = false;
    /** The descriptor is asked for, so that libuv can have it. */
    this.releasing = false;
    /** The stream's end completes a close-delimited body. */
    this.completesAtEnd = false;
    this.boundDescriptor = -1;
  }

  /** Takes an id on first use: a socket that never connects costs the I/O thread nothing. */
  get connection() {
    if (this.id === -1) this.id = bridge.attach(this);
    return this.id;
  }

  // --- What net.Socket calls ---

  /** @returns {number} 0 or a negative error number. */
  bind(address, port) {
    return isIPv4(address) ? this.bindTo(address, port) : -EINVAL;
  }

  bind6(address, port) {
    return isIPv6(address) ? this.bindTo(address, port) : -EINVAL;
  }

  bindTo(address, port) {
    // What is too large for a port is cut, and net.Socket notices by getsockname().
    this.localPort = port & 0xffff;
    const descriptor = bindSocket(address, this.localPort);
    if (descriptor < 0) return descriptor;
    this.boundDescriptor = descriptor;
    this.localAddress = address;
    return 0;
  }

  /**
   * @param {object} request `oncomplete(status, handle, request, readable, writable)` is called once.
   * @param {string} address Numeric address, or a path where there is no port.
   * @param {number} [port]
   */
  connect(request, address, port) {
    this.connectRequest = request;
    if (port === undefined) staging.sendConnectUnix(this.connection, address);
    else staging.sendConnect(this.connection, address, port, this.boundDescriptor);
    this.boundDescriptor = -1;
    this.active = true;
    if (this.referenced) bridge.hold(1);
    return 0;
  }

  readStart() {
    this.reading = true;
    return 0;
  }

  readStop() {
    this.reading = false;
    return 0;
  }

  shutdown(request) {
    this.shutdownRequest = request;
    if (this.connected && !this.releasing && this.acknowledged === this.bytesWritten) shutdownSoon(this);
    else staging.send(command.SHUTDOWN, this.connection, command.ACKNOWLEDGE);
    return 0;
  }

  /** @param {() => void} [callback] */
  close(callback) {
    this.end(0, callback);
  }

  /** Closes by a TCP reset. */
  reset(callback) {
    this.end(command.RESET, callback);
    return 0;
  }

  end(flags, callback) {
    if (this.closed) return;
    this.closed = true;
    // As with a parser of libuv's bytes, what has been read already is decoded to its end.
    this.silenced = !this.dispatching;
    if (this.boundDescriptor >= 0) closeDescriptor(this.boundDescriptor);
    this.boundDescriptor = -1;
    if (this.id !== -1) staging.send(command.CLOSE, this.id, flags);
    // The peer of a request that is called off hears of it before anything else happens, as from libuv.
    if (this.armed) staging.ringDoorbell();
    this.armed = false;
    if (this.active && this.referenced) bridge.hold(-1);
    this.active = false;
    // As libuv: in the next phase of the event loop, and not before what was under way has been called off.
    setImmediate(finishClose, this, callback);
  }

  ref() {
    if (this.referenced) return;
    this.referenced = true;
    if (this.active) bridge.hold(1);
  }

  unref() {
    if (!this.referenced) return;
    this.referenced = false;
    if (this.active) bridge.hold(-1);
  }

  hasRef() { return this.referenced; }

  setNoDelay(enable) {
    staging.send(command.NO_DELAY, this.connection, enable ? command.ENABLE : 0);
    return this.applyNow();
  }

  setKeepAlive(enable, delay, interval, count) {
    const flags = enable ? command.ENABLE : 0;
    staging.sendNumbers(command.KEEP_ALIVE, this.connection, flags, delay | 0, interval | 0, count | 0);
    return this.applyNow();
  }

  setTypeOfService(value) {
    this.typeOfService = value;
    staging.sendNumbers(command.TYPE_OF_SERVICE, this.connection, 0, value);
    return this.applyNow();
  }

  /** What a user sets on a connected socket is there for whoever looks next, also if that blocks the event loop. */
  applyNow() {
    if (this.connected) staging.ringDoorbell();
    return 0;
  }

  getTypeOfService() {
    return this.typeOfService ?? 0;
  }

  getsockname(out) {
    // Known while it connects: some take that for the sign that the name has been looked up.
    if (this.localAddress === '' && this.connectRequest?.port !== undefined) this.askLocalAddress();
    if (this.localAddress === '') return -EBADF;
    out.address = this.localAddress;
    out.family = this.localAddress.includes(':') ? 'IPv6' : 'IPv4';
    out.port = this.localPort;
    return 0;
  }

  /** Asks the I/O thread where a connection that is being made comes from. */
  askLocalAddress() {
    const local = bridge.localAddress(this.id);
    if (local) Object.assign(this, { localAddress: local.address, localPort: local.port });
  }

  getpeername(out) {
    if (this.peerAddress === undefined) return 0;
    out.address = this.peerAddress;
    out.family = this.peerAddress.includes(':') ? 'IPv6' : 'IPv4';
    out.port = this.peerPort;
    return 0;
  }

  getAsyncId() {
    return this.resource.asyncId();
  }

  getProviderType() { return 0; }

  /** A pooled connection serves another request: its events belong to that one's async context from now on. */
  asyncReset() {
    this.resource.emitDestroy();
    this.resource = new AsyncResource('TCPWRAP');
  }

  /** Bytes not yet known to be the kernel's. */
  get writeQueueSize() {
    return this.bytesWritten - this.acknowledged;
  }

  // --- What NativeSocket calls ---

  /**
   * Arms the decoder for the response to a request that is about to be written.
   * @param {number} flags `METHOD_*` and `LENIENT_*`.
   * @param {number} maxHeaderSize
   * @param {number} llhttp
   */
  request(flags, maxHeaderSize, llhttp) {
    this.armed = true;
    this.requestNumbers = numbersOf(flags, maxHeaderSize, llhttp);
    this.completesAtEnd = false;
    // Whatever the peer did while the connection was idle, the I/O thread replaces it underneath.
    this.retired = false;
    this.resumeReading();
    staging.sendRequest(this.connection, flags, maxHeaderSize, llhttp);
  }

  /** Another handle tries the next address instead of this one. */
  handOver(next) {
    next.referenced = this.referenced;
    // Not by `armed`: this one may be closed already.
    if (this.requestNumbers === null) return;
    next.request(...this.requestNumbers);
    // It is the same one.
    counters.requests--;
  }

  /**
   * Sends bytes. The callback runs at once while the kernel keeps up, as after a write that libuv could finish
   * synchronously.
   * @param {string|Uint8Array} data
   * @param {string} encoding
   * @param {((error?: Error|null) => void)|undefined} callback Undefined where more of the same write follows.
   */
  write(data, encoding, callback) {
    const unknown = this.bytesWritten - this.lastRequested;
    const window = writeWindow(this.acknowledged);
    const ask = callback !== undefined && unknown + data.length > ASK_AFTER;
    this.bytesWritten += staging.sendWrite(this.connection, data, encoding, ask);
    if (ask) this.lastRequested = this.bytesWritten;
    if (callback === undefined) return;
    const ahead = this.bytesWritten - this.acknowledged;
    if (ask && ahead > window) {
      // Not until the kernel has all: it would have nothing left to take until more is written.
      if (this.pendingWrites === NONE) this.pendingWrites = [];
      this.pendingWrites.push(this.bytesWritten - window, callback);
    } else if (ahead > SMALLEST) {
      // Until then the Writable is full, also for the line end behind a chunk, whose write() answers for it.
      process.nextTick(callback);
    } else {
      callback();
    }
  }

  /**
   * @param {number} more Bytes about to be written.
   * @returns {boolean} Whether so much is under way that a write's callback may have to wait.
   */
  isBehind(more) {
    return this.bytesWritten - this.acknowledged + more > SMALLEST;
  }

  pauseReading() {
    if (this.paused || this.closed) return;
    this.paused = true;
    if (this.id !== -1) staging.send(command.PAUSE, this.id);
  }

  resumeReading() {
    if (!this.paused || this.closed) return;
    this.paused = false;
    staging.send(command.RESUME, this.connection);
    // In a turn of its own, as a read that libuv would do only now.
    if (this.backlog.length > 0) setImmediate(runBacklog, this);
  }

  takePendingWrites() {
    const pending = this.pendingWrites;
    this.pendingWrites = NONE;
    return pending;
  }

  /** Asks for the descriptor, so that the socket can go on as one of libuv; comes as a RELEASED record. */
  release() {
    if (this.releasing || this.closed) return;
    this.releasing = true;
    staging.send(command.RELEASE, this.connection);
  }

  // --- What the bridge calls ---

  /**
   * Takes one event record; the layout is in src/bridge/records.rs.
   * @param {number} opcode
   * @param {number} flags
   * @param {Buffer} slab
   * @param {Int32Array} words The same memory.
   * @param {number} start
   * @param {number} end
   */
  onRecord(opcode, flags, slab, words, start, end) {
    if (opcode === event.CLOSED) return bridge.detach(this.id);
    if (isRead(opcode, flags)) {
      // As with libuv, a reader that has paused hears of the end all the same, unless bytes wait before it.
      this.withholding = this.backlog.length > 0 || (this.paused && opcode === event.READ);
      if (this.closed) this.silenced = true;
    }
    if (this.silenced) return undefined;
    if (this.withholding && isOfStream(opcode)) {
      if (this.backlog === NONE) this.backlog = [];
      // A piece of a large body has memory of its own already.
      this.backlog.push({ opcode, flags, bytes: opcode === event.BODY ? slab : copyToOwnMemory(slab, start, end) });
      return undefined;
    }
    return this.dispatch(opcode, flags, slab, words, start, end);
  }

  dispatch(opcode, flags, slab, words, start, end) {
    const { socket } = this;
    switch (opcode) {
      case event.READ:
        return this.onRead(words[start >> 2], words[(start >> 2) + 1]);
      case event.HEAD:
        return responseEvents.onHead(socket, flags, slab, words, start, end);
      case event.DATA:
        return responseEvents.onData(socket, slab, start, end);
      case event.BODY:
        return responseEvents.onBody(socket, slab);
      case event.END:
        this.armed = false;
        return responseEvents.onEnd(socket, slab, start, end);
      case event.INFORMATION:
        return responseEvents.onInformation(socket, flags, slab, words, start, end);
      case event.CONNECTED:
        return this.onConnected(flags, words[start >> 2], words[(start >> 2) + 1], slab.latin1Slice(start + 8, end));
      case event.CONNECT_FAILED:
        return onConnectFailed(this, flags, words[start >> 2]);
      case event.PARSE_ERROR:
        return responseEvents.onParseError(socket, parseError(slab, words, start, end));
      case event.WRITTEN:
        return this.onWritten(slab.readDoubleLE(start));
      case event.WRITE_ERROR:
        return this.onWriteError(systemError(words[start >> 2], 'write'));
      case event.SHUTDOWN_DONE:
        return onShutdown(this, words[start >> 2]);
      case event.RELEASED:
        return this.onReleased(slab.readDoubleLE(start), Buffer.from(slab.subarray(start + 8, end)));
      case event.EOF:
      case event.READ_ERROR:
        return this.onStreamEnd(opcode, flags, opcode === event.EOF ? 0 : words[start >> 2]);
      case event.FAILED:
        return this.onFailed();
      default:
        throw new Error(`unknown event ${opcode}`);
    }
  }

  onRead(length, written) {
    this.bytesRead += length;
    // Its lower half; late, if the read has waited in the backlog.
    this.acknowledged += Math.max((written - this.acknowledged) | 0, 0);
    this.socket._unrefTimer();
  }

  onConnected(flags, descriptor, port, address) {
    this.fd = descriptor;
    this.localPort = port;
    this.localAddress = address;
    if (flags & event.AGAIN) {
      this.socket._sockname = null;
      return;
    }
    const request = this.connectRequest;
    this.connectRequest = null;
    if (request === null) return;
    this[request.port === undefined ? 'peerPath' : 'peerAddress'] = request.address;
    this.peerPort = request.port;
    request.oncomplete(0, this, request, true, true);
    // Only now: what net sets on every new connection need not hurry.
    this.connected = true;
  }

  onWritten(total) {
    this.acknowledged = total;
    this.socket._unrefTimer();
    const pending = this.pendingWrites;
    if (pending.length === 0) return;
    let done = 0;
    while (done < pending.length && pending[done] <= total) done += 2;
    for (const callback of pending.splice(0, done)) {
      if (typeof callback === 'function') callback(null);
    }
  }

  onWriteError(error) {
    const pending = this.takePendingWrites();
    if (pending.length === 0) return this.socket.destroy(error);
    for (const callback of pending) {
      if (typeof callback === 'function') callback(error);
    }
    return undefined;
  }

  /** The descriptor can be had, for a socket of libuv: what follows is no longer HTTP. */
  onReleased(written, rest) {
    // Called off in the meantime, as a second response that is an upgrade; the id may soon be another connection's.
    if (this.closed) return;
    if (written < this.bytesWritten) {
      // More was written in the meantime. The I/O thread still has its own descriptor and sends it first.
      this.releasedBytes = rest.length > 0 ? rest : this.releasedBytes;
      staging.send(command.RELEASE, this.connection);
      return;
    }
    const head = this.releasedBytes ?? rest;
    this.socket.becomeLibuv(bridge.takeDescriptor(this.id));
    if (this.releasing) this.socket.goOn(head);
    else responseEvents.onUpgrade(this.socket, head);
  }

  onStreamEnd(opcode, flags, errno) {
    if (flags & event.IDLE) {
      // With a request assigned in the meantime, the I/O thread replaces the connection underneath.
      if (this.armed) return undefined;
      this.retired = true;
      if (flags & event.UNSOLICITED) return responseEvents.onUnsolicited(this.socket);
      const { _httpMessage: next } = this.socket;
      // Out of the pool already, for a request that gets it when due ticks have run.
      if (next?.socket === null && this.requestNumbers !== null) return undefined;
      if (CLOSES_IDLE_AT_ONCE && !next && this.requestNumbers !== null) return this.socket.destroy();
    }
    this.armed = false;
    const { socket } = this;
    if (opcode === event.READ_ERROR) return socket.destroy(systemError(errno, 'read'));
    this.completesAtEnd = (flags & event.COMPLETES) !== 0;
    socket.push(null);
    return socket.read(0);
  }

  onFailed() {
    if (this.closed) return;
    const error = createError(Error, 'ERR_FERREQUEST_IO_THREAD', 'The I/O thread of ferrequest has failed');
    this.socket.destroy(error);
  }
}

NativeHandle.prototype.connect6 = NativeHandle.prototype.connect;

module.exports = { NativeHandle };
