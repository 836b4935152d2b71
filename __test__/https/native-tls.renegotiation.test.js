'use strict';

/** A server with TLS 1.2 may begin another handshake while data goes both ways. */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const { cleanUp } = require('../support');
const { certificates, https, newTlsAgent } = require('../support/tls');

/** Number of pieces of a response, and their size in bytes. */
const PIECES = 100;
const SIZE = 200000;

/**
 * Starts a server in a thread of its own, so that both sides run at once.
 * @returns {Promise<{ address: object, worker: Worker }>} The worker tells of the bytes of each request.
 */
async function serveInThread() {
  const main = ({ parentPort, workerData }, { createServer }) => {
    const { options, pieces, size } = workerData;
    const server = createServer({ ...options, maxVersion: 'TLSv1.2' }, (req, res) => {
      let received = 0;
      req.on('data', ({ length }) => {
        received += length;
      });
      req.on('end', () => parentPort.postMessage(received));
      let sent = 0;
      const send = () => {
        while (sent < pieces) {
          if (++sent === pieces / 2) req.socket.renegotiate({}, () => {});
          if (!res.write(Buffer.alloc(size))) {
            res.once('drain', send);
            return;
          }
        }
        res.end();
      };
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
  expect(await once(worker, 'message')).toEqual([written]);
  expect(received).toBe(PIECES * SIZE);
  expect(handshakes).toBe(2);
});
