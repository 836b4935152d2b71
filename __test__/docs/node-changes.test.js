'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { ROOT, describeOurs } = require('../support');

const TEXT = fs.readFileSync(path.join(ROOT, 'docs/node-changes.md'), 'utf8');
const ROWS = TEXT.split('\n').filter((line) => /^\| \d+\.\d/.test(line));

describeOurs('docs/node-changes.md', () => {
  it('has a line for each change, with four cells', () => {
    expect(ROWS.length).toBeGreaterThan(150);
    expect(ROWS.filter((row) => row.split('|').length !== 6)).toEqual([]);
    expect(new Set(ROWS).size).toBe(ROWS.length);
  });

  it('names a test for each change, unless it is one of code that is Node\'s alone', () => {
    const unproved = ROWS.map((row) => row.split('|')[4]).filter((cell) => {
      return !/`[a-z]+\/[a-z0-9.-]+`/.test(cell) && !cell.startsWith(" Node's own");
    });
    expect(unproved).toEqual([]);
  });

  it('names tests that are there', () => {
    const names = new Set([...TEXT.matchAll(/`([a-z]+\/[a-z0-9.-]+)`/g)].map(([, name]) => name));
    expect(names.size).toBeGreaterThan(25);
    const missing = [...names].filter((name) => !fs.existsSync(path.join(ROOT, '__test__', `${name}.test.js`)));
    expect(missing).toEqual([]);
  });
});
