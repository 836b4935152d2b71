'use strict';

/** The I/O thread shakes hands, and sends a request once the peer is verified, while JavaScript is in one tick. */

const { once } = require('node:events');
const fs = require('node:fs');
const { Worker } = require('node:worker_threads');
const certificates = require('../support/certificates');
const { cleanUp, describeNative } = require('../support');
const { https, newTlsAgent } = require('../support/tls');

/** Places of the numbers that a peer and this thread share. */
const [CONNECTIONS, REQUESTS] = [0, 1];
/** Ticks after which a connection surely has begun, or its request has been written. */
const TICKS = 20;

/** A worker that serves. */
const HTTPS = `
  const { workerData: { certificate, numbers }, parentPort } = require('node:worker_threads');
  const count = (place) => {
    Atomics.add(numbers, place, 1);
    Atomics.notify(numbers, place);
  };
  const server = require('node:https').createServer(certificate, (req, res) => {
    count(${REQUESTS});
    res.end('body');
  });
  server.on('secureConnection', () => count(${CONNECTIONS}));
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/** A worker that ends each connection in its handshake, and counts these. */
const ENDS = `
  const { workerData: { numbers }, parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer((socket) => {
    socket.once('data', () => socket.end(() => {
      Atomics.add(numbers, ${CONNECTIONS}, 1);
      Atomics.notify(numbers, ${CONNECTIONS});
    }));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/**
 * Starts a peer on a thread of its own, which counts what comes.
 * @param {string} [source] of a worker that makes a server and sends its port
 */
async function serveApart(source = HTTPS) {
  const numbers = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(source, { eval: true, workerData: { numbers, certificate: certificates.local } });
  cleanUp(() => worker.terminate());
  const [port] = await once(worker, 'message');
  return { numbers, address: { host: '127.0.0.1', port } };
}

/** Calls a function some ticks later, before any promise job. */
function afterTicks(count, callback) {
  process.nextTick(() => (count === 0 ? callback() : afterTicks(count - 1, callback)));
}

/** Waits in place until each other thread of the process has slept again, five seconds at most. */
function untilThreadsRest() {
  const deadline = performance.now() + 5000;
  let before;
  do {
    if (performance.now() > deadline) throw new Error('the threads never rest');
    before = timesOfThreads();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  } while (timesOfThreads() !== before);
}

/** @returns {string} CPU time of each other thread of the process. Only Linux tells of them. */
function timesOfThreads() {
  return fs.readdirSync('/proc/self/task').filter((thread) => thread !== String(process.pid))
    .map((thread) => fs.readFileSync(`/proc/self/task/${thread}/schedstat`, 'latin1').split(' ')[0]).join();
}

/** Waits in place until a number of the peer's is not 0. Gives whether it is. */
function waitInPlace(numbers, place) {
  return Atomics.wait(numbers, place, 0, 10_000) !== 'timed-out';
}

const itOnLinux = process.platform === 'linux' ? it : it.skip;

describeNative('while the JavaScript thread goes on', () => {
  it('a handshake is made', async () => {
    const { numbers, address } = await serveApart();
    const req = https.get({ ...address, agent: newTlsAgent() }, (res) => res.resume());
    let isMade;
    afterTicks(TICKS, () => {
      isMade = waitInPlace(numbers, CONNECTIONS);
    });
    await once(req, 'close');
    expect(isMade).toBe(true);
  });

  it('a request goes out that has waited for the peer to be verified', async () => {
    const { numbers, address } = await serveApart();
    const req = https.get({ ...address, agent: newTlsAgent() }, (res) => res.resume());
    let isOut;
    const [socket] = await once(req, 'socket');
    socket.once('secureConnect', () => {
      afterTicks(TICKS, () => {
        isOut = waitInPlace(numbers, REQUESTS);
      });
    });
    await once(req, 'close');
    expect(isOut).toBe(true);
  });

  itOnLinux('a handshake may end, before the thread has a request for it: the request fails', async () => {
    const { numbers, address } = await serveApart(ENDS);
    class LateAgent extends https.Agent {
      createConnection(...args) {
        const socket = super.createConnection(...args);
        const { _handle: handle } = socket;
        const { connect } = handle;
        handle.connect = function connectAndWait(...details) {
          const outcome = connect.apply(this, details);
          waitInPlace(numbers, CONNECTIONS);
          untilThreadsRest();
          return outcome;
        };
        return socket;
      }
    }
    const agent = new LateAgent({ ca: certificates.ca });
    const [error] = await once(https.get({ ...address, agent }), 'error');
    expect(error).toMatchObject({
      code: 'ECONNRESET', message: 'Client network socket disconnected before secure TLS connection was established',
    });
    expect(Atomics.load(numbers, CONNECTIONS)).toBe(1);
  });
});
