'use strict';

/**
 * node:http makes a new connection for the first request that waits when an idle or broken one leaves the pool, without
 * asking whether maxSockets allows it. Here agent.sockets[name] is never longer than maxSockets, and the server never
 * sees more connections.
 */

const {
  itOurs, http, onRequestHead, exchange, until, untilIdle, untilPoolIsEmpty, poolOf, cleanUp,
} = require('../support');
const { describeTransports } = require('../support/transports');

/**
 * Looks at the agent's tables at every event at which they can have changed; gives the greatest number of sockets in a
 * row.
 */
function watchMost(agent) {
  const watched = { most: 0 };
  const look = () => {
    for (const row of Object.values(agent.sockets)) watched.most = Math.max(watched.most, row.length);
  };
  for (const method of ['createSocket', 'removeSocket', 'addRequest']) {
    const original = agent[method];
    agent[method] = function watchedMethod(...args) {
      const result = original.apply(this, args);
      look();
      return result;
    };
  }
  agent.on('free', look);
  const timer = setInterval(look, 1);
  cleanUp(() => clearInterval(timer));
  return watched;
}

describeTransports('maxSockets', (transport) => {
  itOurs('is kept when an idle connection closes while requests wait', async () => {
    const waiting = [];
    const peer = await transport.serve((req, res) => waiting.push(() => res.end('x')));
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const first = exchange({ ...peer.address, agent });
    await until(() => waiting.length === 1);
    waiting.shift()();
    const { req } = await first;
    await untilIdle(agent);

    const watched = watchMost(agent);
    // Destroyed, and still in the table: its 'close' comes only when the two requests below are made.
    req.socket.destroy();
    const answered = [1, 2].map(() => exchange({ ...peer.address, agent }));
    expect(poolOf(agent)).toMatchObject({ sockets: 1, requests: 1 });
    for (let i = 0; i < 2; i++) {
      await until(() => waiting.length === 1);
      expect(peer.sockets.size).toBe(1);
      waiting.shift()();
    }
    await Promise.all(answered);
    expect(watched.most).toBe(1);
  });

  itOurs('is kept over hundreds of requests to a server that answers, closes and resets', async () => {
    let most = 0;
    const peer = await transport.serveRaw((socket) => {
      most = Math.max(most, peer.sockets.size);
      socket.on('end', () => socket.end());
      socket.on('error', () => {});
      let count = 0;
      onRequestHead(socket, (head) => {
        const kind = (Number(/\d+/.exec(head)[0]) * 7 + count++) % 5;
        if (kind === 0 && !transport.isTls) socket.resetAndDestroy();
        else if (kind === 0) socket.destroy();
        else if (kind === 1) socket.end();
        else if (kind === 2) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx', () => socket.destroy());
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx');
      });
    });
    const agent = transport.newAgent({ keepAlive: true, maxSockets: 3 });
    const watched = watchMost(agent);
    const outcomes = { answered: 0, failed: 0 };
    for (let round = 0; round < 10; round++) {
      for (const socket of Object.values(agent.freeSockets).flat()) socket.destroy();
      await Promise.all(Array.from({ length: 20 }, (_, index) => new Promise((resolve) => {
        const req = http.get({ ...peer.address, agent, path: `/${round * 20 + index}` });
        req.on('response', (res) => res.on('end', () => outcomes.answered++).on('error', () => {}).resume());
        req.on('error', () => outcomes.failed++);
        req.on('close', resolve);
        if (index % 6 === 5) req.on('socket', (socket) => setImmediate(() => socket.destroy()));
      })));
    }
    expect(watched.most).toBe(3);
    expect(outcomes.answered).toBeGreaterThan(50);
    expect(outcomes.failed).toBeGreaterThan(25);
    agent.destroy();
    await untilPoolIsEmpty(agent);
  });
});
