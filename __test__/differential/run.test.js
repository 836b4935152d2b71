'use strict';

/**
 * A bounded part of the comparison with node:http; `npm run differential` has no bounds. In a process of its own,
 * because it says to which exchange an exception belongs that nobody has caught.
 */

const path = require('node:path');

const { describeOurs, runNode } = require('../support');

const SCRIPT = path.join(__dirname, 'run.js');

/** Milliseconds that a comparison may take, well above what it does on a busy machine. */
const TIMEOUT = 110000;

async function compare(...options) {
  const { code, stdout, stderr } = await runNode([SCRIPT, ...options], { timeout: TIMEOUT });
  return { code, stderr, summary: /(\d+) cases, (\d+) differences, (\d+) stalled/.exec(stdout)?.slice(1), stdout };
}

describeOurs('what a user sees is what node:http shows', () => {
  it.each([
    ['of answers changed at random', ['--cases', '700', '--seed', '20'], 700],
    ['of some answers as they stand, in each mode, with each ending', ['--whole', '--every', '43'], 200],
    ['of some short answers in two pieces, at every position, and byte by byte', ['--cut', '60', '--every', '89'], 200],
  ])('%s', async (_what, options, least) => {
    const { code, summary, stdout, stderr } = await compare(...options);
    expect(stderr).toBe('');
    // With the first differences, if there are any.
    expect(stdout.split('\nknown:')[0]).not.toContain('---');
    const [cases, differences] = summary.map(Number);
    expect([code, differences]).toEqual([0, 0]);
    expect(cases).toBeGreaterThanOrEqual(least);
  }, TIMEOUT + 5000);
});
