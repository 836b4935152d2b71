'use strict';

/**
 * A worker is terminated when the I/O thread has released a descriptor and JavaScript has its number, but libuv does
 * not have it yet: nobody would close the connection.
 */

const { once } = require('node:events');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { cleanUp, describeNative, ROOT, until } = require('../support');
const certificates = require('../support/certificates');
const { serve } = require('../../soak/lifetimes/server');

/** Upgrades a connection, and never returns from what makes a socket of libuv of it. */
function hangInUpgrade() {
  const { parentPort, workerData } = require('node:worker_threads');
  const { join } = require('node:path');
  const { root, isTls, port, ca } = workerData;
  const { request } = require(join(root, isTls ? 'https.js' : 'index.js'));
  const load = (name) => require(join(root, 'lib', 'socket', name));
  const hang = (descriptor) => {
    parentPort.postMessage(descriptor);
    for (;;);
  };
  if (isTls) load('tls-handle.js').TlsHandle.prototype.giveBack = hang;
  else load('native-socket.js').NativeSocket.prototype.becomeLibuv = hang;
  const headers = { Connection: 'upgrade', Upgrade: 'echo' };
  request({ host: '127.0.0.1', port, path: '/upgrade', ca, headers }).end();
}

describeNative('a worker that is terminated before libuv has a released connection', () => {
  it.each(['plain', 'tls'])('closes it: %s', async (kind) => {
    const server = await serve();
    cleanUp(() => server.close());
    const { ca } = certificates;
    const workerData = { root: path.resolve(ROOT), isTls: kind === 'tls', port: server.ports[kind], ca };
    const worker = new Worker(`(${hangInUpgrade})()`, { eval: true, workerData });
    cleanUp(() => worker.terminate());
    const [descriptor] = await once(worker, 'message');
    expect(descriptor).toBeGreaterThan(0);
    await worker.terminate();
    await until(() => server.count() === 0);
  });
});
