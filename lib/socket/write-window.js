'use strict';

/**
 * Window of a connection: bytes that may be on their way to the kernel before a write's callback waits for it.
 *
 * It is as large as what the kernel has taken before, within limits. Where the kernel is fast, both threads always have
 * something to do. A peer that is slow from the beginning costs no more memory than the smallest window.
 */

const { STAGED_WRITE_LIMIT, staging } = require('../bridge/bridge');
const { nextTick } = require('../node/timing');

/** Bytes of the smallest window. `write()` answers `false` to a writer further ahead, also within a larger window. */
const SMALLEST = 256 * 1024;
/** Bytes of the largest window. */
const LARGEST = 1024 * 1024;

/** Bytes after which the kernel's progress is asked for: often enough that a window moves on before it is full. */
const ASK_AFTER = SMALLEST / 2;

/** Bytes of kept writes that go out as one record; the staging buffer is twice as large. */
const LONGEST_RECORD = 32 * 1024;

/** List of a window for which no callback has waited yet. Nothing is ever put into it. */
const NONE = [];

/**
 * A write that OutgoingMessage has kept until there is a socket.
 * @typedef {{ data: string|Uint8Array, encoding: string|null|undefined, callback: Function|null|undefined }} Write
 */

class WriteWindow {
  constructor() {
    /** Bytes written to the connection. */
    this.written = 0;
    /** Bytes that the kernel is known to have taken. */
    this.acknowledged = 0;
    /** `written` when the kernel's progress was last asked for. */
    this.askedAt = 0;
    /** `acknowledged` when `hasProgressed` last answered true. */
    this.progressAt = 0;
    /** Callbacks that wait for the kernel, each behind the value of `acknowledged` that it waits for. */
    this.waiting = NONE;
  }

  /** @returns {number} Bytes that the kernel is not known to have taken. */
  ahead() {
    return this.written - this.acknowledged;
  }

  /**
   * Tells whether a write may have to wait.
   * @param {number} more Bytes about to be written.
   * @returns {boolean}
   */
  isBehind(more) {
    return this.written - this.acknowledged + more > SMALLEST;
  }

  /**
   * Sends bytes. The callback runs at once while the kernel keeps up, as after a write that libuv could finish
   * synchronously.
   * @param {number} id Of the connection.
   * @param {string|Uint8Array} data
   * @param {string} encoding
   * @param {((error?: Error|null) => void)|undefined} callback Undefined where more of the same write follows.
   */
  write(id, data, encoding, callback) {
    const size = windowSize(this.acknowledged);
    const ask = callback !== undefined && this.written - this.askedAt + data.length > ASK_AFTER;
    this.written += staging.sendWrite(id, data, encoding, ask);
    if (ask) this.askedAt = this.written;
    if (callback === undefined) return;
    const ahead = this.written - this.acknowledged;
    if (ask && ahead > size) {
      // Not until the kernel has all: it would have nothing left to take until more is written.
      if (this.waiting === NONE) this.waiting = [];
      this.waiting.push(this.written - size, callback);
    } else if (ahead > SMALLEST) {
      // Until then the Writable is full, also for the line end behind a chunk, whose write() answers for it.
      nextTick(callback);
    } else {
      callback();
    }
  }

  /**
   * Sends the writes that a request has made before it had a socket. The header block, pieces of the body and their
   * chunk lines mostly go out together, in one record instead of one for each write.
   * @param {number} id Of the connection.
   * @param {Write[]} writes
   * @returns {boolean} False, with nothing sent, if they are too many, or the callback of one may have to wait.
   */
  writeKept(id, writes) {
    const most = mostBytesOf(writes);
    if (most === -1 || this.isBehind(most)) return false;
    const ask = this.written - this.askedAt + most > ASK_AFTER;
    this.written += staging.sendWrites(id, writes, most, ask);
    if (ask) this.askedAt = this.written;
    return true;
  }

  /**
   * Asks for an answer when the kernel has all that is written, unless one is on its way already.
   * @param {number} id Of the connection.
   */
  askForRest(id) {
    if (this.written === this.acknowledged || this.askedAt > this.acknowledged) return;
    this.askedAt = this.written;
    staging.sendWrite(id, '', 'latin1', true);
  }

  /**
   * Computes how many bytes the kernel had taken when something was read.
   * @param {number} low The lower 32 bits; late, if the read has waited in the backlog.
   * @returns {number} At least `acknowledged`.
   */
  totalTaken(low) {
    return this.acknowledged + Math.max((low - this.acknowledged) | 0, 0);
  }

  /**
   * Notes how many bytes the kernel has taken, and calls what has waited for that.
   * @param {number} total
   */
  acknowledge(total) {
    this.acknowledged = total;
    const { waiting } = this;
    if (waiting.length === 0) return;
    let done = 0;
    while (done < waiting.length && waiting[done] <= total) done += 2;
    for (const callback of waiting.splice(0, done)) {
      if (typeof callback === 'function') callback(null);
    }
  }

  /**
   * Gives an error to the callbacks that wait.
   * @param {Error} error
   */
  fail(error) {
    for (const callback of this.takeWaiting()) callback(error);
  }

  /** @returns {Function[]} The callbacks that wait, which are the caller's from now on. */
  takeWaiting() {
    const { waiting } = this;
    this.waiting = NONE;
    return waiting.filter((entry) => typeof entry === 'function');
  }

  /** @returns {boolean} True while a callback waits for the kernel. */
  isAwaited() {
    return this.waiting.length > 0;
  }

  /**
   * Tells whether the kernel has taken bytes that a callback waits for, since this was last true.
   * @returns {boolean}
   */
  hasProgressed() {
    if (this.waiting.length === 0 || this.acknowledged === this.progressAt) return false;
    this.progressAt = this.acknowledged;
    return true;
  }
}

/**
 * Computes the size of a window.
 * @param {number} acknowledged Bytes of the connection that the kernel is known to have taken.
 * @returns {number} Bytes of the window.
 */
function windowSize(acknowledged) {
  return Math.min(Math.max(acknowledged, SMALLEST), LARGEST);
}

/**
 * Bounds the bytes of several writes.
 * @param {Write[]} writes
 * @returns {number} Upper bound of their bytes; -1 if they are not to go into one record.
 */
function mostBytesOf(writes) {
  let most = 0;
  for (const { data, encoding } of writes) {
    if (data.length > STAGED_WRITE_LIMIT) return -1;
    if (typeof data !== 'string' || encoding === 'latin1') most += data.length;
    else if (encoding === 'utf8' || encoding === undefined || encoding === null) most += data.length * 3;
    else return -1;
  }
  return most <= LONGEST_RECORD ? most : -1;
}

module.exports = { ASK_AFTER, WriteWindow, windowSize };
