'use strict';

/** A process lacks descriptors, ports or threads: requests end as those of node:http, and later ones succeed. */

const { describeOurs } = require('../support');
const { KINDS, lack } = require('../../soak/lifetimes/scarcity');

/** Milliseconds that a test may take, well above what it does on a busy machine. */
const TIMEOUT = 110_000;

describeOurs('a process that lacks', () => {
  for (const [what, { isPossible }] of Object.entries(KINDS)) {
    const itPossible = isPossible() ? it : it.skip;
    itPossible(`${what}: its requests end as those of node:http`, async () => {
      const { faults, ends } = await lack({ kinds: [what] });
      expect(faults).toEqual([]);
      expect(ends).toBeGreaterThan(0);
    }, TIMEOUT);
  }
});
