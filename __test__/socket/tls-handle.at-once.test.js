'use strict';

/**
 * New connections with TLS, for which each thread works long: one thread does not wait until the other has gone through
 * all that has come at the same time. What users ask of a connection in time counts all the same.
 */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const { staging } = require('../../lib/bridge/bridge');
const certificates = require('../support/certificates');
const { cleanUp, describeNative, untilThreadsRest } = require('../support');
const { https, newTlsAgent, serveTls } = require('../support/tls');

/** Places of the numbers that a peer and this thread share. */
const [CONNECTIONS, REQUESTS] = [0, 1];
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

/** Waits in place until a number of the peer's is so large. Gives whether it is. */
function waitInPlace(numbers, place, count) {
  const deadline = performance.now() + 10_000;
  for (let seen; (seen = Atomics.load(numbers, place)) < count;) {
    if (Atomics.wait(numbers, place, seen, deadline - performance.now()) === 'timed-out') return false;
  }
  return true;
}

/** Waits in place until a number of the peer's is so large, and the I/O thread has heard of what that brought. */
function waitForNews(numbers, place, count) {
  expect(waitInPlace(numbers, place, count)).toBe(true);
  untilThreadsRest();
}

/** Makes two requests, on a connection each, which connect in the same turn. */
async function requestTwice(address, options) {
  const requests = [1, 2].map(() => https.get({ ...address, agent: newTlsAgent(), ...options }));
  const closed = Promise.all(requests.map((req) => once(req, 'close')));
  await Promise.all(requests.map((req) => once(req, 'socket')));
  return { requests, closed };
}

const describeOnLinux = process.platform === 'linux' ? describeNative : describe.skip;

describeOnLinux('what two connections bring at the same time', () => {
  it('leads to one request before the other peer is verified', async () => {
    const { numbers, address } = await serveApart();
    const { requests, closed } = await requestTwice(address);
    const outcomes = [];
    for (const req of requests) {
      req.on('response', (res) => res.resume());
      req.socket.once('secureConnect', () => {
        outcomes.push(outcomes.length === 0 || waitInPlace(numbers, REQUESTS, 1));
      });
    }
    setImmediate(() => waitForNews(numbers, CONNECTIONS, 2));
    await closed;
    expect(outcomes).toEqual([true, true]);
  });

  it('leads to one connection before the other response ends', async () => {
    const { numbers, address } = await serveApart();
    const { requests, closed } = await requestTwice(address, { headers: { connection: 'close' } });
    const outcomes = [];
    const made = [];
    let verified = 0;
    const onEnd = () => {
      if (made.length > 0) {
        outcomes.push(waitInPlace(numbers, CONNECTIONS, 3));
        return;
      }
      made.push(https.get({ ...address, agent: newTlsAgent() }, (response) => response.resume()));
      outcomes.push(true);
    };
    const onVerified = () => {
      if (++verified === 2) setImmediate(() => waitForNews(numbers, REQUESTS, 2));
    };
    for (const req of requests) {
      req.on('response', (res) => res.resume().on('end', onEnd));
      req.socket.once('secureConnect', onVerified);
    }
    await closed;
    await once(made[0], 'close');
    expect(outcomes).toEqual([true, true]);
  });
});

describeOnLinux('a connection that has begun before the I/O thread knows of a request', () => {
  /** An agent whose connections reach the I/O thread alone, and do so before the thread goes on. */
  class HastyAgent extends https.Agent {
    constructor(wait) {
      super({ ca: certificates.ca });
      this.wait = wait;
    }

    createConnection(...args) {
      const socket = super.createConnection(...args);
      const { _handle: handle } = socket;
      const { connect } = handle;
      const { wait } = this;
      handle.connect = function connectAndWait(...details) {
        const outcome = connect.apply(this, details);
        // A large write of another request rings too.
        staging.ringDoorbell();
        wait();
        return outcome;
      };
      return socket;
    }
  }

  it('fails the request if it has ended in its handshake', async () => {
    const { numbers, address } = await serveApart(ENDS);
    const agent = new HastyAgent(() => waitForNews(numbers, CONNECTIONS, 1));
    const [error] = await once(https.get({ ...address, agent }), 'error');
    expect(error).toMatchObject({
      code: 'ECONNRESET', message: 'Client network socket disconnected before secure TLS connection was established',
    });
    expect(Atomics.load(numbers, CONNECTIONS)).toBe(1);
  });

  it('carries the request', async () => {
    const { numbers, address } = await serveApart();
    const agent = new HastyAgent(() => waitForNews(numbers, CONNECTIONS, 1));
    const [res] = await once(https.get({ ...address, agent }), 'response');
    expect(String(Buffer.concat(await res.toArray()))).toBe('body');
  });
});

/** Looks names up in a promise job. */
function lookup(_host, { all }, callback) {
  const address = '127.0.0.1';
  Promise.resolve().then(() => (all ? callback(null, [{ address, family: 4 }]) : callback(null, address, 4)));
}

it.each([
  ['within the listener', false, {}],
  ['behind it', true, {}],
  ['where a promise gives the address', false, { host: 'a.test', lookup, rejectUnauthorized: false }],
])('what a listener of "socket" asks of TLS counts, %s', async (_when, isBehind, options) => {
  const peer = await serveTls((req, res) => res.end(String(req.socket.servername)));
  for (let i = 0; i < 5; i++) {
    const req = https.get({ ...peer.address, ...options, agent: newTlsAgent() });
    const response = once(req, 'response');
    const rename = (socket) => {
      socket.setServername('localhost');
      // Time for a thread that would have begun.
      if (!isBehind && process.platform === 'linux') untilThreadsRest();
    };
    if (isBehind) {
      const [socket] = await once(req, 'socket');
      rename(socket);
    } else {
      req.once('socket', rename);
    }
    const [res] = await response;
    expect(String(Buffer.concat(await res.toArray()))).toBe('localhost');
  }
});
