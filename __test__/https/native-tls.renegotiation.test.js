'use strict';

/** A server with TLS 1.2 may begin another handshake while data goes both ways. */

const { once } = require('node:events');
const { setImmediate: turn } = require('node:timers/promises');
const { Worker } = require('node:worker_threads');
const { cleanUp } = require('../support');
const { certificates, https, newNodeTlsAgent, newTlsAgent } = require('../support/tls');

/** Number of pieces of a response, and their size in bytes. */
const PIECES = 100;
const SIZE = 200000;

/**
 * Starts a server in a thread of its own, so that both sides run at once. In the middle of a response it shakes hands
 * again. What it has written before is all zeros, and the last half, which waits for that, all ones.
 * @returns {Promise<{ address: object, worker: Worker }>} The worker tells of the bytes of each request, before and
 *   behind that handshake, when the request ends or its connection closes.
 */
async function serveInThread() {
  const main = ({ parentPort, workerData }, { createServer }) => {
    const { options, pieces, size } = workerData;
    const server = createServer({ ...options, maxVersion: 'TLSv1.2' }, (req, res) => {
      const received = [0, 0];
      let handshakes = 0;
      req.on('data', ({ length }) => {
        received[handshakes] += length;
      });
      const tell = () => parentPort.postMessage(received);
      req.once('end', tell).once('error', tell);
      let sent = 0;
      const goOn = () => {
        handshakes = 1;
        send();
      };
      function send() {
        while (sent < pieces) {
          if (sent === pieces / 2 && handshakes === 0) {
            req.socket.renegotiate({}, goOn);
            return;
          }
          sent++;
          if (!res.write(Buffer.alloc(size, handshakes))) {
            res.once('drain', send);
            return;
          }
        }
        res.end();
      }
      send();
    });
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  };
  const source = `(${main})(require('node:worker_threads'), require('node:https'))`;
  const workerData = { options: certificates.local, pieces: PIECES, size: SIZE };
  const worker = new Worker(source, { eval: true, workerData });
  cleanUp(() => worker.terminate());
  const [port] = await once(worker, 'message');
  return { address: { host: '127.0.0.1', port }, worker };
}

it('what is written meanwhile waits until the peer is verified again', async () => {
  const { address, worker } = await serveInThread();
  const req = https.request({ ...address, agent: newTlsAgent({ keepAlive: true }), method: 'POST' });
  let handshakes = 0;
  req.on('socket', (socket) => socket.on('secure', () => handshakes++));
  req.write('first');
  const [res] = await once(req, 'response');
  let received = 0;
  let written = 5;
  for await (const { length } of res) {
    received += length;
    req.write('another');
    written += 7;
  }
  req.end();
  const [[before, behind]] = await once(worker, 'message');
  expect(before + behind).toBe(written);
  expect(received).toBe(PIECES * SIZE);
  expect(handshakes).toBe(2);
});

describe.each([['the I/O thread', newTlsAgent], ['Node', newNodeTlsAgent]])('with TLS of %s', (_, newAgent) => {
  it('a peer that the user refuses after another handshake gets no byte behind it, and gives none', async () => {
    const { address, worker } = await serveInThread();
    const req = https.request({ ...address, agent: newAgent({ keepAlive: true }), method: 'POST' });
    const told = once(worker, 'message');
    let handshakes = 0;
    let failure;
    req.on('socket', (socket) => {
      socket.on('secure', () => {
        if (++handshakes === 2) socket.destroy(new Error('refused'));
      });
      socket.on('error', (error) => { failure ??= error; });
    });
    req.on('error', () => {});
    req.write('first');
    const [res] = await once(req, 'response');
    const lengths = [0, 0];
    res.on('error', () => {}).on('data', (chunk) => {
      for (const byte of [0, 1]) if (chunk.includes(byte)) lengths[byte] += chunk.length;
    });
    // So that there is something to send at each moment of the handshake.
    while (!res.closed) {
      if (!req.destroyed) req.write('another');
      await turn();
    }
    const [[before, behind]] = await told;
    expect(handshakes).toBe(2);
    expect(failure).toMatchObject({ message: 'refused' });
    expect(before).toBeGreaterThan(0);
    expect(behind).toBe(0);
    expect(lengths).toEqual([PIECES * SIZE / 2, 0]);
    expect(res.complete).toBe(false);
  });
});
