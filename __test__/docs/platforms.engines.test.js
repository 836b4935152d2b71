'use strict';

/** The range of Node is that of `engines` wherever it is said, and CI runs the first and last version of each line. */

const fs = require('node:fs');
const path = require('node:path');

const { ROOT } = require('../support');
const { engines } = require('../../package.json');

/** Lines that are supported, by the first version of each. */
const LINES = [...engines.node.matchAll(/(\d+)\.(\d+)\.\d+/g)]
  .map(([version, major, minor]) => ({ version, major, minor, short: minor === '0' ? major : `${major}.${minor}` }));

const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');

/** Gives the sentence of a page that says which Nodes do. */
const sentenceOf = (name, start) => read(name).replace(/\s+/g, ' ').split(start)[1]?.split(/\.(?= )/)[0];

describe('the range of engines', () => {
  it('begins each line with a version', () => {
    expect(LINES.map(({ major }) => major)).toEqual(['20', '22', '24', '26']);
  });

  it.each(['README.md', 'docs/platforms.md'])('is said by %s', (name) => {
    expect(read(name)).toContain(`\`${engines.node}\``);
  });

  it.each([
    ['README.md', '- **Node**: '], ['docs/getting-started.md', 'You need Node '], ['CONTRIBUTING.md', 'You need Node '],
    ['docs/platforms.md', 'Node itself: '],
  ])('is said in words by %s', (name, start) => {
    const numbers = sentenceOf(name, start).match(/\d+(?:\.\d+)*/g);
    expect(numbers).toEqual(expect.arrayContaining(LINES.map(({ short }) => short)));
  });

  it('is run by CI at both ends of each line', () => {
    const [, list] = /^ +node: \[(.*)\]$/m.exec(read('.github/workflows/ci.yml'));
    expect(list.split(', ')).toEqual(LINES.flatMap(({ version, major }) => [version, major]));
  });

  it('is what scripts/test-nodes.mjs runs by default', () => {
    const [, list] = /^const SUPPORTED = \[(.*)\];$/m.exec(read('scripts/test-nodes.mjs'));
    expect(list.match(/\d+/g)).toEqual(LINES.map(({ major }) => major));
  });
});
