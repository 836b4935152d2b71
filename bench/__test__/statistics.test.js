'use strict';

/* global describe, it, expect */

const { median, spread } = require('../lib/statistics');

describe('median', () => {
  it('is the middle value, or the mean of the two in the middle', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('leaves its argument as it is', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('spread', () => {
  it('leaves out rounds that were not measured', () => {
    expect(spread([2, NaN, 4, 3])).toEqual({ median: 3, min: 2, max: 4 });
  });

  it('is null where nothing was measured', () => {
    expect(spread([NaN])).toBeNull();
  });
});
