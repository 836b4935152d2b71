'use strict';

/**
 * Copies bytes out of the memory that records are dispatched from. Its own memory keeps a copy aligned, and keeps a
 * user who holds one small chunk from holding a large slab.
 * @param {Buffer} slab
 * @param {number} start
 * @param {number} end
 * @returns {Buffer} The bytes from `start` to `end`, in an ArrayBuffer of just that length.
 */
function copyToOwnMemory(slab, start, end) {
  const bytes = Buffer.allocUnsafeSlow(end - start);
  slab.copy(bytes, 0, start, end);
  return bytes;
}

module.exports = { copyToOwnMemory };
