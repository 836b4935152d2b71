'use strict';

/**
 * The JavaScript thread exchanges requests itself, while few are in progress at a time, on connections that the I/O
 * thread lends. A user cannot tell, and every way out of that state leads to the same end. What a peer can do on a lent
 * connection is tested together with the other transports; see support/transports.
 */

const { AsyncLocalStorage } = require('node:async_hooks');
const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const {
  cleanUp, describeNative, exchange, http, MODULE_PATH, newAgent, pseudoRandomBytes, runScript, serve,
  serveRaw, until, untilIdle, untilNoConnections,
} = require('../support');

/** More than it takes until connections are borrowed. */
const SEQUENCE = 30;

const direct = () => http.stats().direct;

/** Makes requests one after the other, each when the connection is idle again. */
async function sequence(options, count = SEQUENCE) {
  for (let i = 0; i < count; i++) {
    await exchange(options);
    await untilIdle(options.agent);
  }
}

/** An agent that has borrowed its connection to a peer. */
async function borrowing(peer, options) {
  const agent = newAgent({ keepAlive: true, ...options });
  await sequence({ ...peer.address, agent });
  return agent;
}

describeNative('requests one at a time', () => {
  it('are exchanged by the JavaScript thread after the first few', async () => {
    const peer = await serve((req, res) => res.end('hello'));
    const agent = await borrowing(peer);
    const before = direct();
    await sequence({ ...peer.address, agent });
    expect(direct() - before).toBe(SEQUENCE);
    expect(peer.accepted).toHaveLength(1);
  });

  it('go by the I/O thread as soon as there are many at a time, and come back afterwards', async () => {
    const peer = await serve((req, res) => res.end('hello'));
    const agent = await borrowing(peer);
    const before = direct();
    for (let round = 0; round < 5; round++) {
      const all = await Promise.all(Array.from({ length: 50 }, () => exchange({ ...peer.address, agent })));
      expect(all.every(({ body }) => body.toString() === 'hello')).toBe(true);
    }
    expect(direct() - before).toBeLessThan(10);
    await sequence({ ...peer.address, agent }, 200);
    expect(direct() - before).toBeGreaterThan(50);
  });

  it('bring every body whole, whatever its size and framing, one way and the other', async () => {
    const bytes = pseudoRandomBytes(400_000);
    const sizes = [0, 1, 15, 1000, 65_535, 65_536, 65_537, 200_000, 400_000];
    const peer = await serve((req, res) => {
      const [, framing, size] = req.url.split('/');
      if (framing === 'length') res.setHeader('Content-Length', size);
      req.resume().on('end', () => {
        for (let at = 0; at < Number(size); at += 30_000) res.write(bytes.subarray(at, Math.min(size, at + 30_000)));
        res.end();
      });
    });
    const agent = await borrowing(await serve((req, res) => res.end()));
    const before = direct();
    for (let i = 0; i < 300; i++) {
      const size = sizes[(i * 7) % sizes.length];
      const path = `/${i % 2 ? 'length' : 'chunked'}/${size}`;
      const method = i % 3 ? 'GET' : 'POST';
      const body = method === 'POST' ? bytes.subarray(0, sizes[i % sizes.length]) : undefined;
      const answer = await exchange({ ...peer.address, agent, path, method, body });
      expect([path, answer.body.equals(bytes.subarray(0, size))]).toEqual([path, true]);
      await untilIdle(agent);
    }
    expect(direct() - before).toBeGreaterThan(50);
    expect(peer.accepted).toHaveLength(1);
  });

  it('see each other never, when some are called off', async () => {
    const peer = await serve((req, res) => {
      if (req.url === '/never') return;
      res.write(req.url);
      if (req.url !== '/half') res.end();
    });
    const agent = await borrowing(await serve((req, res) => res.end()));
    const before = direct();
    for (let i = 0; i < 120; i++) {
      const path = ['/never', '/half', `/${i}`, `/${i}`, `/${i}`][i % 5];
      const req = http.get({ ...peer.address, agent, path });
      const errors = [];
      req.on('error', (error) => errors.push(error.code));
      const closed = new Promise((resolve) => { req.once('close', resolve); });
      if (path === '/never') {
        await once(req, 'finish');
        req.destroy();
      } else {
        const [res] = await once(req, 'response');
        res.on('error', () => {});
        const [chunk] = await once(res, 'data');
        expect(chunk.toString()).toBe(path);
        if (path === '/half') req.destroy();
      }
      await closed;
      expect(errors).toEqual(path === '/never' ? ['ECONNRESET'] : []);
      await untilIdle(agent);
    }
    expect(direct() - before).toBeGreaterThan(20);
  });
});

describeNative('a borrowed connection', () => {
  it('carries a request that is called off as soon as it is written', async () => {
    const urls = [];
    const peer = await serve((req, res) => {
      urls.push(req.url);
      res.end();
    });
    for (let i = 0; i < 5; i++) {
      const agent = await borrowing(peer);
      const req = http.get({ ...peer.address, agent, path: `/once/${i}` });
      req.on('error', () => {}).on('finish', () => req.destroy());
      await until(() => urls.includes(`/once/${i}`));
    }
  });

  it('leaves the pool when the peer closes it', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = await borrowing(peer);
    const [[socket]] = Object.values(agent.freeSockets);
    const closed = once(socket, 'close');
    peer.accepted[0].end();
    await closed;
    expect(agent.freeSockets).toEqual({});
  });

  it('leaves the pool when bytes come that nobody asked for', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = await borrowing(peer);
    const [[socket]] = Object.values(agent.freeSockets);
    const closed = once(socket, 'close');
    peer.accepted[0].write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged');
    await closed;
    expect((await exchange({ ...peer.address, agent })).body.toString()).toBe('');
  });

  it('is replaced when it has died while JavaScript was busy', async () => {
    const script = await runScript(async (client) => {
      const { spawn } = require('node:child_process');
      const source = `let n = 0; const s = require('net').createServer((c) => c.on('data', () => {
        n++; c.write('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok'); if (n === 40) c.end(); }));
        s.listen(0, '127.0.0.1', () => console.log(s.address().port));`;
      const server = spawn(process.execPath, ['-e', source]);
      const [port] = await require('node:events').once(server.stdout, 'data');
      const agent = new client.Agent({ keepAlive: true });
      for (let i = 0; i < 60; i++) {
        await new Promise((resolve, reject) => {
          client.get({ agent, port: Number(port), host: '127.0.0.1' }, (res) => res.resume().on('end', resolve))
            .on('error', reject);
        });
        await new Promise(setImmediate);
        if (i === 39) {
          // The end comes meanwhile, and nobody has looked.
          const until = Date.now() + 200;
          while (Date.now() < until);
        }
      }
      console.log(JSON.stringify(client.stats()));
      server.kill();
      agent.destroy();
    }, { timeout: 20000 });
    expect(script.stderr).toBe('');
    const stats = JSON.parse(script.stdout);
    expect(stats.responses).toBe(60);
    expect(stats.direct).toBeGreaterThan(20);
    expect(stats.connectionsOpened).toBe(2);
  });

  it('can be upgraded', async () => {
    const peer = await serveRaw((socket) => socket.on('data', (data) => {
      const text = data.toString();
      if (text.startsWith('GET /upgrade')) {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nfirst');
      } else if (text.startsWith('GET')) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      } else {
        socket.write(data);
      }
    }));
    const agent = await borrowing(peer);
    const req = http.get({
      ...peer.address, agent, path: '/upgrade', headers: { Connection: 'upgrade', Upgrade: 'echo' },
    });
    const [, socket, head] = await once(req, 'upgrade');
    cleanUp(() => socket.destroy());
    expect(head.toString()).toBe('first');
    socket.write('and back');
    const [echoed] = await once(socket, 'data');
    expect(echoed.toString()).toBe('and back');
  });

  it('tells a timeout, and the request can go on after it', async () => {
    let answer;
    const peer = await serve((req, res) => {
      if (req.url !== '/slow') return res.end();
      answer = () => res.end('late');
      return undefined;
    });
    const agent = await borrowing(peer);
    const req = http.get({ ...peer.address, agent, path: '/slow', timeout: 20 });
    await once(req, 'timeout');
    answer();
    const [res] = await once(req, 'response');
    expect((await once(res, 'data'))[0].toString()).toBe('late');
  });

  it('gives up on garbage with the code of the parser', async () => {
    const peer = await serveRaw((socket) => socket.on('data', (data) => {
      socket.write(data.includes('/garbage') ? 'garbage' : 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    }));
    const agent = await borrowing(peer);
    const req = http.get({ ...peer.address, agent, path: '/garbage' });
    const [error] = await once(req, 'error');
    expect(error.code).toMatch(/^HPE_/);
    expect(error.rawPacket.toString()).toBe('garbage');
    await until(() => Object.keys(agent.sockets).length === 0);
  });

  it('keeps the async context of each request', async () => {
    const storage = new AsyncLocalStorage();
    const peer = await serve((req, res) => res.end('hello'));
    const agent = await borrowing(peer);
    for (let i = 0; i < 10; i++) {
      const stores = [];
      const note = () => stores.push(storage.getStore());
      await storage.run(i, () => new Promise((resolve) => {
        http.get({ ...peer.address, agent }, (res) => {
          note();
          res.on('data', note).on('end', note).on('close', resolve);
        }).on('finish', note);
      }));
      expect(stores).toEqual([i, i, i, i]);
      await untilIdle(agent);
    }
  });
});

/** Runs in a process of its own: a borrowed connection, then what `then` says. */
function borrowThen(then) {
  return `async (http) => {
    const server = require('node:http').createServer((req, res) => {
      if (req.url !== '/never') res.end('hello');
    }).listen(0, '127.0.0.1');
    await require('node:events').once(server, 'listening');
    server.unref();
    server.on('connection', (socket) => socket.unref());
    const options = { agent: new http.Agent({ keepAlive: true }), port: server.address().port, host: '127.0.0.1' };
    const get = (path, onResponse) => http.get({ ...options, path }, onResponse);
    for (let i = 0; i < ${SEQUENCE}; i++) {
      await new Promise((resolve) => get('/', (res) => res.resume().on('end', () => setImmediate(resolve))));
    }
    if (http.stats().direct === 0) throw new Error('nothing is borrowed');
    (${then})(http, get);
  }`;
}

describeNative('a process with a borrowed connection', () => {
  it('ends by itself', async () => {
    const { code, timedOut, stderr } = await runScript(borrowThen(() => {}));
    expect({ code, timedOut, stderr }).toEqual({ code: 0, timedOut: false, stderr: '' });
  });

  it('ends also if timers were mocked while it was loaded', async () => {
    const { code, timedOut } = await runScript(`async () => {
      const { mock } = require('node:test');
      mock.timers.enable({ apis: ['setTimeout'] });
      for (const key of Object.keys(require.cache)) delete require.cache[key];
      const http = require(${JSON.stringify(MODULE_PATH)});
      mock.timers.reset();
      const server = require('node:http').createServer((req, res) => res.end());
      await require('node:events').once(server.listen(0, '127.0.0.1'), 'listening');
      const options = { port: server.address().port, host: '127.0.0.1' };
      http.get(options, (res) => res.resume().on('end', () => server.close()));
    }`, { timeout: 5000 });
    expect({ code, timedOut }).toEqual({ code: 0, timedOut: false });
  });

  it('lives on while a response is awaited', async () => {
    const { timedOut } = await runScript(borrowThen((client, get) => get('/never')), { timeout: 1500 });
    expect(timedOut).toBe(true);
  });

  it('can be left from a listener of the response', async () => {
    const { code } = await runScript(borrowThen((client, get) => get('/', () => process.exit(7))));
    expect(code).toBe(7);
  });

  it('hears of an exception in a listener, and loses nothing by it', async () => {
    const { stdout, code } = await runScript(borrowThen((client, get) => {
      process.on('uncaughtException', (error) => console.log('caught', error.message));
      get('/', (res) => {
        res.on('end', () => get('/', (next) => {
          console.log('next', next.statusCode);
          next.resume();
        }));
        res.resume();
        throw new Error('thrown');
      });
    }));
    expect({ stdout, code }).toEqual({ stdout: 'caught thrown\nnext 200\n', code: 0 });
  });

  it('does nothing while it waits for a peer that takes its time', async () => {
    const { stdout } = await runScript(async (client) => {
      const server = require('node:http').createServer((req, res) => setTimeout(() => res.end(), 5));
      await require('node:events').once(server.listen(0, '127.0.0.1'), 'listening');
      const agent = new client.Agent({ keepAlive: true });
      const next = () => new Promise((resolve) => {
        client.get({ agent, port: server.address().port, host: '127.0.0.1' }, (res) => {
          res.resume().on('end', () => setImmediate(resolve));
        });
      });
      for (let i = 0; i < 50; i++) await next();
      const before = performance.eventLoopUtilization();
      for (let i = 0; i < 100; i++) await next();
      console.log(performance.eventLoopUtilization(before).utilization, client.stats().direct);
      server.close();
      agent.destroy();
    });
    const [utilization, exchanged] = stdout.split(' ').map(Number);
    expect(exchanged).toBeGreaterThan(100);
    // A loop that never slept would be at 1.
    expect(utilization).toBeLessThan(0.7);
  });
});

describeNative('a worker with borrowed connections', () => {
  it('can be terminated at any moment', async () => {
    const peer = await serve((req, res) => res.end('hello'));
    for (let round = 0; round < 15; round++) {
      const worker = new Worker(`
        const http = require(${JSON.stringify(MODULE_PATH)});
        const { parentPort, workerData } = require('node:worker_threads');
        const agent = new http.Agent({ keepAlive: true });
        let count = 0;
        const next = () => http.get({ ...workerData, agent }, (res) => res.resume().on('end', () => {
          if (++count === 50) parentPort.postMessage(http.stats().direct);
          setImmediate(next);
        })).on('error', () => {});
        next();
      `, { eval: true, workerData: peer.address });
      cleanUp(() => worker.terminate());
      const [exchanged] = await once(worker, 'message');
      expect(exchanged).toBeGreaterThan(20);
      // Somewhere in the middle of what it does.
      for (let i = 0; i < round; i++) await new Promise(setImmediate);
      expect(await worker.terminate()).toBe(1);
    }
    await untilNoConnections(peer);
  });

  it('ends by itself, and gives back what it has', async () => {
    const peer = await serve((req, res) => res.end('hello'));
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(`
        const http = require(${JSON.stringify(MODULE_PATH)});
        const { workerData } = require('node:worker_threads');
        const agent = new http.Agent({ keepAlive: true });
        let count = 0;
        const next = () => http.get({ ...workerData, agent }, (res) => res.resume().on('end', () => {
          if (++count < 40) setImmediate(next);
        }));
        next();
      `, { eval: true, workerData: peer.address });
      cleanUp(() => worker.terminate());
      expect(await once(worker, 'exit')).toEqual([0]);
    }
    await untilNoConnections(peer);
  });
});
