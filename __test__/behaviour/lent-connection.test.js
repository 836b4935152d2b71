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
  cleanUp, describeNative, exchange, http, isNative, MODULE_PATH, pseudoRandomBytes, runScript, until, untilIdle,
  untilNoConnections,
} = require('../support');
const certificates = require('../support/certificates');
const { newTlsAgent, serveTls } = require('../support/tls');
const { serveRecords } = require('../support/tls-records');
const { describeTransports } = require('../support/transports');

/** Modules that scripts load. */
const MODULES = { https: require.resolve('../../https'), certificates: require.resolve('../support/certificates') };

/** More than it takes until connections are borrowed. */
const SEQUENCE = 30;

/** Most requests that fill the buffers of the kernel. */
const MOST_TO_FILL = 5000;

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/** Body of a NewSessionTicket (RFC 8446, section 4.6.1): lifetime, age, nonce, ticket, extensions. */
const TICKET = Buffer.from([0, 0, 0x0e, 0x10, 1, 2, 3, 4, 1, 9, 0, 4, 1, 2, 3, 4, 0, 0]);

const direct = () => http.stats().direct;

/** Makes requests one after the other, each when the connection is idle again. */
async function sequence(options, count = SEQUENCE) {
  for (let i = 0; i < count; i++) {
    await exchange(options);
    await untilIdle(options.agent);
  }
}

/** An agent that has borrowed its connection to a peer. */
async function borrowing(transport, peer, options) {
  const agent = transport.newAgent({ keepAlive: true, ...options });
  await sequence({ ...peer.address, agent });
  return agent;
}

/** Waits for what need not come: tells whether it has within a second. */
async function comes(condition) {
  for (const end = performance.now() + 1000; !condition();) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => { setImmediate(resolve); });
  }
  return true;
}

/** Describes the same tests once for each transport that is lent. */
function describeLent(title, define) {
  if (isNative) describeTransports(title, define, ({ isLent }) => isLent);
  else describeNative(title, () => it('needs the I/O thread', () => {}));
}

describeLent('requests one at a time', (transport) => {
  it('are exchanged by the JavaScript thread after the first few', async () => {
    const peer = await transport.serve((req, res) => res.end('hello'));
    const agent = await borrowing(transport, peer);
    const before = direct();
    await sequence({ ...peer.address, agent });
    expect(direct() - before).toBe(SEQUENCE);
    expect(peer.accepted).toHaveLength(1);
  });

  it('go by the I/O thread as soon as there are many at a time, and come back afterwards', async () => {
    const peer = await transport.serve((req, res) => res.end('hello'));
    const agent = await borrowing(transport, peer);
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
    const peer = await transport.serve((req, res) => {
      const [, framing, size] = req.url.split('/');
      if (framing === 'length') res.setHeader('Content-Length', size);
      req.resume().on('end', () => {
        for (let at = 0; at < Number(size); at += 30_000) res.write(bytes.subarray(at, Math.min(size, at + 30_000)));
        res.end();
      });
    });
    const agent = await borrowing(transport, await transport.serve((req, res) => res.end()));
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
    const peer = await transport.serve((req, res) => {
      if (req.url === '/never') return;
      res.write(req.url);
      if (req.url !== '/half') res.end();
    });
    const agent = await borrowing(transport, await transport.serve((req, res) => res.end()));
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

describeLent('a borrowed connection', (transport) => {
  it('carries a request that is called off as soon as it is written', async () => {
    const urls = [];
    const peer = await transport.serve((req, res) => {
      urls.push(req.url);
      res.end();
    });
    for (let i = 0; i < 5; i++) {
      const agent = await borrowing(transport, peer);
      const req = http.get({ ...peer.address, agent, path: `/once/${i}` });
      req.on('error', () => {}).on('finish', () => req.destroy());
      await until(() => urls.includes(`/once/${i}`));
    }
  });

  it('leaves the pool when the peer closes it', async () => {
    const peer = await transport.serve((req, res) => res.end());
    const agent = await borrowing(transport, peer);
    const [[socket]] = Object.values(agent.freeSockets);
    const closed = once(socket, 'close');
    peer.accepted[0].end();
    await closed;
    expect(agent.freeSockets).toEqual({});
  });

  it('leaves the pool when bytes come that nobody asked for', async () => {
    const peer = await transport.serve((req, res) => res.end());
    const agent = await borrowing(transport, peer);
    const [[socket]] = Object.values(agent.freeSockets);
    const closed = once(socket, 'close');
    peer.accepted[0].write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged');
    await closed;
    expect((await exchange({ ...peer.address, agent })).body.toString()).toBe('');
  });

  it('is replaced when it has died while JavaScript was busy', async () => {
    const script = await runScript(async (client, { isTls, modules }) => {
      const { spawn } = require('node:child_process');
      const { ca, local } = require(modules.certificates);
      const source = `let n = 0; const s = require('${isTls ? 'tls' : 'net'}').createServer(${JSON.stringify(local)},
        (c) => c.on('error', () => {}).on('data', () => {
          n++; c.write('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok'); if (n === 40) c.end(); }));
        s.listen(0, '127.0.0.1', () => console.log(s.address().port));`;
      const server = spawn(process.execPath, ['-e', source]);
      const [port] = await require('node:events').once(server.stdout, 'data');
      const { Agent, get } = isTls ? require(modules.https) : client;
      const agent = new Agent({ keepAlive: true, ca });
      for (let i = 0; i < 60; i++) {
        await new Promise((resolve, reject) => {
          get({ agent, port: Number(port), host: '127.0.0.1' }, (res) => res.resume().on('end', resolve))
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
    }, { timeout: 20000, args: { isTls: transport.isTls, modules: MODULES } });
    expect(script.stderr).toBe('');
    const stats = JSON.parse(script.stdout);
    expect(stats.responses).toBe(60);
    expect(stats.direct).toBeGreaterThan(20);
    expect(stats.connectionsOpened).toBe(2);
  });

  it('can be upgraded', async () => {
    const peer = await transport.serveRaw((socket) => socket.on('data', (data) => {
      const text = data.toString();
      if (text.startsWith('GET /upgrade')) {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nfirst');
      } else if (text.startsWith('GET')) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      } else {
        socket.write(data);
      }
    }));
    const agent = await borrowing(transport, peer);
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
    const peer = await transport.serve((req, res) => {
      if (req.url !== '/slow') return res.end();
      answer = () => res.end('late');
      return undefined;
    });
    const agent = await borrowing(transport, peer);
    const req = http.get({ ...peer.address, agent, path: '/slow', timeout: 20 });
    await once(req, 'timeout');
    answer();
    const [res] = await once(req, 'response');
    expect((await once(res, 'data'))[0].toString()).toBe('late');
  });

  it('gives up on garbage with the code of the parser', async () => {
    const peer = await transport.serveRaw((socket) => socket.on('data', (data) => {
      socket.write(data.includes('/garbage') ? 'garbage' : 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    }));
    const agent = await borrowing(transport, peer);
    const req = http.get({ ...peer.address, agent, path: '/garbage' });
    const [error] = await once(req, 'error');
    expect(error.code).toMatch(/^HPE_/);
    expect(error.rawPacket.toString()).toBe('garbage');
    await until(() => Object.keys(agent.sockets).length === 0);
  });

  it('goes on where the kernel takes no more in the middle of a request', async () => {
    const received = [];
    const lengthOf = () => received.reduce((sum, { length }) => sum + length, 0);
    let isAnswerDue = () => true;
    const peer = await transport.serveRaw((socket) => socket.on('data', (data) => {
      received.push(data);
      if (isAnswerDue()) socket.write(ANSWER);
    }));
    const agent = await borrowing(transport, peer);
    const [socket] = peer.accepted;
    const body = pseudoRandomBytes(7000);
    const send = () => exchange({ ...peer.address, agent, method: 'POST', body });
    received.length = 0;
    isAnswerDue = () => Buffer.concat(received).subarray(-body.length).equals(body);
    await send();
    const request = Buffer.concat(received);
    await untilIdle(agent);

    socket.pause();
    isAnswerDue = () => false;
    let count = 1;
    let isAnswered = true;
    for (let isFull = false; !isFull && count < MOST_TO_FILL;) {
      const before = http.stats().bytesOut;
      const answered = send();
      count++;
      isFull = !await comes(() => http.stats().bytesOut - before >= request.length);
      isAnswered = !isFull;
      if (isFull) break;
      socket.write(ANSWER);
      await answered;
      // A few bytes of it may not be the kernel's yet.
      isFull = !await comes(() => Object.keys(agent.sockets).length === 0);
    }
    expect(count).toBeLessThan(MOST_TO_FILL);
    isAnswerDue = () => !isAnswered && lengthOf() === request.length * count;
    socket.resume();
    await until(() => lengthOf() >= request.length * count);
    expect(Buffer.concat(received).equals(Buffer.concat(Array(count).fill(request)))).toBe(true);
    await untilIdle(agent);
    isAnswerDue = () => true;
    const before = direct();
    await sequence({ ...peer.address, agent }, 5);
    expect(direct()).toBeGreaterThan(before);
    expect(peer.accepted).toHaveLength(1);
  });

  it('keeps the async context of each request', async () => {
    const storage = new AsyncLocalStorage();
    const peer = await transport.serve((req, res) => res.end('hello'));
    const agent = await borrowing(transport, peer);
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

describeNative('TLS of a borrowed connection', () => {
  it('answers questions while requests are in progress and between them', async () => {
    const ofPeer = [];
    const peer = await serveTls((req, res) => {
      ofPeer.push(req.socket.exportKeyingMaterial(32, 'label').toString('hex'));
      res.end();
    });
    const agent = newTlsAgent({ keepAlive: true });
    await sequence({ ...peer.address, agent, protocol: 'https:' });
    const before = direct();
    const [[socket]] = Object.values(agent.freeSockets);
    const ask = () => [
      socket.exportKeyingMaterial(32, 'label').toString('hex'), socket.getSession().length > 0, socket.getProtocol(),
      socket.authorized, socket.getPeerCertificate().subject.CN, socket.setMaxSendFragment(2000),
    ];
    const answers = [];
    for (let i = 0; i < 5; i++) {
      answers.push(ask());
      const exchanged = exchange({ ...peer.address, agent, protocol: 'https:' });
      answers.push(ask());
      await exchanged;
      await untilIdle(agent);
    }
    for (const answer of answers) expect(answer).toEqual([ofPeer[0], true, 'TLSv1.3', true, 'localhost', true]);
    expect(new Set(ofPeer).size).toBe(1);
    expect(direct() - before).toBe(5);
  });

  it('tells of a session that comes behind a response, in the same segment', async () => {
    const peer = await serveRecords(async (connection) => {
      for (;;) {
        const isLast = (await connection.request()).includes('/ticket');
        await connection.send(connection.data(ANSWER), ...isLast ? [connection.handshake(4, TICKET)] : []);
      }
    });
    cleanUp(peer.close);
    const agent = newTlsAgent({ keepAlive: true });
    await sequence({ ...peer.address, agent, protocol: 'https:' });
    const [[socket]] = Object.values(agent.freeSockets);
    for (let i = 0; i < 3; i++) {
      const before = direct();
      const told = once(socket, 'session');
      const { req } = await exchange({ ...peer.address, agent, protocol: 'https:', path: '/ticket' });
      expect((await told)[0].length).toBeGreaterThan(100);
      expect([req.socket, direct()]).toEqual([socket, before + 1]);
      await untilIdle(agent);
    }
  });

  it.each([[false], [true]])('can be renegotiated (while a request is in progress: %s)', async (isInProgress) => {
    let answer = (res) => res.end();
    const peer = await serveTls((req, res) => answer(res), { maxVersion: 'TLSv1.2' });
    const agent = newTlsAgent({ keepAlive: true });
    await sequence({ ...peer.address, agent, protocol: 'https:' });
    const [[socket]] = Object.values(agent.freeSockets);
    const finished = () => socket.getFinished().toString('hex');
    const before = [finished(), direct()];
    const asked = new Promise((resolve) => { answer = resolve; });
    const exchanged = isInProgress && exchange({ ...peer.address, agent, protocol: 'https:' });
    const held = isInProgress && await asked;
    await new Promise((resolve, reject) => {
      socket.renegotiate({}, (error) => (error ? reject(error) : resolve()));
    });
    expect(finished()).not.toBe(before[0]);
    answer = (res) => res.end();
    if (isInProgress) {
      expect(direct() - before[1]).toBe(1);
      held.end('body');
      expect(String((await exchanged).body)).toBe('body');
      await untilIdle(agent);
    }
    const { req } = await exchange({ ...peer.address, agent, protocol: 'https:' });
    expect(req.socket).toBe(socket);
  });
});

/** Runs in a process of its own: a borrowed connection, with TLS or without, then what `then` says. */
function borrowThen(isTls, then) {
  return `async (http) => {
    const { ca, local } = require(${JSON.stringify(MODULES.certificates)});
    const server = require('node:${isTls ? 'https' : 'http'}').createServer(local, (req, res) => {
      if (req.url !== '/never') res.end('hello');
    }).listen(0, '127.0.0.1');
    await require('node:events').once(server, 'listening');
    server.unref();
    server.on('connection', (socket) => socket.unref());
    const client = ${isTls ? `require(${JSON.stringify(MODULES.https)})` : 'http'};
    const agent = new client.Agent({ keepAlive: true, ca });
    const options = { agent, port: server.address().port, host: '127.0.0.1' };
    const get = (path, onResponse) => client.get({ ...options, path }, onResponse);
    for (let i = 0; i < ${SEQUENCE}; i++) {
      await new Promise((resolve) => get('/', (res) => res.resume().on('end', () => setImmediate(resolve))));
    }
    if (http.stats().direct === 0) throw new Error('nothing is borrowed');
    (${then})(http, get);
  }`;
}

const PROTOCOLS = [['http', false], ['https', true]];

describeNative.each(PROTOCOLS)('a process with a borrowed connection of %s', (_what, isTls) => {
  it('ends by itself', async () => {
    const { code, timedOut, stderr } = await runScript(borrowThen(isTls, () => {}));
    expect({ code, timedOut, stderr }).toEqual({ code: 0, timedOut: false, stderr: '' });
  });

  it('lives on while a response is awaited', async () => {
    const { timedOut } = await runScript(borrowThen(isTls, (client, get) => get('/never')), { timeout: 1500 });
    expect(timedOut).toBe(true);
  });

  it('can be left from a listener of the response', async () => {
    const { code } = await runScript(borrowThen(isTls, (client, get) => get('/', () => process.exit(7))));
    expect(code).toBe(7);
  });

  it('hears of an exception in a listener, and loses nothing by it', async () => {
    const { stdout, code } = await runScript(borrowThen(isTls, (client, get) => {
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
});

describeNative('a process with a borrowed connection', () => {
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

describeLent('a worker with borrowed connections, each', (transport) => {
  const workerData = (peer) => ({
    ...peer.address, ca: certificates.ca, module: transport.isTls ? MODULES.https : MODULE_PATH,
  });

  it('can be terminated at any moment', async () => {
    const peer = await transport.serve((req, res) => res.end('hello'));
    for (let round = 0; round < 8; round++) {
      const worker = new Worker(`
        const http = require(${JSON.stringify(MODULE_PATH)});
        const { parentPort, workerData } = require('node:worker_threads');
        const { Agent, get } = require(workerData.module);
        const agent = new Agent({ keepAlive: true });
        let count = 0;
        const next = () => get({ ...workerData, agent }, (res) => res.resume().on('end', () => {
          if (++count === 50) parentPort.postMessage(http.stats().direct);
          setImmediate(next);
        })).on('error', () => {});
        next();
      `, { eval: true, workerData: workerData(peer) });
      cleanUp(() => worker.terminate());
      const [exchanged] = await once(worker, 'message');
      expect(exchanged).toBeGreaterThan(20);
      // Somewhere in the middle of what it does.
      for (let i = 0; i < 2 * round; i++) await new Promise(setImmediate);
      expect(await worker.terminate()).toBe(1);
    }
    await untilNoConnections(peer);
  });

  it('ends by itself, and gives back what it has', async () => {
    const peer = await transport.serve((req, res) => res.end('hello'));
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(`
        const http = require(${JSON.stringify(MODULE_PATH)});
        const { workerData } = require('node:worker_threads');
        const { Agent, get } = require(workerData.module);
        const agent = new Agent({ keepAlive: true });
        let count = 0;
        const next = () => get({ ...workerData, agent }, (res) => res.resume().on('end', () => {
          if (++count < 40) setImmediate(next);
        }));
        next();
      `, { eval: true, workerData: workerData(peer) });
      cleanUp(() => worker.terminate());
      expect(await once(worker, 'exit')).toEqual([0]);
    }
    await untilNoConnections(peer);
  });
});
