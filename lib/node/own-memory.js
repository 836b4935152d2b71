'use strict';

const { copy } = Buffer.prototype;

/** Bytes up to which a loop copies faster than `copy`, which makes a view of the source first. */
const MOST_BY_LOOP = 48;

/** Bytes up to which memory costs less when it is cleared: memory that is not takes another call of V8. */
const MOST_CLEARED = 1024;

/**
 * Copies bytes out of memory that others use too: a chunk that the decoder has seen, or the slab that records are
 * dispatched from. A user who keeps, changes or transfers the memory of the copy has nothing else with it. For the same
 * reason the copy is never in Node's pool, which small buffers of the whole process share.
 * @param {Uint8Array} source
 * @param {number} start
 * @param {number} end
 * @returns {Buffer} The bytes from `start` to `end`, in an ArrayBuffer of just that length.
 */
function copyToOwnMemory(source, start, end) {
  const length = end - start;
  const bytes = length > MOST_CLEARED ? Buffer.allocUnsafeSlow(length) : Buffer.alloc(length);
  if (length > MOST_BY_LOOP) copy.call(source, bytes, 0, start, end);
  else for (let i = 0; i < length; i++) bytes[i] = source[start + i];
  return bytes;
}

module.exports = { copyToOwnMemory };
