'use strict';

/**
 * Three things hold the process with a socket that is unreferenced, as in libuv: a connect, a write that the kernel has
 * not taken, and a shutdown. The response and an idle connection do not. Telemetry and update checks are sent so.
 */

const { Worker } = require('node:worker_threads');
const { cleanUp, runScript, serve, until } = require('../support');
const { describeTransports } = require('../support/transports');

const ENDED = { code: 0, signal: null, timedOut: false, stderr: '' };
const SIZE = 20 << 20;

/** Gives a handler that takes nothing of a body for a while, and what it has taken then. */
function slowReader() {
  const taken = { bytes: 0, whole: 0 };
  const onRequest = (req, res) => {
    if (req.url === '/warm-up') return res.end();
    req.pause();
    setTimeout(() => req.resume(), 400);
    req.on('data', (chunk) => { taken.bytes += chunk.length; });
    return req.on('error', () => {}).on('end', () => {
      taken.whole++;
      res.end();
    });
  };
  return { taken, onRequest };
}

/** Starts a server that accepts nothing for some time, and whose backlog is full. */
async function serveLate(milliseconds) {
  const worker = new Worker(`
    const net = require('node:net');
    const { parentPort, workerData } = require('node:worker_threads');
    const server = net.createServer((socket) => {
      let text = '';
      socket.on('error', () => {}).on('data', (chunk) => parentPort.postMessage({ text: text += chunk }));
    });
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      const { port } = server.address();
      parentPort.postMessage({ port });
      for (let i = 0; i < 4; i++) net.connect(port, '127.0.0.1').on('error', () => {});
      // They connect in the ticks before. Nothing is accepted until this thread runs on.
      process.nextTick(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, workerData));
    });
  `, { eval: true, workerData: milliseconds });
  cleanUp(() => worker.terminate());
  const peer = { text: '' };
  worker.on('message', (message) => Object.assign(peer, message));
  await until(() => peer.port);
  return peer;
}

describe('the process stays alive for a request whose socket is unreferenced', () => {
  it('until a connect that takes long is done, and what was written is out', async () => {
    const peer = await serveLate(700);
    const result = await runScript((http, { port }) => {
      const req = http.request({ host: '127.0.0.1', port, method: 'POST' });
      req.on('error', (error) => console.log(error.code)).on('socket', (socket) => socket.unref());
      req.end('telemetry');
    }, { args: { port: peer.port } });
    expect(result).toMatchObject({ ...ENDED, stdout: '' });
    expect(result.milliseconds).toBeGreaterThan(650);
    await until(() => peer.text.endsWith('telemetry'), () => `the body; there is ${JSON.stringify(peer.text)}`);
  });

  it.each([
    ['a lookup that takes long', ({ port }) => ({
      host: 'x.test',
      port,
      lookup: (host, { all }, callback) => setTimeout(() => {
        if (all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
        else callback(null, '127.0.0.1', 4);
      }, 100),
    })],
    ['a second address, after the first has failed', ({ port }) => ({
      host: 'x.test',
      port,
      autoSelectFamily: true,
      lookup: (host, options, callback) => {
        callback(null, ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 })));
      },
    })],
  ])('and for %s', async (_what, optionsOf) => {
    const { taken, onRequest } = slowReader();
    const peer = await serve(onRequest);
    const result = await runScript((http, { address, source }) => {
      const req = http.request({ ...new Function(`return ${source}`)()(address), method: 'POST' });
      req.on('error', (error) => console.log(error.code)).on('socket', (socket) => socket.unref());
      req.end(Buffer.alloc(20 << 20));
    }, { args: { address: peer.address, source: String(optionsOf) } });
    expect(result).toMatchObject({ ...ENDED, stdout: '' });
    await until(() => taken.whole === 1, () => `the body; there are ${taken.bytes}`);
    expect(taken.bytes).toBe(SIZE);
  });
});

describeTransports('the kernel gets every byte of a first request', (transport) => {
  it.each([
    ['in one piece', (req) => {
      req.on('socket', (socket) => socket.unref());
      req.end(Buffer.alloc(20 << 20));
    }],
    ['in many', (req) => {
      req.on('socket', (socket) => socket.unref());
      for (let i = 0; i < 320; i++) req.write(Buffer.alloc(64 << 10));
      req.end();
    }],
    ['written before its socket is unreferenced', (req) => {
      req.on('socket', (socket) => {
        for (let i = 0; i < 320; i++) req.write(Buffer.alloc(64 << 10));
        req.end();
        if (socket.connecting) socket.once('connect', () => socket.unref());
        else setImmediate(() => socket.unref());
      });
    }],
    ['whose socket is ended behind it', (req) => {
      req.on('socket', (socket) => {
        socket.unref();
        const send = () => req.end(Buffer.alloc(20 << 20), () => socket.end());
        if (socket.connecting) socket.once('connect', send);
        else send();
      });
    }],
  ])('%s', async (_how, send) => {
    const { taken, onRequest } = slowReader();
    const peer = await transport.serve(onRequest);
    const result = await transport.runScript(async (http, { address, source }, { agentTo }) => {
      const agent = await agentTo({ address });
      const req = http.request({ ...address, agent, method: 'POST' });
      req.on('error', (error) => console.log(error.code));
      new Function(`return ${source}`)()(req);
    }, { args: { address: peer.address, source: String(send) } });
    expect(result).toMatchObject({ code: 0, signal: null, timedOut: false, stderr: '' });
    await until(() => taken.whole === 1, () => `the body; there are ${taken.bytes}`);
    expect(taken.bytes).toBe(SIZE);
  });

  it('and then the process does not wait for the response', async () => {
    const taken = [];
    const peer = await transport.serve((req, res) => {
      if (req.url === '/warm-up') return res.end();
      return req.setEncoding('latin1').on('data', (chunk) => taken.push(chunk)).on('error', () => {});
    });
    const result = await transport.runScript(async (http, { address }, { agentTo }) => {
      const agent = await agentTo({ address });
      const req = http.request({ ...address, agent, method: 'POST' });
      req.on('error', (error) => console.log(error.code)).on('socket', (socket) => socket.unref());
      req.end('telemetry');
    }, { args: { address: peer.address } });
    expect(result).toMatchObject({ ...ENDED, stdout: '' });
    await until(() => taken.join('') === 'telemetry');
  });
// A handshake of TLS holds nothing while it waits for the peer.
}, (kind) => !kind.isTls);

describeTransports('the kernel gets every byte of a request', (transport) => {
  it('on a connection that has served another one', async () => {
    const { taken, onRequest } = slowReader();
    const peer = await transport.serve(onRequest);
    const result = await transport.runScript(async (http, { address }, { agentTo }) => {
      const agent = await agentTo({ address });
      await new Promise((resolve) => {
        http.get({ ...address, agent, path: '/warm-up' }, (res) => res.resume()).on('close', resolve);
      });
      const req = http.request({ ...address, agent, method: 'POST' });
      req.on('error', (error) => console.log(error.code)).on('socket', (socket) => socket.unref());
      console.log(req.reusedSocket);
      req.end(Buffer.alloc(20 << 20));
    }, { args: { address: peer.address } });
    expect(result).toMatchObject({ ...ENDED, stdout: 'true\n' });
    await until(() => taken.whole === 1, () => `the body; there are ${taken.bytes}`);
    expect(taken.bytes).toBe(SIZE);
  });
});

describe('an unreferenced socket whose peer takes nothing', () => {
  it('does not hold a process that calls process.exit()', async () => {
    const peer = await serve((req) => req.pause());
    const result = await runScript((http, address) => {
      const req = http.request({ ...address, method: 'POST' });
      req.on('socket', (socket) => {
        socket.unref();
        socket.on('connect', () => setImmediate(() => process.exit(3)));
      });
      req.end(Buffer.alloc(20 << 20));
    }, { args: peer.address });
    expect(result).toMatchObject({ code: 3, timedOut: false, stderr: '' });
  });

  it('does not hold a worker that is terminated', async () => {
    const peer = await serve((req) => req.pause());
    const result = await runScript((http, { address, modulePath }) => {
      const worker = new (require('node:worker_threads').Worker)(`
        const { parentPort, workerData: { address, modulePath } } = require('node:worker_threads');
        const req = require(modulePath).request({ ...address, method: 'POST' });
        req.on('socket', (socket) => {
          socket.unref();
          socket.on('connect', () => setImmediate(() => parentPort.postMessage('connected')));
        });
        req.end(Buffer.alloc(20 << 20));
      `, { eval: true, workerData: { address, modulePath } });
      worker.once('message', () => worker.terminate().then(() => console.log('terminated')));
    }, { args: { address: peer.address, modulePath: require('../support').MODULE_PATH } });
    expect(result).toMatchObject({ ...ENDED, stdout: 'terminated\n' });
  });

  it('does not hold the process when it is destroyed', async () => {
    const peer = await serve((req) => req.pause());
    const result = await runScript((http, address) => {
      const req = http.request({ ...address, method: 'POST' });
      req.on('error', (error) => console.log(error.code));
      req.on('socket', (socket) => {
        socket.unref();
        socket.on('connect', () => setTimeout(() => req.destroy(), 50));
      });
      req.end(Buffer.alloc(20 << 20));
    }, { args: peer.address });
    expect(result).toMatchObject({ ...ENDED, stdout: 'ECONNRESET\n' });
  });
});
