'use strict';

/**
 * A worker is terminated when JavaScript has the number of a descriptor, and the one for whom it is has not: libuv, for
 * a connection that the I/O thread has released, or the I/O thread, for a socket that JavaScript has made. Nobody would
 * close the socket.
 */

const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { cleanUp, describeNative, itLinux, ROOT, until } = require('../support');
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

/** Makes sockets for the I/O thread, and never returns from what hands their commands over. */
function hangBeforeDoorbell() {
  const { parentPort, workerData } = require('node:worker_threads');
  const { join } = require('node:path');
  const { root, kind, port } = workerData;
  const { Agent, request } = require(join(root, 'index.js'));
  const { staging } = require(join(root, 'lib', 'bridge', 'bridge.js'));
  staging.ringDoorbell = () => {
    parentPort.postMessage('hangs');
    for (;;);
  };
  const options = { host: '127.0.0.1', port };
  const agent = new Agent();
  if (kind === 'bound') {
    for (let i = 0; i < 3; i++) request({ ...options, agent, localAddress: '127.0.0.1' }).end();
  } else {
    const socket = agent.createConnection(options);
    socket.on('connect', () => request({ ...options, createConnection: () => socket }).end());
  }
}

/** @returns {string[]} What names each socket of the process in all its threads. */
function socketsOfProcess() {
  const names = fs.readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      // That of the folder itself.
      return '';
    }
  });
  return names.filter((name) => name.startsWith('socket:'));
}

describeNative('a worker that is terminated before the I/O thread has its sockets', () => {
  itLinux.each([['bound', 3], ['duplicated', 1]])('closes them: %s', async (kind, count) => {
    const server = await serve();
    cleanUp(() => server.close());
    const before = new Set(socketsOfProcess());
    const added = () => socketsOfProcess().filter((name) => !before.has(name)).length;
    const workerData = { root: path.resolve(ROOT), kind, port: server.ports.plain };
    const worker = new Worker(`(${hangBeforeDoorbell})()`, { eval: true, workerData });
    cleanUp(() => worker.terminate());
    await once(worker, 'message');
    expect(added()).toBeGreaterThanOrEqual(count);
    await worker.terminate();
    await until(() => added() === 0);
  });
});
