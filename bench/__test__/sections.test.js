'use strict';

/* global describe, it, expect */

const { parseOptions } = require('../lib/options');
const { chartFileOf, putSection, titleOf } = require('../lib/report/sections');

const machine = { cpu: 'Acme(R) 9', cores: 2, memory: 'b', system: 'c', node: 'v20.20.2', packages: {} };

/**
 * @param {string} document
 * @returns {string[]} its headings of the second level
 */
function headings(document) {
  return document.split('\n').filter((line) => line.startsWith('## '));
}

describe('the sections of RESULTS.md', () => {
  it('are named by processor, number of processors, and release line of Node', () => {
    expect(titleOf({ machine, scope: [] })).toBe('Acme(R) 9, 2 processors, Node 20');
    expect(chartFileOf('Acme(R) 9, 2 processors, Node 20')).toBe('chart-acme-r-9-2-processors-node-20.svg');
  });

  it('are named by the choice of workloads and clients too, if not all were measured', () => {
    const scopeOf = (...args) => parseOptions(args).scope;
    expect(scopeOf('--rounds', '3', '--write')).toEqual([]);
    expect(scopeOf('--quick')).toEqual(['quick']);
    const scope = scopeOf('--workload', '^https', '--client', 'ferrequest');
    expect(titleOf({ machine, scope })).toBe('Acme(R) 9, 2 processors, Node 20, workloads `^https`, some clients');
  });

  it('are replaced by a run of the same title, which leaves the others as they are', () => {
    let document = putSection('', 'one', 'first of one\n\n### Goals\n\nnone');
    document = putSection(document, 'two', 'first of two');
    const before = document;
    document = putSection(document, 'one', 'second of one');
    expect(headings(document)).toEqual(['## one', '## two']);
    expect(document).toContain('## one\n\nsecond of one\n\n## two\n\nfirst of two\n');
    expect(document).not.toContain('first of one');
    expect(putSection(document, 'one', 'first of one\n\n### Goals\n\nnone')).toBe(before);
  });

  it('are not replaced by a run whose title begins as theirs', () => {
    const document = putSection(putSection('', 'one, workloads', 'a part'), 'one', 'all');
    expect(headings(document)).toEqual(['## one, workloads', '## one']);
    expect(document).toContain('a part');
  });

  it('stand below one introduction', () => {
    const first = putSection('# Results\n\nOf old.\n\n## one\n\nfirst\n', 'two', 'first');
    const document = putSection(first, 'two', 'second');
    expect(document.match(/^# Results$/gm)).toHaveLength(1);
    expect(document).not.toContain('Of old.');
    expect(document).toContain('README.md');
  });
});
