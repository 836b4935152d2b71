'use strict';

/** A connection that goes back to Node while the I/O thread shakes hands: Node verifies the peer all the same. */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const { cleanUp } = require('../support');
const { certificates, https, newTlsAgent } = require('../support/tls');

/**
 * Starts a server in a thread of its own, which answers while this thread is busy.
 * @returns {Promise<{ address: object, countRequests: () => Promise<number> }>}
 */
async function serveInThread() {
  const main = ({ parentPort, workerData }, { createServer }) => {
    let requests = 0;
    const server = createServer(workerData, (req, res) => {
      requests++;
      res.end('body');
    });
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
    parentPort.on('message', () => parentPort.postMessage(requests));
  };
  const source = `(${main})(require('node:worker_threads'), require('node:https'))`;
  const worker = new Worker(source, { eval: true, workerData: certificates.local });
  cleanUp(() => worker.terminate());
  const [port] = await once(worker, 'message');
  const countRequests = async () => {
    worker.postMessage(null);
    return (await once(worker, 'message'))[0];
  };
  return { address: { host: '127.0.0.1', port }, countRequests };
}

/** Keeps this thread busy for longer than the I/O thread needs for a handshake. */
function block() {
  const end = Date.now() + 100;
  while (Date.now() < end);
}

/** Makes a request whose socket has a listener for bytes before it is connected. */
function requestWithReader(options) {
  const req = https.get(options);
  req.on('socket', (socket) => {
    socket.on('data', () => {});
    setImmediate(block);
    socket.once('connect', block);
  });
  return req;
}

it('the peer of a socket with a reader of its own is verified', async () => {
  const peer = await serveInThread();
  const req = requestWithReader({ ...peer.address, agent: newTlsAgent({ ca: undefined }) });
  req.on('response', (res) => req.emit('error', new Error(`status ${res.statusCode}`)));
  const [error] = await once(req, 'error');
  expect(error.code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  expect(await peer.countRequests()).toBe(0);
});

it('a socket with a reader of its own tells of the verified peer before the response', async () => {
  const peer = await serveInThread();
  const events = [];
  const checkServerIdentity = (name, { subject }) => {
    events.push(subject.CN);
  };
  const req = requestWithReader({ ...peer.address, agent: newTlsAgent(), checkServerIdentity });
  req.on('socket', (socket) => socket.on('secureConnect', () => events.push('secureConnect')));
  const [res] = await once(req, 'response');
  events.push('response');
  expect(String(Buffer.concat(await res.toArray()))).toBe('body');
  expect(events).toEqual(['localhost', 'secureConnect', 'response']);
});
