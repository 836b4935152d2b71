'use strict';

/** The peer answers and resets the connection before the I/O thread has said that the kernel has the whole request. */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const { bytesOf, certificate, cleanUp, describeLinux, http, itNative, responseTo } = require('../support');
const https = require('../../https');

/** A peer on a thread of its own, so that it goes on while JavaScript here is busy. */
const PEER = `
  const { parentPort, workerData: { flag, options } } = require('node:worker_threads');
  const { createServer } = options ? require('node:tls') : require('node:net');
  // Or the kernel keeps the answer until the client has acknowledged the tickets of TLS, and drops it with the reset.
  const server = createServer({ noDelay: true, ...options }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.pause();
      const head = 'HTTP/1.1 413 Payload Too Large\\r\\nConnection: close\\r\\nContent-Length: 5\\r\\n\\r\\n';
      socket.write(head + 'large', () => {
        // With bytes unread.
        socket.destroy();
        socket.on('close', () => {
          Atomics.store(flag, 0, 1);
          Atomics.notify(flag, 0);
        });
      });
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/** @type {[string, typeof http, object|null][]} */
const KINDS = [
  ['http', http, null],
  ['https', https, { key: certificate.key, cert: certificate.cert }],
];

/**
 * Starts a peer.
 * @param {object|null} options Of its TLS, if it has any.
 * @returns {Promise<{ port: number, flag: Int32Array }>} The flag is 1 when it has closed a connection.
 */
async function startPeer(options) {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(PEER, { eval: true, workerData: { flag, options } });
  cleanUp(() => worker.terminate());
  const [port] = await once(worker, 'message');
  return { port, flag };
}

/** Makes an upload of so many bytes. */
function upload({ Agent, request }, port, length) {
  const agent = new Agent({ ca: certificate.cert });
  cleanUp(() => agent.destroy());
  const req = request({ host: '127.0.0.1', port, agent, method: 'POST', headers: { 'Content-Length': length } });
  const errors = [];
  req.on('error', (error) => errors.push(error));
  req.end(Buffer.alloc(length));
  return { req, errors };
}

describe('a write that the kernel takes at once', () => {
  itNative.each(KINDS)('is over when the answer has come: %s', async (name, client, options) => {
    const { port, flag } = await startPeer(options);
    // Net gives the header, the body and the end of the request, which is empty, to the handle as soon as it can.
    const { req, errors } = upload(client, port, 300_000);
    const closed = once(req, 'close');
    const [socket] = await once(req, 'socket');
    let { bytesIn } = http.stats();
    if (options) {
      socket.prependListener('secureConnect', () => {
        bytesIn = http.stats().bytesIn;
      });
    }
    socket.on(options ? 'secureConnect' : 'connect', () => process.nextTick(() => {
      Atomics.wait(flag, 0, 0, 10_000);
      // The I/O thread has read the answer, and has not been asked what became of the end of the request.
      const deadline = Date.now() + 1000;
      while (http.stats().bytesIn === bytesIn && Date.now() < deadline);
    }));
    expect(String(await bytesOf(await responseTo(req)))).toBe('large');
    await closed;
    expect(Atomics.load(flag, 0)).toBe(1);
    expect(req.writableFinished).toBe(true);
    expect(errors).toEqual([]);
  });
});

// Other systems take less at once.
describeLinux('a body that the kernel has room for', () => {
  itNative.each(KINDS)('is out before a peer can answer its beginning: %s', async (name, client, options) => {
    const { port } = await startPeer(options);
    const outcomes = [];
    for (let i = 0; i < 40; i++) {
      const { req, errors } = upload(client, port, 600_000);
      const closed = once(req, 'close');
      outcomes.push(String(await bytesOf(await responseTo(req))));
      await closed;
      outcomes.push(...errors);
    }
    expect(outcomes).toEqual(Array(40).fill('large'));
  });
});
