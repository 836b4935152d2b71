'use strict';

/**
 * A connection with TLS that the peer closes after the I/O thread has last asked the kernel for news: the thread must
 * ask about this connection again before it sends a request there.
 */

const { once } = require('node:events');
const fs = require('node:fs');
const { Worker } = require('node:worker_threads');
const { staging } = require('../../lib/bridge/bridge');
const certificates = require('../support/certificates');
const { cleanUp, describeNative, http, serve, untilIdle, untilThreadsRest } = require('../support');
const { exchangeTls, https, newTlsAgent, serveRawTls } = require('../support/tls');

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Sleeps of each thread of the process until now. Only Linux tells of them. */
function sleepsOfThreads() {
  return fs.readdirSync('/proc/self/task').map((thread) => {
    const status = fs.readFileSync(`/proc/self/task/${thread}/status`, 'latin1');
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)[1]);
  });
}

/** Waits in place until another thread has gone to sleep again, five seconds at most. */
function untilAThreadSleeps(before) {
  const deadline = performance.now() + 5000;
  while (sleepsOfThreads().every((sleeps, index) => index === 0 || sleeps === before[index])) {
    if (performance.now() > deadline) throw new Error('no thread has done anything');
  }
}

/** Gives an agent an idle connection to a server. */
async function connect(peer) {
  const agent = newTlsAgent({ keepAlive: true, maxSockets: 1 });
  const { socket } = await exchangeTls({ ...peer.address, agent });
  await untilIdle(agent);
  return { agent, socket };
}

/** Serves a request on each connection after the other, and notes what comes. */
async function serveNoting() {
  const heads = [];
  const peer = await serveRawTls((socket) => {
    socket.on('data', (chunk) => {
      heads.push(String(chunk));
      socket.write(OK);
    });
  });
  return { peer, heads };
}

/** Makes a request on an idle connection, whose bytes go out with `end()`. */
async function prepare(peer, agent) {
  const req = https.request({ ...peer.address, agent, method: 'POST' });
  const answered = once(req, 'response');
  answered.catch(() => {});
  await once(req, 'socket');
  await new Promise((resolve) => { setImmediate(resolve); });
  return { req, answered };
}

/** Sends a request, and has the peer end its connection while the I/O thread waits for the lock of that. */
function endWhileItWaits(peer, req, end) {
  req.socket._handle.tls.ask(() => {
    const sleeps = sleepsOfThreads();
    req.end('once');
    staging.ringDoorbell();
    // It has found nothing of the peer, and is about to encrypt.
    untilAThreadSleeps(sleeps);
    end([...peer.sockets].at(-1));
  });
}

/** Expects that a request went out once, and another connection took the place of its own under the same socket. */
async function expectReplaced({ req, answered }, { socket, heads, before, staleReplaced }) {
  const [res] = await answered;
  res.resume();
  expect(res.statusCode).toBe(200);
  expect(req.socket).toBe(socket);
  expect(heads.slice(before).join('').match(/POST/g)).toHaveLength(1);
  expect(http.stats().staleReplaced).toBe(staleReplaced + 1);
}

/** Makes many requests at a time: the I/O thread lends no connection for a while, and answers its peers itself. */
async function loadHeavily() {
  const { address } = await serve((req, res) => res.end());
  const requests = Array.from({ length: 20 }, () => http.get({ ...address, agent: false }, (res) => res.resume()));
  await Promise.all(requests.map((req) => once(req, 'close')));
}

const ENDS = [
  ['closed', (socket) => socket.destroy()],
  ['reset', (socket) => socket.resetAndDestroy()],
];

(process.platform === 'linux' ? describeNative : describe.skip)('a connection with TLS', () => {
  it.each(ENDS)('that is %s while the I/O thread waits for the lock of another is not used', async (_how, end) => {
    const { peer, heads } = await serveNoting();
    const other = await connect(peer);
    const { agent, socket } = await connect(peer);
    const before = heads.length;
    const { staleReplaced } = http.stats();
    const { req, answered } = await prepare(peer, agent);
    const { _handle: handle } = other.socket;
    // Holds the lock until it returns.
    handle.tls.ask(() => {
      const sleeps = sleepsOfThreads();
      // There is nothing to write, but the I/O thread asks OpenSSL what there is to send.
      staging.sendWrite(handle.connection, Buffer.alloc(0), null, true);
      staging.ringDoorbell();
      untilAThreadSleeps(sleeps);
      end([...peer.sockets].at(-1));
      req.end('once');
      staging.ringDoorbell();
    });
    await expectReplaced({ req, answered }, { socket, heads, before, staleReplaced });
  });

  it.each(ENDS)('that is %s while the I/O thread waits for its lock is not used', async (_how, end) => {
    const { peer, heads } = await serveNoting();
    const { agent, socket } = await connect(peer);
    const before = heads.length;
    const { staleReplaced } = http.stats();
    const { req, answered } = await prepare(peer, agent);
    endWhileItWaits(peer, req, end);
    await expectReplaced({ req, answered }, { socket, heads, before, staleReplaced });
  });

  it('that takes the place of one that is closed tells its secrets to the same listeners', async () => {
    const { peer, heads } = await serveNoting();
    const { agent, socket } = await connect(peer);
    const randoms = new Set();
    socket.on('keylog', (line) => randoms.add(String(line).split(' ')[1]));
    const before = heads.length;
    const { staleReplaced } = http.stats();
    const { req, answered } = await prepare(peer, agent);
    endWhileItWaits(peer, req, (ofPeer) => ofPeer.destroy());
    await expectReplaced({ req, answered }, { socket, heads, before, staleReplaced });
    expect(randoms.size).toBe(1);
  });

  it('that has ended behind another handshake, before JavaScript has heard of that, is not used', async () => {
    await loadHeavily();
    const ended = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(`
      const { parentPort, workerData: { certificate, ended } } = require('node:worker_threads');
      const options = { ...certificate, maxVersion: 'TLSv1.2' };
      const server = require('node:https').createServer(options, (req, res) => {
        res.end('ok');
        if (req.method !== 'GET') return;
        parentPort.once('message', () => req.socket.renegotiate({}, () => {
          req.socket.destroy();
          Atomics.store(ended, 0, 1);
          Atomics.notify(ended, 0);
        }));
      });
      server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
    `, { eval: true, workerData: { certificate: certificates.local, ended } });
    cleanUp(() => worker.terminate());
    const [port] = await once(worker, 'message');
    const { agent, socket } = await connect({ address: { host: '127.0.0.1', port } });
    const { staleReplaced } = http.stats();
    worker.postMessage('renegotiate');
    expect(Atomics.wait(ended, 0, 0, 10_000)).not.toBe('timed-out');
    untilThreadsRest();
    const answered = await exchangeTls({ host: '127.0.0.1', port, agent, method: 'POST', body: 'once' });
    expect(answered.res.statusCode).toBe(200);
    expect(answered.socket === socket).toBe(true);
    expect(http.stats().staleReplaced).toBe(staleReplaced + 1);
  });
});
