'use strict';

/** Turns of the event loop under load: timers and other I/O of the program have theirs as often as with Node. */

const { Worker } = require('node:worker_threads');
const { once } = require('node:events');

const { cleanUp, describeOurs, http, newAgent } = require('../support');

/** Starts a server with a thread of its own, which answers at once. */
async function startPeer() {
  const peer = new Worker(`
    const answer = 'HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nbody';
    const server = require('node:net').createServer((socket) => {
      socket.on('error', () => {}).on('data', () => socket.write(answer));
    });
    server.listen(0, '127.0.0.1', () => require('node:worker_threads').parentPort.postMessage(server.address().port));
  `, { eval: true });
  cleanUp(() => peer.terminate());
  const [port] = await once(peer, 'message');
  return port;
}

/** Keeps the JavaScript thread busy. */
function work(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Makes requests one after the other on each connection. Gives the most that ended between two timers. */
async function mostBetweenTimers({ connections, requests, useResponse }) {
  const port = await startPeer();
  const agent = newAgent({ keepAlive: true, maxSockets: connections });
  let started = 0;
  let ended = 0;
  let since = 0;
  let most = 0;
  await new Promise((resolve, reject) => {
    const next = () => {
      if (started++ >= requests) return;
      const req = http.get({ port, host: '127.0.0.1', agent }, (res) => {
        useResponse(res, () => {
          since++;
          if (++ended === requests) resolve();
          next();
        });
      });
      req.on('error', reject);
    };
    const tick = () => {
      most = Math.max(most, since);
      since = 0;
      if (ended < requests) setTimeout(tick, 1);
    };
    for (let i = 0; i < connections; i++) next();
    tick();
  });
  return Math.max(most, since);
}

describeOurs('ten connections whose responses take a millisecond each', () => {
  // A turn of Node's has one of each connection. Here one may begin while another is under way.
  it.each([
    ['in ticks', (res, onEnd) => res.on('data', () => {}).on('end', () => { work(1); onEnd(); })],
    ['in events', (res, onEnd) => res.on('data', () => work(1)).on('end', onEnd)],
  ])('%s, leave timers their turn', async (_where, useResponse) => {
    const most = await mostBetweenTimers({ connections: 10, requests: 500, useResponse });
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(30);
  });
});
