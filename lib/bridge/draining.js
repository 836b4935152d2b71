'use strict';

/**
 * Draining of events: pages of records are copied into a slab, and each record goes to the handle of its connection, in
 * the async context of that connection.
 */

const counters = require('./counters');
const { HEADER_SIZE, event, isRead } = require('./records');
const { setImmediate } = require('../node/timing');

/** Bytes of the memory that pages are copied into. The pages of a fast body fit. */
const ROOM_SIZE = 320 * 1024;
/** Drains in a row before timers and other I/O of the process get their turn. */
const DRAINS_A_TURN = 8;
/**
 * Reads dispatched before ticks run, as with libuv they do after each. The commands that these ticks stage are on their
 * way while the rest of the batch is dispatched, so that both threads work at the same time.
 */
const GROUPS_A_TURN = 16;

/** Times at which the rest of what is queued has its turn. */
/** There is no rest. */
const NEVER = 0;
/** When due ticks and promise jobs have run: the addon calls again at once. */
const AFTER_TICKS = 1;
/** In a later turn of the event loop. */
const LATER = 2;

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
    /** Ticks run between two calls of the addon, which goes on with the same drain. */
    this.isUnderWay = false;
    /** Number of times that the drain under way has taken pages. */
    this.takes = 0;
    /** Groups dispatched since ticks ran. */
    this.groups = 0;
    /** Listener of the addon, which calls it when there are events; see `takeTurn`. */
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

  /** Takes no more events: the I/O thread is lost. What it has still said is about connections that have failed. */
  abandon() {
    this.native = null;
    this.cursor = this.limit;
  }

  /**
   * Dispatches events until ticks have to run, which they do between two calls of the addon.
   * @returns {boolean} True if the addon has to call again when due ticks and promise jobs have run.
   */
  takeTurn() {
    const { staging } = this;
    this.turn++;
    if (!this.isUnderWay) {
      this.isUnderWay = true;
      this.takes = 0;
      staging.beginDrain();
    } else if (this.groups >= GROUPS_A_TURN) {
      // What the ticks have staged is on its way while the others are dispatched.
      staging.ringDoorbell();
    }
    this.groups = 0;
    let outcome = LATER;
    try {
      outcome = this.drain();
    } finally {
      if (outcome !== AFTER_TICKS) {
        this.isUnderWay = false;
        staging.endDrain();
        // A listener has thrown, or others have to have their turn: nothing that was queued may be lost.
        if (outcome === LATER && this.native !== null) setImmediate(wake, this.native);
      }
    }
    return outcome === AFTER_TICKS;
  }

  /**
   * Takes and dispatches what is queued.
   * @returns {number} When the rest has its turn: NEVER, AFTER_TICKS or LATER.
   */
  drain() {
    for (;;) {
      while (this.cursor < this.limit) {
        if (this.groups >= GROUPS_A_TURN || !this.dispatchGroup()) return AFTER_TICKS;
        this.groups++;
      }
      if (this.native === null) return NEVER;
      if (this.takes >= DRAINS_A_TURN) return LATER;
      const copied = this.native.drain(this.room);
      if (copied === 0) return NEVER;
      this.takes++;
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
   * @returns {boolean} False if ticks have to run first.
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
    // Node delivers two reads of a connection in two turns of the event loop. Here they may come in one batch,
    // so what the first made due runs before the second is dispatched.
    if (handle.lastTurn === this.turn && isRead(slabWords[word] & 0xff, slabWords[word] >>> 8)) return false;
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
        // The slab is another one if a listener has run the event loop itself, as `deasync` does.
      } while (this.cursor < this.limit && slabWords[(this.cursor >> 2) + 1] === id && handles.get(id) === handle &&
               slabWords === this.slabWords &&
               !isRead(slabWords[this.cursor >> 2] & 0xff, slabWords[this.cursor >> 2] >>> 8));
    } finally {
      handle.dispatching = false;
    }
  }
}

/**
 * Makes the addon call again, in a turn of the event loop that is not this one.
 * @param {InstanceType<import('../../binding').Bridge>} native
 */
function wake(native) {
  native.wake();
  // Without this, an event loop that nothing else holds would end before it comes to the wake.
  setImmediate(() => {});
}

module.exports = { Draining, GROUPS_A_TURN };
