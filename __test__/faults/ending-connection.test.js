'use strict';

/**
 * An idle connection that the server has closed takes a moment to close here too: its end is told, the writing side is
 * ended, then it is closed. A request that is made in between must get another one.
 */

const {
  exchange, http, itOurs, onRequestHead, newAgent, poolOf, serveRaw, until, untilIdle,
} = require('../support');
const { describeTransports } = require('../support/transports');

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const serveOk = (serveWith = serveRaw) => serveWith((socket) => {
  socket.on('error', () => {});
  onRequestHead(socket, (head) => {
    if (!head.includes('/later')) socket.write(OK);
  });
});

/** Keeps the event loop busy for that many milliseconds. */
function block(milliseconds) {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
}

describeTransports('an idle connection whose end has been told', (transport) => {
  const MOMENTS = {
    'at once': (ask) => ask(),
    'in the next tick': (ask) => process.nextTick(ask),
    'when promises have been resolved': (ask) => setImmediate(() => Promise.resolve().then(ask)),
    'in the next turn': (ask) => setImmediate(ask),
    'in the turn after it': (ask) => setImmediate(() => setImmediate(ask)),
  };

  /** Options of the request, and of the agent. With some, the way to the tables is Node's own. */
  const AGENTS = [
    [{}, {}], [{ family: 4 }, {}], [{}, { scheduling: 'fifo' }], [{}, { maxSockets: 1 }], [{}, { maxTotalSockets: 1 }],
  ];

  itOurs.each(Object.entries(MOMENTS))('is not given to a request that is made %s', async (_when, wait) => {
    const peer = await serveOk(transport.serveRaw);
    for (const [options, limits] of AGENTS) {
      const agent = await transport.agentTo({ ...peer, address: { ...peer.address, ...options } }, limits);
      const { req: { socket } } = await exchange({ ...peer.address, ...options, agent });
      await untilIdle(agent);
      const asked = new Promise((resolve) => {
        const ask = () => resolve(exchange({ ...peer.address, ...options, agent }));
        const onEnd = () => {
          socket.off('end', onEnd).off('close', onEnd);
          wait(ask);
        };
        // Since Node 22, one of ours closes without 'end'.
        socket.on('end', onEnd).on('close', onEnd);
      });
      peer.accepted.at(-1).end();
      const { res, req } = await asked;
      expect(res.statusCode).toBe(200);
      expect(req.socket).not.toBe(socket);
      agent.destroy();
    }
  });
});

describe('a connection whose end comes with the response of another', () => {
  /** Two idle connections, and one that waits for its answer; the idle one that would be used next is told apart. */
  async function connectionsOf(peer, agent) {
    const waiting = http.get({ ...peer.address, agent, path: '/later' });
    await Promise.all([exchange({ ...peer.address, agent }), exchange({ ...peer.address, agent })]);
    await until(() => poolOf(agent).freeSockets === 2 && !waiting.socket?.connecting);
    const [idle] = Object.values(agent.freeSockets);
    const peerOf = ({ localPort }) => peer.accepted.findLast(({ remotePort }) => remotePort === localPort);
    return { waiting, next: idle.at(-1), peerOfNext: peerOf(idle.at(-1)), peerOfWaiting: peerOf(waiting.socket) };
  }

  itOurs.each([
    ['destroy', 'behind it'], ['destroy', 'before it'],
    ['resetAndDestroy', 'behind it'], ['resetAndDestroy', 'before it'],
  ])('by %s(), %s, fails no request that is made there', async (how, order) => {
    const peer = await serveOk();
    for (let i = 0; i < 4; i++) {
      const agent = newAgent({ keepAlive: true });
      const { waiting, next, peerOfNext, peerOfWaiting } = await connectionsOf(peer, agent);
      const reused = jest.spyOn(agent, 'reuseSocket');
      // Made in the listener itself, with whatever else has been read in the same turn still to come.
      const answered = new Promise((resolve, reject) => {
        waiting.once('response', (response) => {
          response.resume();
          resolve(exchange({ ...peer.address, agent }));
        }).once('error', reject);
      });
      // Read in several pieces before the event loop goes on, so that ticks have to run between two of them.
      peerOfWaiting.write('HTTP/1.1 103 Early Hints\r\n\r\n');
      block(5);
      if (order === 'before it') peerOfNext[how]();
      peerOfWaiting.write(OK);
      if (order === 'behind it') peerOfNext[how]();
      block(10);
      const { res, req } = await answered;
      expect([res.statusCode, req.reusedSocket, reused.mock.calls.length]).toEqual([200, true, 1]);
      // One that is known to be closed is left alone; one that is not is connected again.
      if (next.destroyed) expect(req.socket).not.toBe(next);
      agent.destroy();
    }
  });
});
