'use strict';

/**
 * Draining of events: pages of records are copied into a slab, and each record goes to the handle of its connection, in
 * the async context of that connection.
 */

const { setImmediate } = require('node:timers');

const counters = require('./counters');
const { HEADER_SIZE, event, isRead } = require('./records');
const { runTicks } = require('../node/internals');

/** Bytes of the memory that pages are copied into. The pages of a fast body fit. */
const ROOM_SIZE = 320 * 1024;
/** Drains in a row before timers and other I/O of the process get their turn. */
const DRAINS_A_TURN = 8;
/**
 * Reads dispatched before ticks run, as with libuv they do after each. The commands that these ticks stage are on their
 * way while the rest of the batch is dispatched, so that both threads work at the same time.
 */
const GROUPS_A_TURN = 16;

class Draining {
  /**
   * @param {import('./staging').Staging} staging
   * @param {import('./handle-table').HandleTable} handles
   * @param {() => void} onThreadLost Called for the record that says that all connections have failed.
   */
  constructor(staging, handles, onThreadLost) {
    this.staging = staging;
    this.handles = handles;
    this.onThreadLost = onThreadLost;
    /** @type {InstanceType<import('../../binding').Bridge>|null} The addon's half; null without an I/O thread. */
    this.native = null;
    /** @type {import('./body-buffers').BodyBuffers|null} */
    this.bodies = null;
    /** The memory that pages are copied into, again and again. */
    this.room = Buffer.alloc(0);
    this.roomWords = new Int32Array(0);
    /** The memory that records are dispatched from: the room, or that of one page which is larger. */
    this.slab = this.room;
    this.slabWords = this.roomWords;
    /** Records between these two offsets of the slab are still to be dispatched. */
    this.cursor = 0;
    this.limit = 0;
    /** Number of times that ticks have run; see `dispatchGroup`. */
    this.turn = 0;
    /** Listener of the addon, which calls it when there are events. */
    this.onEvents = () => this.takeTurn();
  }

  /**
   * Takes the events of an I/O thread from now on.
   * @param {InstanceType<import('../../binding').Bridge>} native
   * @param {import('./body-buffers').BodyBuffers} bodies
   */
  start(native, bodies) {
    this.native = native;
    this.bodies = bodies;
    this.room = Buffer.allocUnsafeSlow(ROOM_SIZE);
    this.roomWords = new Int32Array(this.room.buffer);
  }

  /** Takes no more events: the I/O thread is lost. */
  abandon() {
    this.native = null;
  }

  /** Drains, and comes back in a later turn of the event loop if events are left. */
  takeTurn() {
    let finished = false;
    this.staging.beginDrain();
    try {
      finished = this.drain();
    } finally {
      this.staging.endDrain();
      // A listener has thrown, or others have to have their turn: nothing that was queued may be lost.
      if (!finished) setImmediate(this.onEvents);
    }
  }

  /**
   * Takes and dispatches what is queued.
   * @returns {boolean} True if the queue is empty.
   */
  drain() {
    let groups = 0;
    for (let i = 0; i < DRAINS_A_TURN; i++) {
      while (this.cursor < this.limit) {
        if (!this.dispatchGroup()) return false;
        if (++groups % GROUPS_A_TURN === 0 && runTicks !== undefined) {
          this.turn++;
          runTicks();
          this.staging.ringDoorbell();
        }
      }
      if (this.native === null) return true;
      const copied = this.native.drain(this.room);
      if (copied === 0) return true;
      counters.drains++;
      if (copied < 0) {
        this.drainLarge(-copied);
        continue;
      }
      this.slab = this.room;
      this.slabWords = this.roomWords;
      this.cursor = 0;
      this.limit = copied;
    }
    return false;
  }

  /**
   * Takes a page that does not fit into the room, into memory of its own.
   * @param {number} size Bytes of the page.
   */
  drainLarge(size) {
    this.slab = Buffer.allocUnsafeSlow(size);
    this.slabWords = new Int32Array(this.slab.buffer);
    this.cursor = 0;
    this.limit = this.native.drain(this.slab);
  }

  /**
   * Dispatches the records of one connection up to its next read.
   * @returns {boolean} False if ticks have to run first, and only the event loop can run them.
   */
  dispatchGroup() {
    const { slabWords } = this;
    const word = this.cursor >> 2;
    const id = slabWords[word + 1];
    const handle = this.handles.get(id);
    if (handle === undefined) {
      this.skipRecord(id);
      return true;
    }
    if (isRead(slabWords[word] & 0xff, slabWords[word] >>> 8)) {
      // Node delivers two reads of a connection in two turns of the event loop. Here they may come in one batch,
      // so what the first made due runs before the second is dispatched.
      if (handle.lastTurn === this.turn) {
        this.turn++;
        if (runTicks === undefined) return false;
        runTicks();
        return true;
      }
    }
    // Also what is no read (the kernel has taken a write, the connection stands) is a turn of its own before one.
    handle.lastTurn = this.turn;
    handle.resource.runInAsyncScope(this.dispatchRecords, this, handle, id);
    return true;
  }

  /**
   * Passes over a record that no handle is there for.
   * @param {number} id The connection that the record is about; -1 stands for all of them.
   */
  skipRecord(id) {
    const { slabWords } = this;
    const word = this.cursor >> 2;
    if ((slabWords[word] & 0xff) === event.BODY) this.bodies.drop(slabWords[word + 3]);
    this.cursor += HEADER_SIZE + ((slabWords[word + 2] + 3) & ~3);
    if (id === -1) this.onThreadLost();
  }

  /**
   * Gives a handle its records, up to the next read.
   * @param {import('../socket/native-handle').NativeHandle} handle
   * @param {number} id
   */
  dispatchRecords(handle, id) {
    const { bodies, handles, slab, slabWords } = this;
    handle.dispatching = true;
    try {
      do {
        const word = this.cursor >> 2;
        const start = this.cursor + HEADER_SIZE;
        const length = slabWords[word + 2];
        // Moved on first: should a listener throw, the next record is the next one.
        this.cursor = start + ((length + 3) & ~3);
        counters.records++;
        const opcode = slabWords[word] & 0xff;
        if (opcode === event.BODY) {
          const chunk = bodies.take(slabWords[word + 3], slabWords[word + 4]);
          handle.onRecord(opcode, 0, chunk, slabWords, 0, chunk.length);
          continue;
        }
        if (opcode === event.DATA) bodies.prepare(length);
        handle.onRecord(opcode, slabWords[word] >>> 8, slab, slabWords, start, start + length);
      } while (this.cursor < this.limit && slabWords[(this.cursor >> 2) + 1] === id && handles.get(id) === handle &&
               !isRead(slabWords[this.cursor >> 2] & 0xff, slabWords[this.cursor >> 2] >>> 8));
    } finally {
      handle.dispatching = false;
    }
  }
}

module.exports = { Draining, GROUPS_A_TURN };
