'use strict';

/**
 * Backlog of a connection whose reader has paused: records that were read before the I/O thread knew of the pause.
 *
 * libuv would not have read them yet, so they wait here until the reader goes on. They are then delivered one read at a
 * time, in turns of the event loop of their own, until the reader pauses again.
 */

const { copyToOwnMemory } = require('../node/own-memory');
const { event, isRead } = require('../bridge/records');
const { setImmediate } = require('../node/timing');
const { life } = require('./stages');

/** List of a backlog that has kept nothing yet. Nothing is ever put into it. */
const NONE = [];

/** Backlog of one handle, made at the first pause of its reader. */
class ReadBacklog {
  /** @param {import('./native-handle').NativeHandle} handle */
  constructor(handle) {
    this.handle = handle;
    this.isPaused = false;
    /** @type {{ opcode: number, flags: number, bytes: Buffer }[]} */
    this.records = NONE;
  }

  /**
   * Tells whether a record has to wait here.
   * @param {number} opcode
   * @returns {boolean}
   */
  withholds(opcode) {
    // The rest of a read that has begun before the pause is delivered. As with libuv, a reader that has paused hears of
    // the end all the same, unless bytes wait before it.
    return (this.records.length > 0 || (this.isPaused && opcode === event.READ)) && isOfStream(opcode);
  }

  /**
   * Keeps a record.
   * @param {number} opcode
   * @param {number} flags
   * @param {Buffer} slab
   * @param {number} start
   * @param {number} end
   */
  keep(opcode, flags, slab, start, end) {
    if (this.records === NONE) this.records = [];
    // A piece of a large body has memory of its own already.
    this.records.push({ opcode, flags, bytes: opcode === event.BODY ? slab : copyToOwnMemory(slab, start, end) });
  }

  /** Makes what is read from now on wait. */
  pause() {
    this.isPaused = true;
  }

  /** Delivers what waits, from a later turn on: libuv would read it only then. */
  resume() {
    this.isPaused = false;
    if (this.records.length > 0) setImmediate(deliver, this);
  }

  /** Delivers one read, and has the next one delivered in a later turn. */
  deliver() {
    const { handle, records } = this;
    if (this.isPaused || records.length === 0 || !handle.takes(records[0].opcode, records[0].flags)) return;
    try {
      handle.resource.runInAsyncScope(this.deliverRead, this);
    } finally {
      if (this.records.length > 0) setImmediate(deliver, this);
    }
  }

  /** Gives the handle the records of one read. */
  deliverRead() {
    const { handle, records } = this;
    handle.dispatching = true;
    try {
      do {
        const { opcode, flags, bytes } = records.shift();
        const words = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
        handle.dispatch(opcode, flags, bytes, words, 0, bytes.length);
      } while (records.length > 0 && !isRead(records[0].opcode, records[0].flags) && handle.life !== life.CLOSED);
    } finally {
      handle.dispatching = false;
    }
  }
}

/** @param {ReadBacklog} backlog */
function deliver(backlog) {
  backlog.deliver();
}

/**
 * Tells whether a record is of what was read, whose order matters.
 * @param {number} opcode
 * @returns {boolean}
 */
function isOfStream(opcode) {
  return (opcode >= event.READ && opcode <= event.READ_ERROR) || opcode === event.RELEASED || opcode === event.BODY;
}

module.exports = { ReadBacklog };
