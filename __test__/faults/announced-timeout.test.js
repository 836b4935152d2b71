'use strict';

/**
 * A server says in `Keep-Alive: timeout=` for how long it keeps an idle connection. Node's client takes that also for
 * the time which the next request on the connection may take: one that is slower gets a 'timeout'.
 */

const { once } = require('node:events');
const { exchange, http, itOurs, poolOf, responseTo, until } = require('../support');
const { describeTransports } = require('../support/transports');

describeTransports('an announced timeout of idle connections', (transport) => {
  const announce = (timeout) => transport.serve((req, res) => {
    res.setHeader('Keep-Alive', `timeout=${timeout}`);
    res.end();
  });

  itOurs.each([
    ['that of the agent', 60_000, {}, 60_000],
    ['its own', 60_000, { timeout: 30_000 }, 30_000],
    ['its own, which is that of the agent', 60_000, { timeout: 60_000 }, 60_000],
  ])('is not the timeout of the next request, which is %s', async (_, ofAgent, options, expected) => {
    const peer = await announce(5);
    const agent = await transport.agentTo(peer, { timeout: ofAgent });
    await exchange({ ...peer.address, agent });
    await until(() => poolOf(agent).freeSockets === 1);
    const [[idle]] = Object.values(agent.freeSockets);
    // A second less than the server has said.
    expect(idle.timeout).toBe(4000);
    const req = http.get({ ...peer.address, agent, ...options });
    const [socket] = await once(req, 'socket');
    expect(socket).toBe(idle);
    expect(socket.timeout).toBe(expected);
    await once((await responseTo(req)).resume(), 'end');
    await until(() => poolOf(agent).freeSockets === 1);
    expect(idle.timeout).toBe(4000);
  });

  itOurs('does not end the wait for a slow answer', async () => {
    const peer = await transport.serve((req, res) => {
      res.setHeader('Keep-Alive', 'timeout=1');
      if (req.url === '/slow') setTimeout(() => res.end('body'), 400);
      else res.end();
    });
    const agent = await transport.agentTo(peer, { timeout: 60_000, agentKeepAliveTimeoutBuffer: 800 });
    const events = [];
    const ask = (path) => new Promise((resolve, reject) => {
      const req = http.get({ ...peer.address, agent, path }, (res) => res.resume().on('close', resolve));
      req.on('timeout', () => events.push(`timeout of ${path}`)).on('error', reject);
    });
    await ask('/');
    await ask('/slow');
    expect(events).toEqual([]);
  });
});
