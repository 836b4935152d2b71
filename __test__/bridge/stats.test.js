'use strict';

/** stats().connectionsReused counts requests on used connections, whichever way they got them. */

const { exchange, http, itOurs, until, untilIdle } = require('../support');
const { describeTransports } = require('../support/transports');

/** Counts while something is done. */
async function countedIn(work) {
  const before = http.stats();
  await work();
  const after = http.stats();
  return [after.requests - before.requests, after.connectionsReused - before.connectionsReused];
}

describeTransports('connectionsReused', (transport) => {
  itOurs('counts idle connections', async () => {
    const peer = await transport.serve((req, res) => res.end('body'));
    const agent = await transport.agentTo(peer);
    const counted = await countedIn(async () => {
      for (let i = 0; i < 5; i++) {
        await exchange({ ...peer.address, agent });
        await untilIdle(agent);
      }
    });
    expect(counted).toEqual([5, transport.isLent ? 5 : 4]);
  });

  itOurs('counts neither new connections nor requests that are called off before they have one', async () => {
    const peer = await transport.serve((req, res) => res.end('body'));
    const agent = transport.newAgent({ keepAlive: true });
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    const counted = await countedIn(async () => {
      const reqs = [http.get({ ...peer.address, agent }), http.get({ ...peer.address, agent })];
      for (const req of reqs) req.on('error', () => {}).destroy();
      await until(() => reqs.every(({ closed }) => closed));
      await exchange({ ...peer.address, agent: transport.newAgent() });
    });
    expect(counted).toEqual([1, 0]);
  });
});

// A burst gives a lent connection back.
describeTransports('connectionsReused', (transport) => {
  itOurs('counts connections that the queue of an agent hands on', async () => {
    const peer = await transport.serve((req, res) => res.end('body'));
    const agent = await transport.agentTo(peer, { maxSockets: 10 });
    const counted = await countedIn(async () => {
      await Promise.all(Array.from({ length: 100 }, () => exchange({ ...peer.address, agent })));
    });
    expect(peer.accepted.length).toBe(10);
    expect(counted).toEqual([100, 90]);
    await untilIdle(agent);
  });
}, ({ isLent }) => !isLent);
