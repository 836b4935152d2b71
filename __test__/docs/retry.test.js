'use strict';

/** The blocks of code in docs/retry.md run. */

const { describeOurs } = require('../support');
const { blocksOf, runBlocks } = require('../support/doc-blocks');

describeOurs('docs/retry.md', () => {
  it('has blocks of code that run, and end', async () => {
    const blocks = blocksOf('retry.md');
    expect(blocks.length).toBeGreaterThan(1);
    const results = await runBlocks(blocks);
    const expected = blocks.map((block) => ({ code: 0, stderr: '', asked: block.includes('8080') ? 1 : 0 }));
    expect(results).toEqual(expected);
  });
});
