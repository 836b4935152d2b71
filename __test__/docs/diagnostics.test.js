'use strict';

/** docs/diagnostics.md names every reason for which a connection closes. */

const fs = require('node:fs');
const path = require('node:path');
const { closedBy } = require('../../lib/node/connection-channels');
const { ROOT, describeOurs } = require('../support');

/** The first cells of the rows of a table, but for its heading. */
const cells = (text, heading) => {
  const table = text.slice(text.indexOf(heading)).split('\n\n')[0];
  return [...table.matchAll(/^\| `([a-z-]+)` \|/gm)].slice(1).map(([, name]) => name);
};

describeOurs('docs/diagnostics.md', () => {
  it('names each reason for which a connection closes, and so does index.d.ts', () => {
    const reasons = Object.values(closedBy).sort();
    expect(cells(fs.readFileSync(path.join(ROOT, 'docs/diagnostics.md'), 'utf8'), '| `reason` | |').sort())
      .toEqual(reasons);
    const [, union] = /export type ClosingReason =([^;]+);/.exec(fs.readFileSync(path.join(ROOT, 'index.d.ts'), 'utf8'));
    expect([...union.matchAll(/'([a-z-]+)'/g)].map(([, name]) => name).sort()).toEqual(reasons);
  });
});
