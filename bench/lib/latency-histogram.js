'use strict';

// Microseconds up to a tenth of a second, milliseconds beyond: fine where requests are, and of one small size, so that
// it costs no memory while it is measured how much a client takes.
const FINE_LIMIT = 100_000;
const COARSE_LIMIT = 100_000;

/** Counts latencies, so that percentiles can be read afterwards. */
class LatencyHistogram {
  constructor() {
    this.fine = new Uint32Array(FINE_LIMIT);
    this.coarse = new Uint32Array(COARSE_LIMIT);
    this.count = 0;
  }

  reset() {
    this.fine.fill(0);
    this.coarse.fill(0);
    this.count = 0;
  }

  /** @param {number} milliseconds */
  record(milliseconds) {
    this.count++;
    const microseconds = Math.floor(milliseconds * 1000);
    if (microseconds < FINE_LIMIT) {
      this.fine[microseconds]++;
    } else {
      this.coarse[Math.min(Math.floor(milliseconds), COARSE_LIMIT - 1)]++;
    }
  }

  /**
   * @param {number} share between 0 and 1
   * @returns {number} milliseconds; NaN if nothing was recorded
   */
  percentile(share) {
    let left = Math.ceil(this.count * share);
    for (const [buckets, perMillisecond] of /** @type {const} */ ([[this.fine, 1000], [this.coarse, 1]])) {
      for (let index = 0; index < buckets.length; index++) {
        left -= buckets[index];
        if (buckets[index] > 0 && left <= 0) {
          return (index + 0.5) / perMillisecond;
        }
      }
    }
    return NaN;
  }
}

module.exports = { LatencyHistogram };
