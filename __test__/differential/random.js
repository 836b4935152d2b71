'use strict';

/** A generator of numbers that a seed decides (mulberry32): the same cases on every machine and Node. */
class Random {
  /** @param {number} seed */
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** @returns {number} at least 0 and less than 1 */
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** @returns {number} an integer, at least 0 and less than `limit` */
  below(limit) {
    return Math.floor(this.next() * limit);
  }

  /** @returns {boolean} true once in `n` times */
  oneIn(n) {
    return this.below(n) === 0;
  }

  /**
   * @template T
   * @param {T[]} list
   * @returns {T}
   */
  pick(list) {
    return list[this.below(list.length)];
  }
}

module.exports = { Random };
