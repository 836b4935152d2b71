'use strict';

/**
 * Copies bytes out of the memory that records are dispatched from. Memory of its own keeps a copy aligned, and a user
 * who keeps a small chunk keeps no large slab with it.
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
