'use strict';

/* global describe, it, expect */

const { clientById } = require('../clients');
const { toMarkdown } = require('../lib/report/markdown');
const { toText } = require('../lib/report/text');
const { summarise } = require('../lib/summary');
const { workloadById } = require('../workloads');

/**
 * @param {string} workload
 * @returns {import('../lib/summary').WorkloadSummary} two clients, whose figures are unlike
 */
function summaryOf(workload) {
  const sample = { rate: 100, cpu: 10, js: 8, p50: 1, p99: 2, loopDelay: 12.25, resumed: 0.97, rss: 80 };
  return summarise(workloadById(workload), [
    { client: clientById('node'), samples: [sample], errors: [] },
    { client: clientById('ferrequest'), samples: [{ ...sample, rate: 300, js: 2, loopDelay: 4.9 }], errors: [] },
  ]);
}

/**
 * @param {import('../lib/summary').WorkloadSummary} summary
 * @returns {import('../lib/report/markdown').Run}
 */
function runOf(summary) {
  return {
    command: 'node bench/run.js',
    startedAt: new Date(0),
    endedAt: new Date(60_000),
    rounds: 1,
    timing: { warmUpMs: 1, warmUpAnswers: 1, longestWarmUpMs: 1, measureMs: 1, warmUpTransfers: 1, transfers: 1 },
    machine: { cpu: 'a', cores: 2, memory: 'b', system: 'c', node: 'd', packages: {} },
    missing: [],
    summaries: [summary],
    scope: [],
  };
}

describe('the reports', () => {
  it('have the delay of the event loop and the share of resumed sessions where they were measured', () => {
    const summary = summaryOf('https-resumed');
    const text = toText(summary);
    expect(text).toMatch(/loop delay p99 ms {5}× {2}resumed/);
    expect(text).toMatch(/ferrequest .* 4\.900 {2}0\.40 {5}97 %/);
    const markdown = toMarkdown(runOf(summary), '');
    expect(markdown).toContain('| loop delay p99 ms | × | resumed |');
    expect(markdown).toContain('| 4.900 | 0.40 | 97 % |');
  });

  it('have neither where they were not', () => {
    expect(toText(summaryOf('https-50'))).not.toMatch(/loop delay|resumed/);
  });

  it('name a goal that is to be below a bound', () => {
    const goal = 'ferrequest: p99 of the event-loop delay below 1 × node:http';
    expect(toText(summaryOf('https-new'))).toContain(`reached ${goal}: 0.40`);
    expect(toMarkdown(runOf(summaryOf('https-new')), '')).toContain(`${goal} | 0.40 | yes |`);
  });
});
