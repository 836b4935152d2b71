'use strict';

/* global describe, it, expect */

const { clientById } = require('../clients');
const { summarise } = require('../lib/summary');
const { workloadById } = require('../workloads');

/**
 * @param {string} id
 * @param {(number | null)[]} rates one a round, null for a round that failed
 * @returns {object}
 */
function measured(id, rates) {
  const samples = rates.map((rate) => (rate === null ? null : { rate, cpu: 1e6 / rate }));
  const errors = rates.includes(null) ? ['a round failed'] : [];
  return { client: clientById(id), samples, errors };
}

describe('summarise', () => {
  it('takes ratios round by round, not between medians', () => {
    const all = [measured('node', [1, 10, 100]), measured('fetch', [2, 40, 100])];
    const { rows } = summarise(workloadById('get-1'), all);
    expect(rows[1].ratios.rate).toEqual({ median: 2, min: 1, max: 4 });
    expect(rows[1].medians.rate).toBe(40);
  });

  it('leaves a failed round out on both sides of the ratio', () => {
    const { rows } = summarise(workloadById('get-1'), [measured('node', [1, null, 2]), measured('fetch', [2, 50, 8])]);
    expect(rows[1].ratios.rate).toEqual({ median: 3, min: 2, max: 4 });
    expect(rows[0].errors).toEqual(['a round failed']);
  });

  it('compares a library on ferrequest with the same library on node:http', () => {
    const { rows } = summarise(workloadById('libraries'), [
      measured('axios', [10]),
      measured('axios-ferrequest', [15]),
      measured('got', [100]),
      measured('got-ferrequest', [300]),
    ]);
    expect(rows.map(({ ratios }) => ratios.rate.median)).toEqual([1, 1.5, 10, 3]);
  });

  it('judges the goals of ferrequest, over whichever client they name', () => {
    const { goals } = summarise(workloadById('get-50'), [
      measured('node', [10]),
      measured('undici-request', [40]),
      measured('ferrequest', [44]),
    ]);
    expect(goals.map(({ value, met }) => [value && Number(value.toFixed(2)), met])).toEqual([
      [4.4, true],
      [0.23, true],
      [1.1, false],
      [null, null],
    ]);
  });

  it('does not take a ratio at the bound for one below it', () => {
    const delays = (...values) => values.map((loopDelay) => ({ rate: 1, js: 1, loopDelay }));
    const judged = (ours) => summarise(workloadById('https-new'), [
      { client: clientById('node'), samples: delays(8), errors: [] },
      { client: clientById('ferrequest'), samples: delays(ours), errors: [] },
    ]).goals.find(({ text }) => text.includes('below'));
    expect(judged(8)).toMatchObject({ value: 1, met: false });
    expect(judged(7.9)).toMatchObject({ met: true });
  });
});
