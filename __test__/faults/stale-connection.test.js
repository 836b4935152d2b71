'use strict';

/**
 * The keep-alive race (https://nodejs.org/api/http.html#requestreusedsocket): node:http sends a request on an idle
 * connection whose FIN has come while the event loop was busy, and the request fails. Here a connection is looked at
 * just before the first byte goes out; if the server has closed it, the request gets another, and nobody sees an error.
 */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const {
  cleanUp, exchange, http, itNative, itOurs, newAgent, onRequestHead, serveRaw, untilIdle, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Kinds of requests, and the method by which the server ends the connection before. */
const ENDINGS = [
  ['GET', undefined, 'destroy'],
  ['POST', 'a body', 'destroy'],
  ['DELETE', undefined, 'destroy'],
  ['GET', undefined, 'resetAndDestroy'],
  ['POST', 'a body', 'resetAndDestroy'],
];

/** Serves requests on connections that `endLast(how)` ends, and notes the methods of the requests. */
async function serveEnding(transport) {
  const methods = [];
  const peer = await transport.serveRaw((socket) => {
    socket.on('error', () => {});
    onRequestHead(socket, (head) => {
      methods.push(head.split(' ')[0]);
      socket.write(OK);
    });
  });
  // close(2) has happened when this returns, so that the FIN (or RST) is there; no event loop has run since.
  const endLast = (how) => [...peer.sockets].at(-1)[how]();
  return { peer, methods, endLast };
}

describeTransports('a connection that the server has closed in the same turn of the event loop', (transport) => {
  itOurs.each(ENDINGS)('is not used for %s with %j after %s()', async (method, body, how) => {
    const { peer, methods, endLast } = await serveEnding(transport);
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    await exchange({ ...peer.address, agent, method, body });
    for (let i = 0; i < 25; i++) {
      await untilIdle(agent);
      endLast(how);
      const { res } = await exchange({ ...peer.address, agent, method, body });
      expect(res.statusCode).toBe(200);
    }
    // No request was sent twice.
    expect(methods).toEqual(Array(26).fill(method));
    agent.destroy();
    await untilPoolIsEmpty(agent);
  });
});

/**
 * A server in a thread of its own that closes each connection some milliseconds after its answer. It tells in
 * `closedAt[id]`, in nanoseconds of the monotonic clock, when it had closed connection
 * `id`, and in `arrived[n]` how often request n came.
 */
const CLOSER = `
  const { workerData: { closedAt, arrived }, parentPort } = require('node:worker_threads');
  const net = require('node:net');
  let ids = 0;
  const server = net.createServer((socket) => {
    const id = ids++;
    let timer;
    const close = () => {
      socket.destroy();
      Atomics.store(closedAt, id, process.hrtime.bigint());
    };
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      clearTimeout(timer);
      Atomics.add(arrived, Number(/\\/(\\d+)/.exec(chunk.toString())[1]), 1);
      socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: ' + String(id).length + '\\r\\n\\r\\n' + id);
      timer = setTimeout(close, 1 + (id * 7) % 15);
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

const REQUESTS = 150;

/** Starts it; gives its port and what it tells. */
async function startCloser() {
  const closedAt = new BigInt64Array(new SharedArrayBuffer(8 * REQUESTS * 2));
  const arrived = new Int32Array(new SharedArrayBuffer(4 * REQUESTS));
  const worker = new Worker(CLOSER, { eval: true, workerData: { closedAt, arrived } });
  cleanUp(() => worker.terminate());
  const [port] = await once(worker, 'message');
  return { address: { host: '127.0.0.1', port }, closedAt, arrived };
}

/** Keeps the event loop busy for that many milliseconds. */
function block(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Keeps the event loop busy until the server has closed that connection, five seconds at most. */
function blockUntilClosed(closedAt, id) {
  const deadline = performance.now() + 5000;
  while (Atomics.load(closedAt, id) === 0n && performance.now() < deadline);
}

describe('a server that closes idle connections while the event loop is blocked', () => {
  itOurs('never makes a request fail that was made after the close', async () => {
    const { address, closedAt, arrived } = await startCloser();
    const agent = newAgent({ keepAlive: true, maxSockets: 1 });
    const failures = [];
    let stale = 0;
    let last;
    for (let made = 0; made < REQUESTS; made++) {
      if (last !== undefined) {
        // Every third time until the connection is closed for certain, else for a while in which it may happen at any
        // moment.
        if (made % 3 === 0) blockUntilClosed(closedAt, last);
        else block((made * 1.3) % 15);
      }
      const hadClosed = last !== undefined && Atomics.load(closedAt, last) !== 0n;
      if (hadClosed && Object.keys(agent.freeSockets).length > 0) stale++;
      try {
        const { body } = await exchange({ ...address, agent, path: `/${made}`, method: made % 2 ? 'POST' : 'GET' });
        last = Number(body);
      } catch (error) {
        if (hadClosed) failures.push(`${made}: ${error.code}`);
        last = undefined;
      }
      await untilIdle(agent);
    }
    expect(failures).toEqual([]);
    // The pool held a closed connection often enough for this to have been put to the test.
    expect(stale).toBeGreaterThan(REQUESTS / 4);
    // A request that goes out again went out for the first time now: none came twice.
    expect(Math.max(...arrived)).toBe(1);
    agent.destroy();
    await untilPoolIsEmpty(agent);
  });
});

// ferrequest counts the connections that it found closed and replaced.
itNative('a closed connection that is replaced is counted', async () => {
  const peer = await serveRaw((socket) => {
    socket.on('error', () => {});
    onRequestHead(socket, () => socket.write(OK));
  });
  const agent = newAgent({ keepAlive: true });
  await exchange({ ...peer.address, agent });
  await untilIdle(agent);
  const { staleReplaced } = http.stats();
  peer.accepted[0].destroy();
  await exchange({ ...peer.address, agent });
  expect(http.stats().staleReplaced).toBe(staleReplaced + 1);
});
