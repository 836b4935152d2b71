'use strict';

const { runNode } = require('../support/child.js');

describe('examples/demo.js', () => {
  it('says of everything that it came true, and exits with 0', async () => {
    const { code, stdout, stderr } = await runNode(['examples/demo.js'], { timeout: 30_000 });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('7 of 7 came true');
    expect(stdout).not.toContain('FAILED');
  });
});
