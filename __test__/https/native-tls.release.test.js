'use strict';

/** A connection with TLS that Node gets back for a raw listener while the I/O thread shakes hands on it. */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const { bytesOf, cleanUp, responseTo } = require('../support');
const { certificates, https, newTlsAgent } = require('../support/tls');

/** Longest wait, in milliseconds, for a handshake that must not become complete meanwhile. */
const MEANWHILE = 100;

/** Serves in a thread of its own, so that it answers while the JavaScript thread of the client is blocked. */
function serveInWorker({ key, cert, signal }) {
  const { createServer } = require('node:https');
  const { parentPort } = require('node:worker_threads');
  const server = createServer({ key, cert }, (req, res) => res.end('x'));
  server.on('secureConnection', () => {
    Atomics.store(signal, 0, 1);
    Atomics.notify(signal, 0);
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
}

/** Starts the server, and a request to it that gets a raw listener as soon as its socket is connected. */
async function requestWithRawListener(agent) {
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const source = `(${serveInWorker})(require('node:worker_threads').workerData)`;
  const worker = new Worker(source, { eval: true, workerData: { ...certificates.local, signal } });
  cleanUp(() => worker.terminate());
  const [port] = await once(worker, 'message');
  const req = https.get({ host: '127.0.0.1', port, agent });
  const [socket] = await once(req, 'socket');
  let raw = '';
  socket.once('connect', async () => {
    socket.on('data', (chunk) => { raw += chunk; });
    // Behind the doorbell: the I/O thread releases the connection while this thread is blocked.
    await null;
    Atomics.wait(signal, 0, 0, MEANWHILE);
  });
  return { req, socket, raw: () => raw };
}

describe("a raw 'data' listener added in 'connect'", () => {
  it('lets nothing of a response through from a peer that is not verified', async () => {
    const { req } = await requestWithRawListener(newTlsAgent({ ca: [] }));
    await expect(responseTo(req)).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  });

  it('gets every byte of a peer that has been verified', async () => {
    const { req, socket, raw } = await requestWithRawListener(newTlsAgent());
    const secured = once(socket, 'secureConnect');
    const res = await responseTo(req);
    await secured;
    expect([socket.authorized, String(await bytesOf(res))]).toEqual([true, 'x']);
    expect(raw()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*x/);
  });
});
