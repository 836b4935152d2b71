'use strict';

/**
 * The bridge joins the JavaScript thread to its I/O thread: commands go out by `Staging`, events come in by `Draining`,
 * and `HandleTable` knows the handle of each connection. All of `lib/` gets the addon from this file.
 */

const { mode } = require('../ladder/rung');
const addon = require('../../binding');
const atExit = require('./at-exit');
const { BodyBuffers } = require('./body-buffers');
const { Draining, GROUPS_A_TURN } = require('./draining');
const { HandleTable } = require('./handle-table');
const { Liveness } = require('./liveness');
const { setImmediate } = require('../node/timing');
const { STAGED_WRITE_LIMIT, Staging } = require('./staging');

/** Milliseconds that the end of the process waits at most for a kernel that takes no more bytes. */
const SETTLE_FOR = 100;

class Bridge {
  constructor() {
    /** @type {InstanceType<addon.Bridge>|null} Made by the first connection: importing must start nothing. */
    this.native = null;
    /** @type {BodyBuffers|null} Those of the last I/O thread; null before the first connection. */
    this.bodies = null;
    this.staging = new Staging();
    this.handles = new HandleTable();
    this.draining = new Draining(this.staging, this.handles, () => this.fail());
    this.liveness = new Liveness(() => this.bodies.release());
    /** Task for the exit of the process: bytes of a write that has been called back must reach the kernel. */
    this.settle = () => {
      this.staging.ringDoorbell();
      this.native?.settle(SETTLE_FOR);
    };
  }

  /** Starts the I/O thread. It serves the requests of all domains, and must not stay in the one of the first. */
  start() {
    const { domain } = process;
    if (domain) process.domain = null;
    let native;
    try {
      native = new addon.Bridge(this.draining.onEvents);
    } finally {
      if (domain) process.domain = domain;
    }
    // An async hook that is told of it may have made a request, and so another bridge.
    if (this.native !== null) return;
    this.native = this.staging.native = native;
    this.bodies = new BodyBuffers(native);
    this.draining.start(native, this.bodies);
  }

  /**
   * Starts the I/O thread, if there is none. A system that has no thread or descriptor left for it may have one later.
   * @returns {boolean} False if it cannot be started.
   */
  tryStart() {
    try {
      if (this.native === null) this.start();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Gives a handle its connection id, and starts the I/O thread for the first one.
   * @param {import('../socket/native-handle').NativeHandle} handle
   * @returns {number}
   */
  attach(handle) {
    const native = this.started();
    const id = this.handles.add(handle);
    if (this.handles.size === 1) {
      native.keep(true);
      atExit.add(this.settle);
    }
    return id;
  }

  /**
   * Forgets a handle; its id may be used again.
   * @param {number} id
   */
  detach(id) {
    this.handles.remove(id);
    if (this.handles.size > 0) return;
    this.bodies.release();
    this.native.keep(false);
    atExit.remove(this.settle);
  }

  /**
   * Notes that a handle keeps the process alive from now on, or no longer.
   * @param {number} change 1 or -1.
   */
  hold(change) {
    this.liveness.hold(this.native, change);
  }

  /**
   * Asks the I/O thread for the local end of a connection that is being made, and waits for the answer.
   * @param {number} id
   * @returns {{ address: string, port: number }|null}
   */
  localAddress(id) {
    this.staging.ringDoorbell();
    return this.native.localAddress(id);
  }

  /**
   * Gives a connection TLS, before it connects.
   * @param {number} id
   * @param {InstanceType<addon.TlsConnection>} tls
   */
  secure(id, tls) {
    this.native.secure(id, tls);
  }

  /**
   * Makes a socket with a local address, for a connection that is about to be made.
   * @param {string} address A numeric one.
   * @param {number} port
   * @returns {number} Its descriptor, or a negative error number.
   */
  bindSocket(address, port) {
    return addon.bindSocket(this.started(), address, port);
  }

  /**
   * Closes a socket that does not connect.
   * @param {number} descriptor Of `bindSocket`.
   */
  closeSocket(descriptor) {
    if (this.native !== null) addon.closeSocket(this.native, descriptor);
  }

  /**
   * Makes a socket that connects to an address, if the kernel might refuse that before it sends anything.
   * @param {string} address A numeric one.
   * @param {number} port
   * @returns {number|null} Its descriptor, a negative error number, or null where the I/O thread may connect.
   */
  connectIfDoubtful(address, port) {
    return addon.connectIfDoubtful(this.started(), address, port);
  }

  /**
   * Makes a second descriptor of a connection that the I/O thread is about to take over.
   * @param {number} descriptor Of libuv.
   * @returns {number} -1 if that cannot be done.
   */
  duplicateDescriptor(descriptor) {
    return addon.duplicateDescriptor(this.started(), descriptor);
  }

  /** @returns {InstanceType<addon.Bridge>} The native part, which is there even before the first connection. */
  started() {
    if (this.native === null) this.start();
    return this.native;
  }

  /**
   * Takes the descriptor of a connection that the I/O thread has released.
   * @param {number} id
   * @returns {number}
   */
  takeDescriptor(id) {
    return this.native.takeDescriptor(id);
  }

  /**
   * Takes the descriptor of an idle connection whose release has been staged, and waits for it.
   * @param {number} id
   * @returns {number} -1 if the connection is not idle.
   */
  takeReleased(id) {
    // An answer of the I/O thread, whatever it says, is behind what was staged before.
    this.localAddress(id);
    return this.takeDescriptor(id);
  }

  /** Fails every connection, because the I/O thread is lost. The next connection starts another one. */
  fail() {
    const lost = this.native;
    this.native = null;
    this.staging.abandon();
    this.draining.abandon();
    const handles = this.handles.removeAll();
    if (handles.length > 0) atExit.remove(this.settle);
    for (const handle of handles) {
      // There is no thread any more that could be told that it closes.
      handle.id = -1;
      try {
        handle.resource.runInAsyncScope(handle.onFailed, handle);
      } catch (exception) {
        // Of a user's: the handles behind this one fail too.
        handle.resource.runInAsyncScope(setImmediate, undefined, rethrow, exception);
      }
    }
    this.liveness.stopHolding();
    if (handles.length > 0) lost.keep(false);
    lost.abandon();
  }

  /** @returns {object|undefined} Counters that the I/O thread keeps; undefined before the first connection. */
  ioThreadCounters() {
    return this.native?.counters();
  }
}

/** @param {unknown} exception */
function rethrow(exception) {
  throw exception;
}

const bridge = new Bridge();

module.exports = {
  GROUPS_A_TURN,
  STAGED_WRITE_LIMIT,
  StreamDecoder: addon.StreamDecoder,
  TlsConnection: addon.TlsConnection,
  bridge,
  /** True where the I/O thread has the connections; otherwise all are Node's own sockets. */
  hasIoThread: mode === 'native',
  hasPendingRead: addon.hasPendingRead,
  peerAddress: addon.peerAddress,
  recordLayout: addon.recordLayout,
  staging: bridge.staging,
  unwatchTls: addon.unwatchTls,
  /** Undefined where no I/O thread can have a connection with TLS. */
  watchTls: mode === 'native' ? addon.watchTls : undefined,
};
