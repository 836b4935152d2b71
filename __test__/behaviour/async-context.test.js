'use strict';

/**
 * Every event of a request runs in the AsyncLocalStorage context, and in the domain, in which the request was made, and
 * whoever watches async contexts with async_hooks may make requests.
 */

const { AsyncLocalStorage, AsyncResource, executionAsyncId } = require('node:async_hooks');
const { once } = require('node:events');
const {
  bytesOf, http, itNative, newAgent, onRequestHead, pseudoRandomBytes, responseTo, runScript, sendSegments,
  serve, serveRaw, until,
} = require('../support');

const storage = new AsyncLocalStorage();

/** Notes the store in which each event comes. */
function watch(emitter, names, stores, label = '') {
  for (const name of names) emitter.on(name, () => stores.push([label + name, storage.getStore()]));
}

/** Expects every noted event to have come in that store. */
function expectAll(stores, store, ...names) {
  expect(stores).toEqual(stores.map(([name]) => [name, store]));
  expect(stores.map(([name]) => name)).toEqual(expect.arrayContaining(names));
}

describe('the context of a request', () => {
  it('is the one of its events, from the socket to the end', async () => {
    const peer = await serveRaw((socket) => onRequestHead(socket, () => sendSegments(socket, [
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', '3\r\ndef\r\n', '0\r\n\r\n',
    ])));
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 5; i++) {
      const stores = [];
      const req = storage.run(i, () => {
        const made = http.get({ ...peer.address, agent });
        watch(made, ['socket', 'finish', 'continue', 'information', 'response', 'close'], stores);
        made.on('response', (res) => watch(res, ['data', 'end', 'close'], stores, 'res '));
        return made;
      });
      await until(() => req.closed && stores.some(([name]) => name === 'res close'));
      expectAll(stores, i, 'socket', 'finish', 'continue', 'information', 'response', 'res data', 'res end', 'close');
      expect(req.reusedSocket).toBe(i > 0);
    }
  });

  it('is kept apart from those of others on the same connections', async () => {
    const body = pseudoRandomBytes(100000);
    const peer = await serve((req, res) => res.end(body));
    const agent = newAgent({ keepAlive: true, maxSockets: 3 });
    await Promise.all(Array.from({ length: 60 }, (unused, i) => storage.run({ i }, async () => {
      const store = storage.getStore();
      const req = http.get({ ...peer.address, agent });
      const stores = [];
      watch(req, ['socket', 'finish', 'response', 'close'], stores);
      req.on('response', (res) => watch(res, ['data', 'end'], stores, 'res '));
      await once(req, 'close');
      expect(storage.getStore()).toBe(store);
      for (const [, seen] of stores) expect(seen).toBe(store);
      expect(stores.length).toBeGreaterThan(5);
    })));
    expect(peer.accepted.length).toBeLessThanOrEqual(3);
  });

  it("is the one of the callbacks of write(), end() and setTimeout(), and of 'drain'", async () => {
    const peer = await serve((req) => setTimeout(() => req.resume(), 20));
    const stores = [];
    const note = (name) => () => stores.push([name, storage.getStore()]);
    const req = storage.run('made here', () => {
      const made = http.request({ ...peer.address, method: 'POST', agent: newAgent() });
      made.setTimeout(80, note('timeout'));
      made.on('drain', note('drain'));
      made.write(Buffer.alloc(1 << 20), note('write'));
      made.end(note('end'));
      return made;
    });
    await once(req, 'timeout');
    req.on('error', () => {});
    req.destroy();
    expectAll(stores, 'made here', 'write', 'end', 'timeout');
  });

  it("is the one of 'error' and 'abort'", async () => {
    const peer = await serve((req) => req.resume());
    const ends = [
      (req) => req.destroy(new Error('mine')), (req) => req.abort(), () => peer.accepted.at(-1).resetAndDestroy(),
    ];
    for (const [n, end] of ends.entries()) {
      const stores = [];
      const req = storage.run('made here', () => {
        const made = http.get({ ...peer.address, agent: newAgent() });
        watch(made, ['error', 'abort', 'close'], stores);
        return made;
      });
      await until(() => req.writableFinished && peer.accepted.length > n);
      storage.run('made here', end, req);
      await until(() => req.closed);
      expectAll(stores, 'made here', 'error', 'close');
    }
  });

  it("is the one of 'upgrade' and of what the socket then gives", async () => {
    const peer = await serveRaw((socket) => onRequestHead(socket, () => {
      socket.removeAllListeners('data');
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
      socket.pipe(socket);
    }));
    const stores = [];
    const req = storage.run('made here', () => {
      const made = http.get({ ...peer.address, headers: { Connection: 'Upgrade', Upgrade: 'x' } });
      watch(made, ['upgrade', 'close'], stores);
      made.on('upgrade', (res, socket) => {
        watch(socket, ['data', 'end', 'close'], stores, 'socket ');
        socket.write('x');
        socket.once('data', () => socket.end());
      });
      return made;
    });
    await once(req, 'upgrade');
    await until(() => stores.some(([name]) => name === 'socket close'));
    expectAll(stores, 'made here', 'upgrade', 'close', 'socket data', 'socket end', 'socket close');
  });

  it('is the one in which a failing request has its error', async () => {
    const stores = [];
    const lookup = (host, options, callback) => process.nextTick(callback, new Error('not found'));
    const req = storage.run('made here', () => {
      const made = http.get({ host: 'name.test', lookup, agent: newAgent() });
      watch(made, ['error', 'close'], stores);
      return made;
    });
    await until(() => req.closed);
    expectAll(stores, 'made here', 'error', 'close');
  });

  it('reaches promises: what is awaited goes on in it', async () => {
    const peer = await serve((req, res) => res.end('body'));
    const agent = newAgent({ keepAlive: true });
    await Promise.all(Array.from({ length: 20 }, (unused, i) => storage.run(i, async () => {
      const res = await responseTo(http.get({ ...peer.address, agent }));
      expect(storage.getStore()).toBe(i);
      await bytesOf(res);
      expect(storage.getStore()).toBe(i);
    })));
  });

  it('gives way to the one a listener is bound to', async () => {
    const peer = await serve((req, res) => res.end());
    const req = storage.run('made here', () => http.get(peer.address));
    const seen = await storage.run('bound here', () => new Promise((resolve) => {
      req.on('response', AsyncResource.bind((res) => {
        res.resume();
        resolve(storage.getStore());
      }));
    }));
    expect(seen).toBe('bound here');
  });

  it('is a resource of its own for each request on one connection', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true, maxSockets: 1 });
    const ids = [];
    const ports = [];
    for (let i = 0; i < 3; i++) {
      const res = await new Promise((resolve, reject) => {
        http.get({ ...peer.address, agent }, (response) => {
          ids.push(executionAsyncId());
          ports.push(response.socket.localPort);
          resolve(response);
        }).on('error', reject);
      });
      const closed = new Promise((resolve) => { res.on('close', resolve); });
      res.resume();
      await closed;
    }
    expect(new Set(ports).size).toBe(1);
    expect(new Set(ids).size).toBe(3);
  });
});

/** Requests in a domain, one after the other, the last a large one; then one outside of it, whose listener throws. */
function throwOutsideOfADomain(http, address) {
  const domain = require('node:domain');
  const agent = new http.Agent({ keepAlive: true });
  const mine = domain.create();
  const seen = [];
  const get = (path, options, then) => http.get({ ...address, path, ...options }, (res) => {
    seen.push(process.domain === mine);
    res.resume().once('end', then);
  });
  mine.once('error', (error) => console.log(`domain: ${error.message}`));
  process.once('uncaughtException', (error) => console.log(`process: ${error.message}`));
  process.once('exit', () => console.log(JSON.stringify(seen)));
  let left = 6;
  const inside = () => {
    if (--left > 0) get('/', { agent }, inside);
    else get('/large', { agent }, () => {});
  };
  mine.run(inside);
  // Not in the domain, as what a listener of the first one starts would be.
  const timer = setInterval(() => {
    if (seen.length < 6) return;
    clearInterval(timer);
    get('/large', { agent: false }, () => { throw new Error('outside'); });
  }, 10);
}

/** Requests until everything is made that can be, with an async hook that uses other requests each time. */
async function requestInAHook(http, address) {
  const agent = new http.Agent({ keepAlive: true });
  const get = (path, then) => http.get({ ...address, path, agent }, (res) => res.resume().once('end', then));
  let upload = null;
  let sent = 0;
  const write = (length) => {
    upload.write(Buffer.alloc(length));
    sent += length;
  };
  let connected = false;
  let busy = false;
  let calls = 0;
  require('node:async_hooks').createHook({
    init(id, type) {
      if (busy || type !== 'ferrequest') return;
      busy = true;
      calls++;
      if (connected) {
        write(100);
        write(20000);
      }
      http.get({ ...address, agent: false }).once('error', () => {}).destroy();
      http.get({ ...address, agent: false }, (res) => res.resume());
      busy = false;
    },
  }).enable();
  upload = http.request({ ...address, method: 'POST', agent: false });
  upload.flushHeaders();
  await new Promise((resolve) => { upload.once('socket', (socket) => socket.once('connect', resolve)); });
  connected = true;
  for (let i = 0; i < 8; i++) await new Promise((resolve) => { get('/', resolve); });
  await new Promise((resolve) => { get('/large', resolve); });
  upload.once('response', (res) => res.once('data', (data) => {
    console.log(Number(data) === sent, calls > 0);
    agent.destroy();
  }));
  upload.end('end');
  sent += 3;
}

describe('a program that watches async contexts', () => {
  const large = Buffer.alloc(2_000_000);
  const serveAll = () => serve(async (req, res) => {
    if (req.method === 'POST') res.end(String((await bytesOf(req)).length));
    else res.end(req.url === '/large' ? large : 'hello');
  });

  it('has what a listener throws in the domain of the request, not in that of the first one', async () => {
    const { address } = await serveAll();
    const result = await runScript(throwOutsideOfADomain, { args: address });
    const stdout = `process: outside\n${JSON.stringify([true, true, true, true, true, true, false])}\n`;
    expect(result).toMatchObject({ code: 0, stderr: '', stdout });
  });

  itNative('may make requests in an async hook', async () => {
    const { address } = await serveAll();
    const result = await runScript(requestInAHook, { args: address });
    expect(result).toMatchObject({ code: 0, stderr: '', stdout: 'true true\n' });
  });
});
