'use strict';

/** Bytes of the bodies of a storm: client and server make the same from the seed, so that every byte is known. */

const { Random } = require('../../__test__/differential/random');

/** Bytes that the longest body may have. */
const LONGEST_BODY = 1_000_000;

/** Number of places in the pattern at which a body can begin. */
const PLACES = 1 << 21;

/**
 * Makes the bytes of which every body of a storm is a part.
 * @param {number} seed
 * @returns {Buffer}
 */
function makePattern(seed) {
  const random = new Random(seed ^ 0x5eed);
  const words = new Uint32Array(Math.ceil((PLACES + LONGEST_BODY) / 4));
  for (let i = 0; i < words.length; i++) words[i] = random.next() * 2 ** 32;
  return Buffer.from(words.buffer);
}

/** Compares a body with the bytes that it should have, piece by piece. */
class BodyCheck {
  /**
   * @param {Buffer} pattern
   * @param {{ place: number, size: number }} body
   */
  constructor(pattern, { place, size }) {
    this.pattern = pattern;
    this.place = place;
    this.size = size;
    this.length = 0;
    this.isIntact = true;
  }

  /** @param {Buffer} piece */
  add(piece) {
    const from = this.place + this.length;
    this.length += piece.length;
    if (this.length > this.size || !this.pattern.subarray(from, from + piece.length).equals(piece)) {
      this.isIntact = false;
    }
  }

  /** @returns {boolean} true when the body is there to its last byte, and nothing but it */
  get isWhole() {
    return this.isIntact && this.length === this.size;
  }
}

/**
 * @param {Buffer} pattern
 * @param {{ place: number, size: number }} body
 * @returns {Buffer} the bytes of a body
 */
function bytesOfBody(pattern, { place, size }) {
  return pattern.subarray(place, place + size);
}

module.exports = { BodyCheck, bytesOfBody, makePattern, PLACES };
