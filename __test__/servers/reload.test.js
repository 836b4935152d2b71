'use strict';

/** nginx is reloaded while connections are busy: `npm run soak -- reload` does the same fifty times. */

const { describeOurs, http } = require('../support');
const { https } = require('../support/tls');
const reload = require('../../soak/reload/reload');

/** Milliseconds that a test may take, well above what it does on a busy machine. */
const TIMEOUT = 110_000;

const itPossible = reload.isPossible ? it : it.skip;

describeOurs('nginx that is reloaded under load', () => {
  itPossible.each(['native', 'tls'])('over %s gets no request twice, and answers each or closes', async (transport) => {
    const counts = await reload.run({ http, https }, { transport, count: 1 });
    expect(counts.requests).toBeGreaterThan(300);
    expect(counts.doubled).toBe(0);
    // Only such as went out while the old worker closed their connection.
    expect(counts.failed).toBeLessThan(10);
    for (const error of Object.keys(counts.errors)) expect(error).toMatch(/ECONNRESET|EPIPE|socket hang up/);
  }, TIMEOUT);

  itPossible('answers every idempotent request of an agent that tries again', async () => {
    const retry = { minTimeout: 1, maxRetries: 3 };
    const counts = await reload.run({ http, https }, { transport: 'native', count: 1, retry });
    expect(counts.requests).toBeGreaterThan(300);
    expect(counts.idempotent).toBe(0);
  }, TIMEOUT);
});
