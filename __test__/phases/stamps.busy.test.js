'use strict';

/** The I/O thread gives its events the time at which they happened, also while the JavaScript thread is busy. */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const certificates = require('../support/certificates');
const { cleanUp, describeOurs, http, turnOfEventLoop } = require('../support');
const { describeTransports } = require('../support/transports');

/** Milliseconds for which this thread goes on to be busy when the peer has done its part. */
const STALL = 300;

/** A body of two pieces, which come together. Newer releases of Node would make one of what is written in a tick. */
const RESPONSE = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n';

/** Places of the numbers that a peer and this thread share. */
const [CONNECTIONS, GO, ANSWERS] = [0, 1, 2];

/**
 * Starts a peer on a thread of its own. It counts connections and answers, and answers once it is told to.
 * @returns {Promise<{ address: object, numbers: Int32Array }>}
 */
async function serveApart({ isTls }) {
  const numbers = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(`
    const { workerData: { certificate, numbers }, parentPort } = require('node:worker_threads');
    const { createServer } = require(certificate ? 'node:https' : 'node:http');
    const server = createServer({ ...certificate }, (req, res) => {
      Atomics.wait(numbers, ${GO}, 0);
      res.socket.write(${JSON.stringify(RESPONSE)}, () => setImmediate(() => Atomics.add(numbers, ${ANSWERS}, 1)));
    });
    server.on(certificate ? 'secureConnection' : 'connection', () => Atomics.add(numbers, ${CONNECTIONS}, 1));
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  `, { eval: true, workerData: { numbers, certificate: isTls ? certificates.local : null } });
  cleanUp(() => worker.terminate());
  const [port] = await once(worker, 'message');
  return { address: { host: '127.0.0.1', port, protocol: isTls ? 'https:' : 'http:' }, numbers };
}

/** Keeps this thread busy until a number of the peer's is 1, and for a while longer. */
function beBusyUntil(numbers, place) {
  let end = performance.now() + 20_000;
  while (Atomics.load(numbers, place) === 0) {
    if (performance.now() > end) throw new Error('The peer has waited in vain');
  }
  end = performance.now() + STALL;
  while (performance.now() < end);
}

/** @returns {number} milliseconds between a stamp and the present */
function since(stamp) {
  return performance.timeOrigin + performance.now() - stamp;
}

describeOurs('of a busy JavaScript thread', () => {
  describeTransports('timings', (transport) => {
    it('have the time of the connection, and of TLS', async () => {
      const { address, numbers } = await serveApart(transport);
      Atomics.store(numbers, GO, 1);
      const req = http.get({ ...address, agent: transport.newAgent() });
      const [socket] = await once(req, 'socket');
      const lookedUp = req.timings.lookup;
      // Now the I/O thread has been told to connect.
      await new Promise((resolve) => { process.nextTick(() => process.nextTick(resolve)); });
      expect(socket.connecting).toBe(true);
      beBusyUntil(numbers, CONNECTIONS);
      await once(socket, transport.isTls ? 'secureConnect' : 'connect');
      const { timings } = req;
      for (const stamp of [timings.connect, timings.secureConnect ?? timings.connect]) {
        expect(stamp).toBeGreaterThanOrEqual(lookedUp ?? timings.lookup);
        expect(since(stamp)).toBeGreaterThan(STALL / 2);
      }
      const [res] = await once(req, 'response');
      await once(res.resume(), 'end');
      // It is the JavaScript thread that has sent the request late.
      expect(timings.phases.request).toBeGreaterThan(STALL / 2);
    });

    it('have the time of the response, and of its end', async () => {
      const { address, numbers } = await serveApart(transport);
      const req = http.get({ ...address, agent: transport.newAgent() }, (res) => res.resume());
      await once(req, 'finish');
      await turnOfEventLoop();
      expect(req.res).toBeNull();
      Atomics.store(numbers, GO, 1);
      Atomics.notify(numbers, GO);
      beBusyUntil(numbers, ANSWERS);
      await new Promise((resolve) => { req.once('close', resolve); });
      const { response, end, upload } = req.timings;
      expect(response).toBeGreaterThanOrEqual(upload);
      expect(end).toBeGreaterThanOrEqual(response);
      expect(since(end)).toBeGreaterThan(STALL / 2);
    });

    it('have the end of a reader that pauses behind the last byte', async () => {
      const { address, numbers } = await serveApart(transport);
      Atomics.store(numbers, GO, 1);
      const paused = new Promise((resolve) => {
        http.get({ ...address, agent: transport.newAgent() }, (res) => {
          res.once('data', () => res.pause()).once('pause', () => resolve(res));
        });
      });
      const res = await paused;
      await turnOfEventLoop();
      expect(res.complete).toBe(true);
      beBusyUntil(numbers, ANSWERS);
      await once(res.resume(), 'end');
      const { response, end } = res.timings;
      expect(end - response).toBeGreaterThan(STALL);
    });
  }, ({ isLent, isStream }) => !isLent && !isStream);
});
