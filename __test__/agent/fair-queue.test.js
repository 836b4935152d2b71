'use strict';

/** The option `fairQueue`: requests that wait are served in the order in which they came, whatever their origin. */

const http = require('../../index');
const { bytesOf, describeOurs, exchange, isOracle, newAgent, responseTo, serve, until, untilIdle } =
  require('../support');
const { describeTransports } = require('../support/transports');

/** Makes requests to peers in this order, and tells in which order their responses came. */
async function orderOf(agent, peers) {
  const order = [];
  await Promise.all(peers.map(async (peer, index) => {
    await bytesOf(await responseTo(http.get({ ...peer.address, agent, path: `/${index}` })));
    order.push(index);
  }));
  return order;
}

describeTransports('with fairQueue', (transport) => {
  let a;
  let b;
  beforeEach(async () => {
    const answer = (req, res) => res.end();
    [a, b] = [await transport.serve(answer), await transport.serve(answer)];
  });

  it('requests of two origins are served in the order in which they came', async () => {
    const agent = transport.newAgent({ keepAlive: true, maxTotalSockets: 1, fairQueue: true });
    expect(await orderOf(agent, [a, a, b, a, b, b, a])).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await untilIdle(agent);
    expect(agent.totalSocketCount).toBe(1);
    // One for each change of the origin.
    expect([a, b].map(({ accepted }) => accepted.length)).toEqual([3, 2]);
  });

  it('an idle socket of another origin gives way', async () => {
    const agent = transport.newAgent({ keepAlive: true, maxTotalSockets: 1, fairQueue: true });
    for (const peer of [a, b, a]) expect((await exchange({ ...peer.address, agent })).res.statusCode).toBe(200);
    await untilIdle(agent);
  });

  it('the limits hold', async () => {
    const agent = transport.newAgent({ keepAlive: true, maxTotalSockets: 3, maxSockets: 2, fairQueue: true });
    let most = 0;
    const peers = Array.from({ length: 30 }, (_, index) => (index % 3 === 0 ? b : a));
    const made = peers.map(async (peer) => {
      const { req } = await exchange({ ...peer.address, agent });
      most = Math.max(most, agent.totalSocketCount, ...Object.values(agent.sockets).map(({ length }) => length + 1));
      return req.destroyed;
    });
    await Promise.all(made);
    expect(most).toBeLessThanOrEqual(3);
    await untilIdle(agent);
  });
}, ({ isLent }) => !isLent && !isOracle);

describeOurs('fairQueue', () => {
  it('passes over requests that maxSockets holds back', async () => {
    const held = [];
    const a = await serve((req, res) => held.push(res));
    const b = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true, maxTotalSockets: 2, maxSockets: 1, fairQueue: true });
    const first = exchange({ ...a.address, agent });
    const second = exchange({ ...a.address, agent });
    await exchange({ ...b.address, agent });
    await exchange({ ...b.address, agent });
    for (const made of [first, second]) {
      await until(() => held.length > 0);
      held.shift().end();
      await made;
    }
  });

  it('lets a request that is called off while it waits take nobody with it', async () => {
    const a = await serve((req, res) => res.end());
    const b = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true, maxTotalSockets: 1, fairQueue: true });
    const first = exchange({ ...a.address, agent });
    const called = http.get({ ...b.address, agent });
    const closed = new Promise((resolve) => { called.on('error', () => {}).on('close', resolve); });
    const last = exchange({ ...a.address, agent });
    called.destroy();
    await Promise.all([first, closed, last]);
    await untilIdle(agent);
  });

  it('serves the others when a host cannot be connected to', async () => {
    const a = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true, maxTotalSockets: 1, fairQueue: true });
    const first = exchange({ ...a.address, agent });
    const failed = new Promise((resolve) => { http.get({ host: '127.0.0.1', port: 1, agent }).on('error', resolve); });
    const last = exchange({ ...a.address, agent });
    expect((await failed).code).toBe('ECONNREFUSED');
    await Promise.all([first, last]);
  });

  it('is what makes the difference: without it an origin is served before all others', async () => {
    const a = await serve((req, res) => res.end());
    const b = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: false, maxTotalSockets: 1 });
    expect(await orderOf(agent, [a, a, b, a])).toEqual([0, 1, 3, 2]);
  });
});
