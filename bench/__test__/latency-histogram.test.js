'use strict';

/* global describe, it, expect */

const { LatencyHistogram } = require('../lib/latency-histogram');

/**
 * @param {number[]} milliseconds
 * @returns {LatencyHistogram}
 */
function histogramOf(milliseconds) {
  const histogram = new LatencyHistogram();
  milliseconds.forEach((value) => histogram.record(value));
  return histogram;
}

describe('LatencyHistogram', () => {
  it('finds percentiles to the microsecond', () => {
    const histogram = histogramOf(Array.from({ length: 1000 }, (_, index) => (index + 1) / 1000));
    expect(histogram.percentile(0.5)).toBeCloseTo(0.5, 2);
    expect(histogram.percentile(0.99)).toBeCloseTo(0.99, 2);
    expect(histogram.percentile(1)).toBeCloseTo(1, 2);
  });

  it('counts what takes longer than the fine range in milliseconds', () => {
    const histogram = histogramOf([1, 1, 1, 2500.7]);
    expect(histogram.percentile(0.75)).toBeCloseTo(1, 2);
    expect(histogram.percentile(1)).toBe(2500.5);
  });

  it('keeps what is beyond every range in the last bucket', () => {
    expect(histogramOf([1e9]).percentile(0.5)).toBe(99_999.5);
  });

  it('has no percentile before anything is recorded, and after a reset', () => {
    const histogram = histogramOf([1]);
    histogram.reset();
    expect(histogram.percentile(0.5)).toBeNaN();
  });
});
