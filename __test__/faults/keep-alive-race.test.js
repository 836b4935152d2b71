'use strict';

/**
 * The rest of the keep-alive race: the server closes an idle connection while the request is on its way to it.
 * node:http fails then. The I/O thread knows from the kernel whether an application can have read the request; if none
 * can, it goes out again. Where one may have, nothing is ever sent twice.
 */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const { cleanUp, exchange, http, isNative, itOurs, onRequestHead, untilIdle } = require('../support');
const certificates = require('../support/certificates');
const { https } = require('../support/tls');
const { describeTransports } = require('../support/transports');

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Most requests of one test. */
const MOST = 100_000;
/** Milliseconds in which a request must have met a closed connection. */
const DEADLINE = 40_000;

/** Places in what the server shares: it is about to close, the client is about to send, microseconds in between. */
const READY = 0;
const SENDING = 1;
const DELAY = 2;

/**
 * A server in a thread of its own. On a message it gets ready to close all its connections, and closes them when the
 * client is about to send, and a moment later. It counts in `reads[n]` how often it has read request n.
 */
const CLOSER = `
  const { workerData: { shared, reads, certificate }, parentPort } = require('node:worker_threads');
  const net = require('node:net');
  const tls = require('node:tls');
  const sockets = new Set();
  const serve = (socket) => {
    sockets.add(socket);
    let head = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      head += chunk;
      if (!head.endsWith('\\r\\n\\r\\n')) return;
      const number = Number(/\\/(\\d+)/.exec(head)[1]);
      head = '';
      Atomics.add(reads, number, 1);
      socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok');
    });
  };
  parentPort.on('message', () => {
    Atomics.store(shared, ${READY}, 1);
    const deadline = performance.now() + 5000;
    while (Atomics.load(shared, ${SENDING}) === 0 && performance.now() < deadline);
    const moment = performance.now() + Atomics.load(shared, ${DELAY}) / 1000;
    while (performance.now() < moment);
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  });
  const server = certificate ? tls.createServer(certificate, serve) : net.createServer({ noDelay: true }, serve);
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/** Starts it; gives its address, what it shares, and a function that has it close in so many microseconds. */
async function startCloser(isTls) {
  const shared = new Int32Array(new SharedArrayBuffer(12));
  const reads = new Int32Array(new SharedArrayBuffer(4 * MOST));
  const worker = new Worker(CLOSER, {
    eval: true, workerData: { shared, reads, certificate: isTls && certificates.local },
  });
  cleanUp(() => worker.terminate());
  const [port] = await once(worker, 'message');
  const closeIn = (microseconds) => {
    Atomics.store(shared, READY, 0);
    Atomics.store(shared, SENDING, 0);
    Atomics.store(shared, DELAY, microseconds);
    worker.postMessage('close');
    for (const deadline = performance.now() + 5000; Atomics.load(shared, READY) === 0 && performance.now() < deadline;);
    Atomics.store(shared, SENDING, 1);
  };
  return { address: { host: '127.0.0.1', port }, reads, closeIn };
}

/**
 * Makes a request.
 * @returns {Promise<string|null>} its error, or null
 */
function ask(module, options, prepare) {
  return new Promise((resolve) => {
    const req = module.request({ ...options, method: 'PATCH' }, (res) => {
      res.on('error', (error) => resolve(error.message)).on('end', () => resolve(null)).resume();
    });
    req.on('error', (error) => resolve(error.message));
    prepare(req);
    req.end();
  });
}

const describeKnown = isNative && process.platform === 'linux' ? describe : describe.skip;

describeKnown.each([
  // A command beside the request gives a lent connection back.
  ['a connection of the I/O thread', false, (req) => req.setNoDelay(true)],
  ['a lent connection', false, () => {}],
  ['TLS', true, () => {}],
])('a server that closes while a request is on its way, over %s', (_what, isTls, prepare) => {
  it('gets it on another connection, and reads no request twice', async () => {
    const { address, reads, closeIn } = await startCloser(isTls);
    const module = isTls ? https : http;
    const agent = new module.Agent({ keepAlive: true, maxSockets: 1, ...(isTls && { ca: certificates.ca }) });
    cleanUp(() => agent.destroy());
    const before = http.stats().resent;
    const avoidable = [];
    const deadline = performance.now() + DEADLINE;
    // Microseconds by which the server closes behind the moment at which the request is made.
    let delay = 0;
    let number = 0;
    while (http.stats().resent === before && performance.now() < deadline) {
      expect(await ask(module, { ...address, agent, path: `/${number++}` }, prepare)).toBe(null);
      await untilIdle(agent);
      const { staleReplaced } = http.stats();
      closeIn(Math.max(delay + number % 10, 0));
      for (const moment = performance.now() - delay / 1000; performance.now() < moment;);
      const error = await ask(module, { ...address, agent, path: `/${number}` }, prepare);
      // A reset without an end before it tells nothing.
      if (error !== null && error !== 'read ECONNRESET' && reads[number] === 0) avoidable.push(`${number}: ${error}`);
      number++;
      // The server has closed too early if the connection was found dead, else too late.
      delay += http.stats().staleReplaced > staleReplaced ? 5 : -5;
    }
    expect(http.stats().resent).toBe(before + 1);
    expect(avoidable).toEqual([]);
    expect(Math.max(...reads.subarray(0, number))).toBe(1);
  }, DEADLINE + 10_000);
});

describeTransports('a request that may have been read is not sent again', (transport) => {
  const ENDS = {
    closes: (socket) => socket.destroy(),
    // It has acknowledged nothing yet, mostly: the reset comes before.
    resets: (socket) => (socket.resetAndDestroy && !transport.isTls ? socket.resetAndDestroy() : socket.destroy()),
    'half-closes, and reads on': (socket) => socket.end(),
  };

  itOurs.each(Object.keys(ENDS))('to a peer, or a proxy, that takes it and then %s', async (how) => {
    const paths = [];
    const peer = await transport.serveRaw((socket) => {
      socket.on('error', () => {});
      onRequestHead(socket, (head) => {
        const [, path] = head.split(' ');
        paths.push(path);
        if (path === '/dropped') ENDS[how](socket);
        else socket.write(OK);
      });
    });
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    await exchange({ ...peer.address, agent, path: '/before' });
    await untilIdle(agent);
    const { length } = peer.accepted;
    await expect(exchange({ ...peer.address, agent, path: '/dropped' })).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(peer.accepted.length).toBe(length);
    await exchange({ ...peer.address, agent, path: '/behind' });
    expect(paths.filter((path) => path === '/dropped')).toEqual(['/dropped']);
  });
});
