'use strict';

/**
 * Draining of events: pages of records are copied into a slab, and each record goes to the handle of its connection, in
 * the async context of that connection.
 */

const arrival = require('./arrival');
const counters = require('./counters');
const { HEADER_SIZE, event, isRead } = require('./records');
const { now, setImmediate } = require('../node/timing');

/** Bytes of a TIME record, which has a number. */
const TIME_SIZE = HEADER_SIZE + 8;
/** Bytes of the memory that pages are copied into. The pages of a fast body fit. */
const ROOM_SIZE = 320 * 1024;
/**
 * Milliseconds of dispatching after which timers and other I/O of the process get their turn. libuv gives them one
 * after it has read from every ready connection; with some dozens of them that takes as long.
 */
const LONGEST_TURN = 4;
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
    /** Milliseconds from the clock of the I/O thread to `now`. */
    this.offset = 0;
    /** Time of the records at the cursor, in milliseconds of `now`. */
    this.time = 0;
    /** Number of times that ticks have run; see `dispatchGroup`. */
    this.turn = 0;
    /** Ticks run between two calls of the addon, which goes on with the same drain. */
    this.isUnderWay = false;
    /** Number of the turn of the event loop in which the addon has last called. */
    this.loopTurn = 0;
    /** Time in milliseconds when dispatching began in that turn. */
    this.since = 0;
    /** An immediate will make the addon call again. */
    this.isLaterDue = false;
    /** Groups dispatched since ticks ran. */
    this.groups = 0;
    /** Listener of the addon, which calls it when there are events; see `takeTurn`. */
    this.onEvents = (loopTurn) => this.takeTurn(loopTurn);
  }

  /**
   * Takes the events of an I/O thread from now on.
   * @param {InstanceType<import('../../binding').Bridge>} native
   * @param {import('./body-buffers').BodyBuffers} bodies
   */
  start(native, bodies) {
    this.native = native;
    this.bodies = bodies;
    this.offset = offsetOf(native);
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
   * @param {number} loopTurn Number of the turn of the event loop; 0 where there is none.
   * @returns {boolean} True if the addon has to call again when due ticks and promise jobs have run.
   */
  takeTurn(loopTurn) {
    if (this.isLaterDue) return false;
    const { staging } = this;
    this.turn++;
    const time = now();
    // Node calls as often as the I/O thread wakes it in the meantime, without a turn of the event loop in between.
    if (loopTurn === 0 ? !this.isUnderWay : loopTurn !== this.loopTurn) {
      this.loopTurn = loopTurn;
      this.since = time;
    } else if (time - this.since >= LONGEST_TURN) {
      this.end(LATER);
      return false;
    }
    arrival.time = time;
    arrival.happened = this.time;
    arrival.isUnderWay = true;
    if (!this.isUnderWay) {
      this.isUnderWay = true;
      staging.beginDrain();
    } else if (this.groups >= GROUPS_A_TURN) {
      // The commands that the ticks have staged are on their way while the others are dispatched.
      staging.ringDoorbell();
    }
    this.groups = 0;
    // If a listener throws, nothing that was queued is lost.
    let outcome = LATER;
    try {
      outcome = this.drain();
    } finally {
      arrival.happened = time;
      if (outcome !== AFTER_TICKS) this.end(outcome);
    }
    return outcome === AFTER_TICKS;
  }

  /**
   * Ends a drain.
   * @param {number} outcome NEVER, or LATER if the addon has to call again in another turn of the event loop.
   */
  end(outcome) {
    this.isUnderWay = arrival.isUnderWay = false;
    this.staging.endDrain();
    if (outcome === NEVER) return;
    this.isLaterDue = arrival.isLaterDue = true;
    setImmediate(wake, this);
  }

  /**
   * Takes and dispatches what is queued.
   * @returns {number} When the rest has its turn: NEVER or AFTER_TICKS.
   */
  drain() {
    for (;;) {
      while (this.cursor < this.limit) {
        if ((this.slabWords[this.cursor >> 2] & 0xff) === event.TIME) {
          this.takeTime();
        } else if (this.groups >= GROUPS_A_TURN || !this.dispatchGroup()) {
          return AFTER_TICKS;
        }
      }
      if (this.native === null) return NEVER;
      const copied = this.native.drain(this.room);
      if (copied === 0) return NEVER;
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

  /** Takes the time of the records that follow. */
  takeTime() {
    this.time = arrival.happened = this.offset + this.slab.readDoubleLE(this.cursor + HEADER_SIZE);
    this.cursor += TIME_SIZE;
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
      this.groups++;
      this.skipRecord(id);
      return true;
    }
    // Node delivers two reads of a connection in two turns of the event loop. Here they may come in one batch,
    // so what the first made due runs before the second is dispatched.
    if (handle.lastTurn === this.turn && isRead(slabWords[word] & 0xff, slabWords[word] >>> 8)) return false;
    // Also what is no read (the kernel has taken a write, the connection stands) is a turn of its own before one.
    handle.lastTurn = this.turn;
    // The ticks, and the doorbell, come next where they have something for the I/O thread that takes long.
    this.groups += handle.isCostly ? GROUPS_A_TURN : 1;
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
 * Compares two clocks that differ by a constant. What is measured is too large by the time between the two looks, and
 * never too small: nothing seems to have happened before what has led to it.
 * @param {InstanceType<import('../../binding').Bridge>} native
 * @returns {number} Milliseconds from the clock of the I/O thread to `now`.
 */
function offsetOf(native) {
  let offset = Infinity;
  // The first looks take longer.
  for (let i = 0; i < 4; i++) {
    const time = native.now();
    offset = Math.min(offset, now() - time);
  }
  return offset;
}

/** @param {Draining} draining */
function wake(draining) {
  draining.isLaterDue = arrival.isLaterDue = false;
  draining.native?.wake();
  // Without this, an event loop that nothing else holds would end before it comes to the wake.
  setImmediate(() => {});
}

module.exports = { Draining, GROUPS_A_TURN };
