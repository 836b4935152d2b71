'use strict';

/**
 * Faults that Node's releases since 20.0 have mended in its client are not in ours, on any Node; docs/node-changes.md
 * lists it all. The numbers are those of Node's pull requests.
 */

const { once } = require('node:events');
const net = require('node:net');
const nodeHttp = require('node:http');
const { Duplex } = require('node:stream');

const {
  bytesOf, cleanUp, exchange, http, isOracle, itLinux, itNative, itOurs, MODULE_PATH, newAgent, poolOf, responseTo,
  runNode, serve, serveAnswer, serveRaw, turnOfEventLoop, until, untilIdle, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');
const { socketOptions } = require('../support/kernel');
const { hasPerl } = require('../support/perl');

/** A test of what only some Nodes have. */
const itWith = (feature) => (feature ? it : it.skip);

/** Waits for the close of something that may fail before. */
function closeOf(emitter) {
  return new Promise((resolve) => { emitter.on('close', resolve); });
}

/** Records the events of a request until it has closed. */
async function eventsOf(req) {
  const events = [];
  for (const name of ['response', 'finish', 'abort']) req.on(name, () => events.push(name));
  req.on('error', ({ code, message }) => events.push(`error ${code ?? message}`));
  await new Promise((resolve) => { req.on('close', resolve); });
  await turnOfEventLoop();
  return events;
}

describe('a stack overflow (59466, CVE-2025-59466)', () => {
  const HOOKS = {
    'no hook': '',
    'an async hook': 'require("node:async_hooks").createHook({ init() {}, before() {}, after() {} }).enable();',
    'an AsyncLocalStorage': 'new (require("node:async_hooks").AsyncLocalStorage)().enterWith({});',
  };

  itOurs.each(Object.entries(HOOKS))("in a listener reaches 'uncaughtException', with %s", async (_, hook) => {
    const peer = await serve((req, res) => res.end('x'));
    const { stdout, code } = await runNode(['-e', `${hook}
      process.on('uncaughtException', ({ name }) => { console.log(name); process.exit(); });
      const deep = () => { deep(); Promise.resolve(); };
      require(${JSON.stringify(MODULE_PATH)}).get(${JSON.stringify(peer.address)}, (res) => res.on('data', deep));
    `]);
    expect([stdout.trim(), code]).toEqual(['RangeError', 0]);
  });

  itNative.each(Object.entries(HOOKS))('while requests are made is caught there, with %s', async (_, hook) => {
    const { stdout, code } = await runNode(['-e', `${hook}
      const http = require(${JSON.stringify(MODULE_PATH)});
      process.on('uncaughtException', ({ name }) => { console.log(name); process.exit(); });
      const deep = () => {
        http.get({ host: '127.0.0.1', port: 1 }).on('error', () => {});
        deep();
      };
      deep();
    `]);
    expect([stdout.trim(), code]).toEqual(['RangeError', 0]);
  });
});

it('the options that a user gives are not changed (33633)', async () => {
  const peer = await serve((req, res) => res.end());
  const headers = Object.freeze({ a: 'b' });
  const options = Object.freeze({ ...peer.address, agent: newAgent({ keepAlive: true }), headers, path: '/x' });
  for (let i = 0; i < 2; i++) await exchange(options);
  expect(options.headers).toBe(headers);
});

it('an Agent is made without new (58518)', () => {
  expect(http.Agent({ keepAlive: true })).toBeInstanceOf(http.Agent);
});

describeTransports('a request', (transport) => {
  it('that is destroyed tells no later error of its socket (55457)', async () => {
    const peer = await transport.serveRaw((socket) => socket.on('data', () => {}));
    const req = http.request({ ...peer.address, agent: await transport.agentTo(peer) });
    const events = eventsOf(req);
    req.flushHeaders();
    await once(req, 'socket');
    req.socket.once('error', () => {});
    req.destroy(Object.assign(new Error('called off'), { code: 'ECALLEDOFF' }));
    req.socket.emit('error', new Error('late'));
    const told = (await events).filter((event) => event.startsWith('error'));
    expect(told).toHaveLength(1);
  });

  it('has one response, also where the peer sends two (60062)', async () => {
    const two = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
    const peer = await transport.serveAnswer(two);
    const req = http.request({ ...peer.address, agent: await transport.agentTo(peer), method: 'POST' });
    req.on('error', () => {});
    const responses = [];
    req.on('response', (res) => {
      const chunks = [];
      responses.push(chunks);
      res.on('data', (chunk) => chunks.push(chunk)).on('error', () => {});
    });
    req.write('x');
    await once(req, 'response');
    await turnOfEventLoop();
    req.destroy();
    await until(() => req.closed);
    expect(responses.map((chunks) => Buffer.concat(chunks).toString())).toEqual(['ok']);
  });

  it('that ends behind its response gives its connection back once (61710)', async () => {
    const peer = await transport.serve((req, res) => {
      res.end('ok');
      req.resume();
    });
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    let frees = 0;
    agent.on('free', () => frees++);
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: { 'Content-Length': 4 } });
    req.write('wx');
    const res = await responseTo(req);
    await bytesOf(res);
    expect(frees).toBe(0);
    req.end('yz');
    await until(() => frees === 1);
    const others = await Promise.all([1, 2].map(() => exchange({ ...peer.address, agent })));
    expect(others.map(({ body }) => body.toString())).toEqual(['ok', 'ok']);
    await untilIdle(agent);
    expect(poolOf(agent)).toMatchObject({ sockets: 0, freeSockets: 1 });
  });

  it('that is made and destroyed at once leaves no listener on an idle connection (62872)', async () => {
    const peer = await transport.serve((req, res) => res.end());
    const agent = await transport.agentTo(peer);
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    const [socket] = Object.values(agent.freeSockets).flat();
    const before = socket.listenerCount('error');
    for (let i = 0; i < 15; i++) {
      const req = http.request({ ...peer.address, agent }).on('error', () => {});
      req.destroy();
      await closeOf(req);
    }
    await turnOfEventLoop();
    // Older Nodes close the connection instead.
    for (const idle of Object.values(agent.freeSockets).flat()) {
      expect(idle.listenerCount('error')).toBeLessThanOrEqual(before);
    }
  });

  it('closes when all is destroyed in the midst of its body (62095)', async () => {
    const peer = await transport.serve((req, res) => {
      res.write('a');
      res.end('b');
    });
    const agent = transport.newAgent();
    const closed = Array.from({ length: 30 }, () => {
      const req = http.get({ ...peer.address, agent }, (res) => {
        const { socket } = res;
        res.on('error', () => {}).on('data', () => {
          req.destroy();
          socket.destroy();
          res.destroy();
        });
      });
      req.on('error', () => {});
      return closeOf(req);
    });
    await Promise.all(closed);
    await untilPoolIsEmpty(agent);
  });

  it("has 'drain' when the socket takes over what write() has refused (64991)", async () => {
    const peer = await transport.serve((req, res) => req.resume().on('end', () => res.end()));
    const agent = transport.newAgent();
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: { 'Content-Length': 100_000 } });
    expect(req.write(Buffer.alloc(99_999))).toBe(false);
    await once(req, 'drain');
    req.end('x');
    const [res] = await once(req, 'response');
    await closeOf(res.resume());
  });
}, ({ isLent }) => !isLent);

describe('a response that nobody has read (65732)', () => {
  it.each([
    ['is dumped, and its connection serves the next request', (req) => req],
    ['closes when it is destroyed', (req) => req.on('response', (res) => setImmediate(() => res.destroy()))],
  ])('%s', async (what, prepare) => {
    const peer = await serve((req, res) => res.end(what.startsWith('closes') ? 'abc' : ''));
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 3; i++) {
      const req = prepare(http.get({ ...peer.address, agent }).on('error', () => {}));
      await closeOf(req);
      if (what.startsWith('is dumped')) expect(req.reusedSocket).toBe(i > 0);
      await until(() => poolOf(agent).sockets === 0);
    }
  });
});

describe('an error of the socket', () => {
  // Node 20 and 22 end the process.
  itOurs("before the next tick is the request's (61770)", async () => {
    const socket = new Duplex({ read() {}, write: (chunk, encoding, callback) => callback() });
    const req = http.request({
      createConnection: () => {
        process.nextTick(() => socket.emit('error', Object.assign(new Error('early'), { code: 'EARLY' })));
        return socket;
      },
    });
    const events = eventsOf(req);
    req.end();
    expect((await events).filter((event) => event.startsWith('error'))).toEqual(['error EARLY']);
  });

  it('comes once when lookup destroys the request (51826)', async () => {
    const req = http.request({
      host: 'h.test', port: 1, agent: newAgent(),
      lookup: async (name, options, callback) => {
        await null;
        req.destroy();
        process.nextTick(() => {
          if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
          else callback(null, '127.0.0.1', 4);
        });
      },
    });
    const events = eventsOf(req);
    req.end();
    expect((await events).filter((event) => event.startsWith('error'))).toEqual(['error ECONNRESET']);
  });
});

describe('the option', () => {
  itOurs('highWaterMark decides what write() answers before there is a socket (64653)', async () => {
    const req = http.request({ port: 1, agent: newAgent(), method: 'POST', highWaterMark: 10 }).on('error', () => {});
    expect([req.writableHighWaterMark, req.write('123456789012345')]).toEqual([10, false]);
    req.destroy();
    await closeOf(req);
  });

  itOurs('highWaterMark is set on a connection that is used again too (64991)', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    const marks = [];
    for (const highWaterMark of [undefined, 10, 100_000]) {
      const req = http.request({ ...peer.address, agent, method: 'POST', highWaterMark });
      req.end();
      const res = await responseTo(req);
      marks.push(req.socket.writableHighWaterMark);
      await bytesOf(res);
      await untilIdle(agent);
    }
    expect(marks).toEqual([expect.any(Number), 10, 100_000]);
  });

  itOurs.each([
    ['strict', 'HPE_INVALID_HEADER_TOKEN'], ['relaxed', undefined], ['insecure', undefined],
  ])('httpValidation: %s takes, or refuses, a control character in a field (61597)', async (httpValidation, code) => {
    const peer = await serveAnswer('HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\nok');
    const answer = exchange({ ...peer.address, agent: newAgent(), httpValidation });
    if (code) await expect(answer).rejects.toMatchObject({ code });
    else expect((await answer).res.headers.x).toBe('a\x01b');
  });

  itOurs('httpValidation has three values (61597)', () => {
    expect(() => http.request({ httpValidation: 'x' })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
    expect(() => http.request({ httpValidation: 'strict', insecureHTTPParser: true })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });

  itWith(net.BlockList.isBlockList)(
    'blockList keeps from connecting, by address and by name (56075)', async () => {
      const peer = await serve((req, res) => res.end());
      const blockList = new net.BlockList();
      blockList.addAddress('127.0.0.1');
      for (const host of ['127.0.0.1', 'localhost']) {
        await expect(exchange({ ...peer.address, host, family: 4, blockList, agent: newAgent() })).rejects
          .toMatchObject({ code: 'ERR_IP_BLOCKED' });
      }
      expect(peer.sockets.size).toBe(0);
    });

  itWith(net.BoundSocket)('handle may be a BoundSocket (63951, 64375)', async () => {
    const peer = await serve((req, res) => res.end(String(req.socket.remotePort)));
    const bound = new net.BoundSocket({ host: '127.0.0.1' });
    const { port } = bound.address();
    const { body } = await exchange({ ...peer.address, handle: bound, agent: newAgent() });
    expect(Number(body)).toBe(port);
  });
});

(hasPerl ? describe : describe.skip)('an option of the socket is the kernel\'s', () => {
  /** @returns {Promise<object>} what the kernel has for a client of Node's and for ours, after the same call */
  async function optionsAfter(change, more = {}) {
    const peer = await serve((req, res) => res.end());
    const seen = [];
    for (const client of [nodeHttp, http]) {
      const agent = new client.Agent({ keepAlive: true });
      cleanUp(() => agent.destroy());
      const req = client.get({ ...peer.address, agent, ...more });
      const res = await responseTo(req);
      const { socket } = req;
      change(socket);
      await turnOfEventLoop();
      seen.push(socketOptions(socket.localPort, socket.remotePort));
      await bytesOf(res);
    }
    return seen;
  }

  itLinux('as Node sets it by setKeepAlive() with an interval and a count (63825)', async () => {
    for (const keepAlive of [[true, 9000, 3000, 5], [{ enable: true, initialDelay: 9000, interval: 3000, count: 5 }]]) {
      const [node, ours] = await optionsAfter((socket) => socket.setKeepAlive(...keepAlive));
      expect(ours).toEqual(node);
    }
  });

  itLinux('as Node sets it by typeOfService (61503)', async () => {
    const [node, ours] = await optionsAfter(() => {}, { typeOfService: 16 });
    expect(ours).toEqual(node);
    const later = await optionsAfter((socket) => socket.setTypeOfService?.(32));
    expect(later[1]).toEqual(later[0]);
    if (net.Socket.prototype.setTypeOfService) expect(later[1].IP_TOS).toBe(32);
  });
});

describe('the signal of a response (62541, 64392)', () => {
  const itHasSignal = itWith('signal' in nodeHttp.IncomingMessage.prototype);
  const nodeAbortsAtClose = isOracle;

  /** @returns {Promise<boolean>} whether it is aborted when the response has closed */
  async function isAborted(options) {
    const req = http.get(options);
    req.on('error', () => {});
    const res = await responseTo(req);
    const { signal } = res;
    res.on('error', () => {}).resume();
    await closeOf(res);
    await turnOfEventLoop();
    return signal.aborted;
  }

  (nodeAbortsAtClose ? it.skip : itHasSignal)('is not aborted when all has come', async () => {
    const peer = await serve((req, res) => res.end('x'));
    expect(await isAborted({ ...peer.address, agent: newAgent({ keepAlive: true }) })).toBe(false);
    expect(await isAborted({ ...peer.address, agent: false })).toBe(false);
  });

  itHasSignal('is aborted when the response is cut', async () => {
    const peer = await serveRaw((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab'));
    });
    expect(await isAborted({ ...peer.address, agent: newAgent() })).toBe(true);
  });
});

describeTransports('a response without a body by its status (undici 8.12)', (transport) => {
  const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';

  itOurs.each([
    ['204 with a length', 'HTTP/1.1 204 No Content\r\nContent-Length: 42\r\n\r\n'],
    ['204 with chunks', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\n'],
  ])('%s: what follows is not the next answer', async (_, head) => {
    let asked = 0;
    const peer = await transport.serveRaw((socket) => {
      let sent = false;
      socket.on('data', (chunk) => {
        const text = chunk.toString('latin1');
        if (text.includes('/first')) {
          sent = true;
          socket.write(head + poison);
        } else if (text.startsWith('GET') && !sent) {
          asked++;
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
        }
      });
      socket.on('end', () => socket.end());
    });
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const [, second] = await Promise.all([
      exchange({ ...peer.address, agent, path: '/first' }), exchange({ ...peer.address, agent, path: '/second' }),
    ]);
    expect(second.body.toString()).toBe('good');
    expect(asked).toBeGreaterThan(0);
  });
}, ({ isLent }) => !isLent);

describeTransports('a chunked body that ends with its connection (undici 5273, 5389, 5474)', (transport) => {
  const CHUNKS = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';

  it.each([
    ['behind a chunk', '', false], ['in a size', '1', false], ['in a chunk', '5\r\nde', false],
    ['behind the last size', '0\r\n', false], ['behind the last chunk', '0\r\n\r\n', true],
  ])('%s is complete only if it is, paused or not', async (_, rest, complete) => {
    for (const paused of [false, true]) {
      const peer = await transport.serveRaw((socket) => {
        socket.once('data', () => socket.end(CHUNKS + rest));
      });
      const req = http.get({ ...peer.address, agent: transport.newAgent() }).on('error', () => {});
      const res = await responseTo(req);
      const closed = closeOf(res);
      res.on('error', () => {});
      if (paused) {
        res.pause();
        setImmediate(() => res.resume());
      }
      res.resume();
      if (paused) res.pause();
      await closed;
      expect([res.complete, res.aborted]).toEqual([complete, !complete]);
    }
  });
}, ({ isLent }) => !isLent);
