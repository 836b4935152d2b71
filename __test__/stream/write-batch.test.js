'use strict';

/** Many requests of one turn of the event loop, on connections that JavaScript reads from. */

const { AsyncLocalStorage } = require('node:async_hooks');
const { once } = require('node:events');
const { Duplex } = require('node:stream');
const { bytesOf, http, newAgent, poolOf, responseTo, until } = require('../support');
const { ROOT, runScript } = require('../support/child');
const { certificates, exchangeTls, https, newNodeTlsAgent, serveRawTls, serveTls } = require('../support/tls');

const MANY = 40;
const many = (make) => Promise.all(Array.from({ length: MANY }, (_, index) => make(index)));

/** An agent with as many idle connections to a peer as there are requests in these tests. */
async function warmAgent(peer) {
  const agent = newNodeTlsAgent({ keepAlive: true });
  await many(() => exchangeTls({ ...peer.address, agent }));
  await until(() => poolOf(agent).freeSockets === MANY);
  return agent;
}

/**
 * The client's end of a TLS connection in memory, whose peer answers before the callback of the write is called.
 * (`encrypted` is how Node tells TLS sockets from others.)
 */
class HastyConnection extends Duplex {
  constructor(answer) {
    super();
    this.encrypted = true;
    this.answer = answer;
  }

  // A pool asks these of a socket.
  setKeepAlive() {}

  setTimeout() {}

  ref() {}

  unref() {}

  _read() {}

  _write(chunk, encoding, callback) {
    setImmediate(callback);
    this.answer(this, String(chunk));
  }
}

/** Makes so many requests at once, twice, and tells what each of the second burst has seen. */
async function hastyBurst(answer) {
  const agent = newAgent({ keepAlive: true });
  agent.createConnection = () => new HastyConnection(answer);
  const run = (path) => many(async () => {
    const events = [];
    const req = http.get({ host: 'localhost', agent, path });
    for (const name of ['finish', 'response', 'upgrade', 'error', 'close']) req.on(name, () => events.push(name));
    req.on('response', (res) => res.on('aborted', () => events.push('aborted')).on('error', () => {})
      .on('end', () => events.push('end')).resume());
    req.on('upgrade', (res, socket, head) => events.push(String(head)));
    await until(() => req.closed);
    return events.join();
  });
  await run('/first');
  await until(() => poolOf(agent).freeSockets === MANY);
  return run('/second');
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('a response that is faster than the callback of the write', () => {
  it('comes behind the end of the request', async () => {
    const seen = await hastyBurst((socket) => socket.push(OK));
    expect(new Set(seen)).toEqual(new Set(['finish,response,end,close']));
  });

  it('may come in pieces', async () => {
    const seen = await hastyBurst((socket) => {
      for (const byte of OK) socket.push(byte);
    });
    expect(new Set(seen)).toEqual(new Set(['finish,response,end,close']));
  });

  it('is not lost when the connection ends', async () => {
    const seen = await hastyBurst((socket, request) => {
      socket.push(OK);
      if (request.includes('/second')) socket.push(null);
    });
    expect(new Set(seen)).toEqual(new Set(['finish,response,end,close']));
  });

  it('is whole when only the end of the connection completes it', async () => {
    const seen = await hastyBurst((socket, request) => {
      socket.push(request.includes('/first') ? OK : 'HTTP/1.1 200 OK\r\n\r\nall of it');
      if (request.includes('/second')) socket.push(null);
    });
    expect(new Set(seen)).toEqual(new Set(['finish,response,end,close']));
  });

  it('is cut, and closes, when its reader breaks off before the end of the connection', async () => {
    const agent = newAgent({ keepAlive: true });
    agent.createConnection = () => new HastyConnection((socket, request) => {
      socket.push(request.includes('/first') ? OK : 'HTTP/1.1 200 OK\r\n\r\nall of it');
      if (request.includes('/second')) socket.push(null);
    });
    await many(async () => (await responseTo(http.get({ host: 'localhost', agent, path: '/first' }))).resume());
    await until(() => poolOf(agent).freeSockets === MANY);
    const seen = await many(async () => {
      const req = http.get({ host: 'localhost', agent, path: '/second' });
      const res = await responseTo(req);
      const errors = [];
      res.on('error', ({ code }) => errors.push(code));
      for await (const chunk of res) {
        if (chunk) break;
      }
      await until(() => req.closed && res.closed, 'a request and its response to close');
      return [res.complete, ...errors].join();
    });
    expect(new Set(seen)).toEqual(new Set(['false,ECONNRESET']));
  });

  it('is not lost when the connection fails', async () => {
    const seen = await hastyBurst((socket, request) => {
      socket.push(request.includes('/second') ? OK.slice(0, -1) : OK);
      if (request.includes('/second')) socket.destroy(new Error('reset'));
    });
    expect(seen.every((events) => events.startsWith('response,'))).toBe(true);
  });

  it('may switch protocols, with all that came behind the head', async () => {
    const pieces = ['HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', 'a', 'b'];
    const seen = await hastyBurst((socket, request) => {
      for (const piece of request.includes('/first') ? [OK] : pieces) socket.push(piece);
    });
    expect(new Set(seen)).toEqual(new Set(['finish,upgrade,ab,close']));
  });
});

describe('a burst of requests on TLS connections that are used again', () => {
  it('gives each its own response, and needs no new connection', async () => {
    const peer = await serveTls((req, res) => req.pipe(res));
    const agent = await warmAgent(peer);
    for (let round = 0; round < 5; round++) {
      const options = { ...peer.address, agent, method: 'POST' };
      const bodies = await many((index) => exchangeTls({ ...options, body: String(index) }));
      expect(bodies.map(({ body }, index) => Number(String(body)) - index)).toEqual(Array(MANY).fill(0));
      await until(() => poolOf(agent).freeSockets === MANY);
    }
    expect(peer.accepted).toHaveLength(MANY);
  });

  it('finishes each before its response, in its own async context', async () => {
    const peer = await serveTls((req, res) => res.end('x'));
    const agent = await warmAgent(peer);
    const storage = new AsyncLocalStorage();
    for (let round = 0; round < 5; round++) {
      const orders = await many((index) => storage.run(index, async () => {
        const events = [];
        const req = https.get({ ...peer.address, agent });
        for (const name of ['socket', 'finish', 'response', 'close']) {
          req.on(name, () => events.push(`${name} ${storage.getStore()}`));
        }
        const res = await responseTo(req);
        res.on('end', () => events.push(`end ${storage.getStore()}`));
        await bytesOf(res);
        await until(() => req.closed);
        return events.join();
      }));
      expect(orders).toEqual(Array.from({ length: MANY }, (_, index) => {
        return ['socket', 'finish', 'response', 'end', 'close'].map((name) => `${name} ${index}`).join();
      }));
      await until(() => poolOf(agent).freeSockets === MANY);
    }
  });

  it('gets responses behind which the connection ends at once', async () => {
    let answered = 0;
    const peer = await serveRawTls((socket) => {
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        if (++answered > MANY) socket.end();
      });
    });
    const agent = await warmAgent(peer);
    const bodies = await many(() => exchangeTls({ ...peer.address, agent }));
    expect(bodies.map(({ body }) => String(body))).toEqual(Array(MANY).fill('ok'));
  });

  it('is sent although it is destroyed in the same turn, as the only one of its turn would be', async () => {
    const seen = [];
    const peer = await serveTls((req, res) => {
      seen.push(req.url);
      res.end('x');
    });
    const agent = await warmAgent(peer);
    seen.length = 0;
    const paths = Array.from({ length: MANY }, (_, index) => `/${index}`);
    const requests = paths.map((path) => https.get({ ...peer.address, agent, path }));
    const failures = requests.map((req) => once(req, 'response').then(() => null, (error) => error.code));
    await Promise.all(requests.map((req) => once(req, 'socket')));
    const written = [];
    for (const [index, req] of requests.slice(0, MANY / 2).entries()) {
      const done = [];
      for (const name of ['finish', 'error']) req.on(name, () => done.push(name));
      req.on('close', () => { written[index] = done.join(); });
      req.destroy();
    }
    for (const req of requests.slice(MANY / 2)) req.on('response', (res) => res.resume());
    expect(await Promise.all(failures)).toEqual([
      ...Array(MANY / 2).fill('ECONNRESET'), ...Array(MANY / 2).fill(null),
    ]);
    await until(() => seen.length === MANY);
    expect(new Set(seen)).toEqual(new Set(paths));
    expect(written).toEqual(Array(MANY / 2).fill('finish,error'));
  });

  it('that are destroyed with an error in the same turn do not finish', async () => {
    const peer = await serveTls((req, res) => res.end('x'));
    const agent = await warmAgent(peer);
    const events = await many(async () => {
      const seen = [];
      const req = https.request({ ...peer.address, agent, method: 'POST' });
      for (const name of ['prefinish', 'finish', 'error']) req.on(name, () => seen.push(name));
      req.once('socket', () => process.nextTick(() => req.destroy(new Error('called off'))));
      req.end('body');
      await until(() => req.closed);
      return seen.join();
    });
    expect(new Set(events)).toEqual(new Set(['prefinish,error']));
  });

  it('switches protocols with all that came behind the head', async () => {
    const peer = await serveRawTls((socket) => {
      socket.on('data', (chunk) => {
        if (!chunk.includes('Upgrade')) {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
          return;
        }
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
        socket.write('first,');
        socket.write('second');
      });
    });
    const agent = await warmAgent(peer);
    const texts = await many(async () => {
      const req = https.get({ ...peer.address, agent, headers: { Connection: 'Upgrade', Upgrade: 'x' } });
      const [, socket, head] = await once(req, 'upgrade');
      let text = String(head);
      socket.on('data', (chunk) => { text += chunk; });
      await until(() => text.length === 12);
      socket.destroy();
      return text;
    });
    expect(texts).toEqual(Array(MANY).fill('first,second'));
  });

  it('gets all its responses, with ticks between them, also from listeners that throw', async () => {
    const peer = await serveTls((req, res) => res.end('x'));
    const options = { ...peer.address, ca: String(certificates.ca) };
    const args = { https: `${ROOT}/https.js`, options, count: MANY };
    const { code, stdout } = await runScript((_http, { https, options, count }) => {
      const { createSecureContext } = require('node:tls');
      const { Agent, get } = require(https);
      const agent = new Agent({ keepAlive: true, secureContext: createSecureContext({ ca: options.ca }) });
      let thrown = 0;
      let inARow = 0;
      let most = 0;
      process.on('uncaughtException', () => thrown++);
      const exchange = (index, throws) => new Promise((resolve) => {
        get({ ...options, agent }, (res) => {
          most = Math.max(most, ++inARow);
          process.nextTick(() => { inARow = 0; });
          res.resume();
          if (throws && index % 3 === 0) throw new Error('from a listener');
        }).on('close', () => setImmediate(resolve));
      });
      const burst = (throws) => Promise.all(Array.from({ length: count }, (_, index) => exchange(index, throws)));
      burst(false).then(() => burst(true)).then(() => burst(false)).then(() => {
        process.stdout.write(JSON.stringify({ thrown, most }));
        agent.destroy();
      });
    }, { args });
    const { thrown, most } = JSON.parse(stdout);
    expect({ code, thrown }).toEqual({ code: 0, thrown: Math.ceil(MANY / 3) });
    expect(most).toBeLessThanOrEqual(16);
  });

  it('goes out although the socket of one throws, whose exception is thrown in its own context', async () => {
    const peer = await serveTls((req, res) => res.end('x'));
    const options = { ...peer.address, ca: String(certificates.ca) };
    const args = { https: `${ROOT}/https.js`, options, count: MANY };
    const { code, stdout, stderr } = await runScript((_http, { https, options, count }) => {
      const { AsyncLocalStorage } = require('node:async_hooks');
      const { createSecureContext } = require('node:tls');
      const { Agent, get } = require(https);
      const storage = new AsyncLocalStorage();
      const agent = new Agent({ keepAlive: true, secureContext: createSecureContext({ ca: options.ca }) });
      const exceptions = [];
      process.on('uncaughtException', ({ message }) => exceptions.push(`${message} of ${storage.getStore()}`));
      const throwers = new Set();
      const exchange = (index) => storage.run(index, () => new Promise((resolve) => {
        const req = get({ ...options, agent }, (res) => res.resume().on('end', () => resolve('answered')));
        req.on('error', ({ code }) => resolve(code));
        req.on('socket', (socket) => {
          if (!throwers.has(index)) return;
          const { uncork } = socket;
          socket.uncork = () => {
            if (socket.writableCorked > 1) return uncork.call(socket);
            delete socket.uncork;
            throw new Error('thrown');
          };
          setTimeout(() => req.destroy(), 100);
        });
      }));
      const burst = () => Promise.all(Array.from({ length: count }, (_, index) => exchange(index)));
      burst().then(() => new Promise((resolve) => { setImmediate(resolve); })).then(() => {
        throwers.add(3).add(5);
        return burst();
      }).then((outcomes) => {
        agent.destroy();
        console.log(JSON.stringify({ exceptions, outcomes }));
      });
    }, { args });
    const { exceptions, outcomes } = JSON.parse(stdout);
    expect([code, stderr]).toEqual([0, '']);
    expect(exceptions).toEqual(['thrown of 3', 'thrown of 5']);
    const expected = Array(MANY).fill('answered');
    expected[3] = expected[5] = 'ECONNRESET';
    expect(outcomes).toEqual(expected);
  });

  it.each([false, true])('goes out also when the process exits in the same turn (one throws: %p)', async (throws) => {
    const seen = [];
    const peer = await serveTls((req, res) => {
      if (req.method === 'POST') seen.push(req.url);
      res.end('x');
    });
    const options = { ...peer.address, ca: String(certificates.ca) };
    const args = { https: `${ROOT}/https.js`, options, count: MANY, throws };
    const { code, stderr } = await runScript((_http, { https, options, count, throws }) => {
      const { createSecureContext } = require('node:tls');
      const { Agent, request } = require(https);
      const agent = new Agent({ keepAlive: true, secureContext: createSecureContext({ ca: options.ca }) });
      const start = (fields) => request({ ...options, ...fields, agent });
      const warm = () => new Promise((resolve) => {
        start({})
          .on('response', (res) => res.resume())
          .on('close', () => setImmediate(resolve))
          .end();
      });
      Promise.all(Array.from({ length: count }, warm)).then(() => {
        setImmediate(() => process.exit(7));
        for (let path = 0; path < count; path++) {
          const req = start({ method: 'POST', path: `/${path}` }).end();
          if (path !== 3 || !throws) continue;
          req.on('socket', (socket) => {
            const { uncork } = socket;
            socket.uncork = () => {
              if (socket.writableCorked > 1) return uncork.call(socket);
              throw new Error('thrown');
            };
          });
        }
      });
    }, { args });
    expect([code, stderr]).toEqual([7, '']);
    await until(() => seen.length === (throws ? MANY - 1 : MANY));
  });

  it('carries uploads that go on after it', async () => {
    const peer = await serveTls((req, res) => req.pipe(res));
    const agent = await warmAgent(peer);
    const lengths = await many(async () => {
      const req = https.request({ ...peer.address, agent, method: 'POST' });
      const response = responseTo(req);
      for (let i = 0; i < 10; i++) {
        if (!req.write(Buffer.alloc(10_000, 'x'))) await once(req, 'drain');
      }
      req.end();
      return (await bytesOf(await response)).length;
    });
    expect(lengths).toEqual(Array(MANY).fill(100_000));
  });
});
