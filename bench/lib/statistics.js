'use strict';

/**
 * @param {number[]} values at least one
 * @returns {number}
 */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The median with the range that it was taken from.
 *
 * @typedef {object} Spread
 * @property {number} median
 * @property {number} min
 * @property {number} max
 *
 * @param {number[]} values
 * @returns {Spread | null} null where nothing was measured
 */
function spread(values) {
  const known = values.filter((value) => Number.isFinite(value));
  if (known.length === 0) {
    return null;
  }
  return { median: median(known), min: Math.min(...known), max: Math.max(...known) };
}

module.exports = { median, spread };
