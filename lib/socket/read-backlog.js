'use strict';

/**
 * Backlog of a connection whose reader has paused: records that were read before the I/O thread knew of the pause.
 *
 * libuv would not have read them yet, so they wait here until the reader goes on. They are then delivered one read at a
 * time, in turns of the event loop of their own, until the reader pauses again. The I/O thread reads on when little of
 * them is left: a peer that is faster than the reader must not fill the memory.
 */

const { command, event, isRead } = require('../bridge/records');
const { setImmediate } = require('../node/timing');
const { life } = require('./stages');

/** Bytes in front of each record here: opcode with flags, length of the payload. */
const HEADER_SIZE = 8;
/** Bytes of the first piece of memory, and the most of a later one; a record may need a larger one. */
const FIRST_PIECE = 1024;
const LARGEST_PIECE = 64 * 1024;
/** Waiting bytes from which the I/O thread reads no more, although the reader goes on. */
const HIGH_WATER_MARK = 256 * 1024;
/** Waiting bytes up to which the I/O thread reads on, so that both threads have something to do. */
const LOW_WATER_MARK = 64 * 1024;

/** Records one behind the other in one piece of memory: small ones would cost ten times as much each by itself. */
class Piece {
  /** @param {number} size */
  constructor(size) {
    // Of its own: handlers look at it from its beginning.
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.words = new Int32Array(this.bytes.buffer);
    /** Records between these two offsets wait. */
    this.start = 0;
    this.end = 0;
  }
}

/** Backlog of one handle, made at the first pause of its reader. */
class ReadBacklog {
  /** @param {import('./native-handle').NativeHandle} handle */
  constructor(handle) {
    this.handle = handle;
    /** The reader has paused. */
    this.isPaused = false;
    /** The I/O thread was told to read nothing. */
    this.isStopped = false;
    /** The next read is delivered in a later turn. */
    this.isDue = false;
    /** Memory with the records that wait, in their order. @type {Piece[]} */
    this.pieces = [];
    /** Pieces of large bodies, which have memory of their own, for the BODY records. @type {Buffer[]} */
    this.bodies = [];
    /** Bytes that wait. */
    this.size = 0;
  }

  /**
   * Tells whether a record has to wait here.
   * @param {number} opcode
   * @returns {boolean}
   */
  withholds(opcode) {
    // The rest of a read that has begun before the pause is delivered. As with libuv, a reader that has paused hears of
    // the end all the same, unless bytes wait before it.
    return (this.pieces.length > 0 || (this.isPaused && opcode === event.READ)) && isOfStream(opcode);
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
    const isBody = opcode === event.BODY;
    if (isBody) this.bodies.push(slab);
    const length = isBody ? 0 : end - start;
    const piece = this.pieceFor(HEADER_SIZE + length);
    const word = piece.end >> 2;
    piece.words[word] = opcode | (flags << 8);
    piece.words[word + 1] = length;
    piece.bytes.set(slab.subarray(start, start + length), piece.end + HEADER_SIZE);
    piece.end += HEADER_SIZE + ((length + 3) & ~3);
    this.size += HEADER_SIZE + (isBody ? slab.length : length);
    if (this.size >= HIGH_WATER_MARK) this.stop();
  }

  /**
   * Gives memory with room for a record, behind all others.
   * @param {number} length
   * @returns {Piece}
   */
  pieceFor(length) {
    const last = this.pieces.at(-1);
    const needed = (length + 3) & ~3;
    if (last !== undefined && last.end + needed <= last.bytes.length) return last;
    const usual = last === undefined ? FIRST_PIECE : Math.min(last.bytes.length * 2, LARGEST_PIECE);
    const piece = new Piece(Math.max(usual, needed));
    this.pieces.push(piece);
    return piece;
  }

  /** Makes what is read from now on wait. */
  pause() {
    this.isPaused = true;
    this.stop();
  }

  /** Delivers what waits, from a later turn on: libuv would read it only then. */
  resume() {
    this.isPaused = false;
    this.readOn();
    this.schedule();
  }

  /** Has the next read delivered in a later turn, if one waits for nothing else. */
  schedule() {
    if (this.isDue || this.isPaused || this.pieces.length === 0) return;
    this.isDue = true;
    setImmediate(deliver, this);
  }

  /** Makes the I/O thread read no more. */
  stop() {
    if (this.isStopped) return;
    this.isStopped = true;
    this.handle.sendFlow(command.PAUSE);
  }

  /** Makes the I/O thread read on, if the reader does and little waits. */
  readOn() {
    if (!this.isStopped || this.isPaused || this.size > LOW_WATER_MARK) return;
    this.isStopped = false;
    this.handle.sendFlow(command.RESUME);
  }

  /** Delivers one read, and has the next one delivered in a later turn. */
  deliver() {
    const { handle, pieces } = this;
    this.isDue = false;
    if (this.isPaused || pieces.length === 0) return;
    const word = pieces[0].words[pieces[0].start >> 2];
    if (!handle.takes(word & 0xff, word >>> 8)) return;
    try {
      handle.resource.runInAsyncScope(this.deliverRead, this);
    } finally {
      this.readOn();
      this.schedule();
    }
  }

  /** Gives the handle the records of one read. */
  deliverRead() {
    const { handle } = this;
    handle.dispatching = true;
    try {
      do this.deliverRecord();
      while (!this.isBeforeRead() && handle.life !== life.CLOSED);
    } finally {
      handle.dispatching = false;
    }
  }

  /** @returns {boolean} True if nothing waits, or what does is another read. */
  isBeforeRead() {
    const [piece] = this.pieces;
    if (piece === undefined) return true;
    const word = piece.words[piece.start >> 2];
    return isRead(word & 0xff, word >>> 8);
  }

  /** Gives the handle the next record. */
  deliverRecord() {
    const [piece] = this.pieces;
    const { bytes, words } = piece;
    const word = piece.start >> 2;
    const opcode = words[word] & 0xff;
    const length = words[word + 1];
    const start = piece.start + HEADER_SIZE;
    // Moved on first: should a listener throw, the next record is the next one.
    piece.start = start + ((length + 3) & ~3);
    this.size -= HEADER_SIZE + length;
    if (piece.start === piece.end) this.pieces.shift();
    if (opcode === event.BODY) {
      const body = this.bodies.shift();
      this.size -= body.length;
      this.handle.dispatch(opcode, 0, body, words, 0, body.length);
    } else {
      this.handle.dispatch(opcode, words[word] >>> 8, bytes, words, start, start + length);
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
