'use strict';

/** A request that says it is sent is sent, also if the process exits in the next moment. */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const { cleanUp, describeOurs, MODULE_PATH, runScript, serveRaw, until } = require('../support');

/** Counts the bytes of bodies that come before the connection ends. */
async function serveCounting() {
  const counts = [];
  const peer = await serveRaw((socket) => {
    let count = 0;
    socket.on('data', (data) => { count += data.length; });
    socket.on('error', () => {});
    socket.on('close', () => counts.push(count));
    socket.on('end', () => socket.end());
  });
  return { ...peer, counts };
}

/** Sends a body and exits as soon as it is said to be out. */
function sendAndExit(http, { address, size, pieces }) {
  const req = http.request({ ...address, method: 'POST', headers: { 'Content-Length': size } });
  req.on('error', () => {});
  req.on('finish', () => process.exit(3));
  for (let i = 0; i < pieces; i++) req.write(Buffer.alloc(size / pieces));
  req.end();
}

describe('process.exit() in \'finish\'', () => {
  it.each([[1, 1], [100, 1], [20_000, 1], [200_000, 4], [1_000_000, 10], [4_000_000, 40]])(
    'loses no byte of a body of %i in %i writes', async (size, pieces) => {
      const peer = await serveCounting();
      const { code } = await runScript(sendAndExit, { args: { address: peer.address, size, pieces } });
      expect(code).toBe(3);
      await until(() => peer.counts.length === 1);
      expect(peer.counts[0]).toBeGreaterThan(size);
    });
});

describe('process.removeAllListeners(\'exit\')', () => {
  it.each([['before', true], ['while', false]])('%s a connection is open loses no byte', async (_when, first) => {
    const peer = await serveCounting();
    const { code, stderr } = await runScript((http, { address, early }) => {
      if (early) process.removeAllListeners('exit');
      const req = http.request({ ...address, method: 'POST', headers: { 'Content-Length': 100 } });
      req.on('error', () => {});
      req.on('socket', (socket) => socket.on('connect', () => {
        if (!early) process.removeAllListeners('exit');
        req.end(Buffer.alloc(100));
      }));
      req.on('finish', () => process.exit(3));
    }, { args: { address: peer.address, early: first } });
    expect([code, stderr]).toEqual([3, '']);
    await until(() => peer.counts.length === 1);
    expect(peer.counts[0]).toBeGreaterThan(100);
  });
});

describeOurs('the end of a process', () => {
  it('waits a moment, and no longer, for a peer that reads nothing', async () => {
    const peer = await serveRaw((socket) => socket.pause().on('error', () => {}));
    const { code, stdout } = await runScript((http, address) => {
      const req = http.request({ ...address, method: 'POST' });
      req.on('error', () => {});
      const body = Buffer.alloc(1 << 20);
      // More than any kernel takes for somebody who does not read.
      for (let i = 0; i < 32; i++) req.write(body);
      req.on('socket', (socket) => socket.on('connect', () => setTimeout(() => {
        const begun = Date.now();
        process.on('exit', () => console.log(Date.now() - begun));
        process.exit(4);
      }, 50)));
    }, { args: peer.address });
    expect(code).toBe(4);
    expect(Number(stdout)).toBeLessThan(1000);
  });

  it('leaves no listener behind when no connection is open', async () => {
    const { stdout } = await runScript(async (http) => {
      const server = require('node:http').createServer((req, res) => res.end()).listen(0, '127.0.0.1');
      await require('node:events').once(server, 'listening');
      const names = ['exit', 'removeListener'];
      const count = () => names.reduce((sum, name) => sum + process.listenerCount(name), 0);
      const before = count();
      // As a test runner does that gives each test listeners of its own.
      const restore = () => {
        const listeners = process.listeners('exit');
        process.removeAllListeners('exit');
        for (const listener of listeners) process.on('exit', listener);
      };
      for (let i = 0; i < 20; i++) {
        await new Promise((resolve) => {
          http.get({ port: server.address().port, host: '127.0.0.1', agent: false }, (res) => {
            if (i % 2) restore();
            res.resume().on('close', resolve);
          });
        });
      }
      server.close();
      for (let i = 0; i < 1000 && count() > before; i++) await new Promise(setImmediate);
      console.log(count() - before);
    });
    expect(stdout).toBe('0\n');
  });

  it('counts for workers too', async () => {
    const peer = await serveCounting();
    const worker = new Worker(`
      const { workerData } = require('node:worker_threads');
      (${sendAndExit})(require(${JSON.stringify(MODULE_PATH)}), workerData);
    `, { eval: true, workerData: { address: peer.address, size: 100_000, pieces: 1 } });
    cleanUp(() => worker.terminate());
    expect(await once(worker, 'exit')).toEqual([3]);
    await until(() => peer.counts.length === 1);
    expect(peer.counts[0]).toBeGreaterThan(100_000);
  });
});
