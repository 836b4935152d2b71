'use strict';

/** The channels `ferrequest:*` of diagnostics_channel: docs/diagnostics.md. */

const diagnostics = require('node:diagnostics_channel');
const net = require('node:net');
const {
  bytesOf, cleanUp, describeOurs, exchange, http, isOracle, itNative, onRequestHead, poolOf, responseTo, runScript,
  unusedPort, until, untilIdle,
} = require('../support');
const { describeTransports } = require('../support/transports');
const { https, serveTls } = require('../support/tls');

const NAMES = ['connection:opened', 'connection:failed', 'connection:reused', 'connection:replaced',
  'connection:closed', 'request:retried'];

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** The origin of a request to a port that is named in its Host. */
const originOf = (req) => `${req.protocol}//${req.getHeader('host')}`;

/**
 * Subscribes to channels until the test is over.
 * @param {string|null} wanted origin of the connections that the test is about: those of other tests may be closing
 * @param {string[]} [names]
 * @returns {object[]} the messages, each with the `name` of its channel
 */
function listen(wanted, names = NAMES) {
  const messages = [];
  for (const name of names) {
    const subscriber = (message) => {
      const { origin = originOf(message.request) } = message;
      if (wanted === null || origin === wanted) messages.push({ name, ...message });
    };
    diagnostics.subscribe(`ferrequest:${name}`, subscriber);
    cleanUp(() => diagnostics.unsubscribe(`ferrequest:${name}`, subscriber));
  }
  return messages;
}

/** Waits for the message of the first connection that closes. */
async function closing(messages) {
  return until(() => messages.find(({ name }) => name === 'connection:closed'),
    () => `'closed' behind ${messages.map(({ name }) => name)}`, 10_000);
}

const origin = ({ isTls }, { address }) => `${isTls ? 'https' : 'http'}://${address.host}:${address.port}`;
const nameOf = ({ isStream }) => (isStream ? 'stream' : 'native');

/** Names objects by their place in a list: to print them takes seconds. */
function named(messages, ...objects) {
  return messages.map((message) => Object.fromEntries(Object.entries(message).map(([key, value]) => {
    const isObject = typeof value === 'object' && value !== null;
    return [key, isObject ? `object ${objects.indexOf(value)}` : value];
  })));
}

describeTransports('ferrequest:connection:*', (transport) => {
  it('tells of a connection that is opened, reused, and closed with its agent', async () => {
    const peer = await transport.serve((req, res) => res.end('ok'));
    const agent = transport.newAgent({ keepAlive: true });
    const messages = listen(origin(transport, peer));
    const reqs = [];
    for (let count = 0; count < 3; count++) {
      reqs.push((await exchange({ ...peer.address, agent })).req);
      await untilIdle(agent);
    }
    const [socket] = Object.values(agent.freeSockets).flat();
    agent.destroy();
    await closing(messages);
    const common = { socket: 'object 3', origin: origin(transport, peer), transport: nameOf(transport) };
    expect(named(messages, ...reqs, socket)).toEqual([
      { name: 'connection:opened', ...common, request: 'object 0' },
      { name: 'connection:reused', ...common, request: 'object 1', requests: 2 },
      { name: 'connection:reused', ...common, request: 'object 2', requests: 3 },
      { name: 'connection:closed', ...common, request: null, reason: 'agent-destroyed', error: null, requests: 3,
        age: expect.any(Number) },
    ]);
    expect(messages.at(-1).age).toBeGreaterThan(0);
  });

  it('tells of a connection from the next request on, if nobody has subscribed before', async () => {
    const peer = await transport.serve((req, res) => res.end('ok'));
    const agent = await transport.agentTo(peer);
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    const messages = listen(origin(transport, peer));
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    agent.destroy();
    const { reason, requests } = await closing(messages);
    expect(messages.map(({ name }) => name)).toEqual(['connection:reused', 'connection:closed']);
    expect([reason, requests]).toEqual(['agent-destroyed', 1]);
  });

  it('tells of a connection that another request has waited for', async () => {
    const peer = await transport.serve((req, res) => res.end('ok'));
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const messages = listen(origin(transport, peer));
    const [first, second] = await Promise.all([
      exchange({ ...peer.address, agent }), exchange({ ...peer.address, agent })]);
    const expected = [['connection:reused', false]];
    expected.unshift([transport.isLent ? 'connection:reused' : 'connection:opened', true]);
    expect(messages.map(({ name, request }) => [name, request === first.req])).toEqual(expected);
    expect(second.req.reusedSocket).toBe(false);
  });

  it('adds nothing to a socket while nobody subscribes', async () => {
    const peer = await transport.serve((req, res) => res.end('ok'));
    const agent = await transport.agentTo(peer);
    const countOf = async () => {
      const { req } = await exchange({ ...peer.address, agent });
      await untilIdle(agent);
      const { socket } = req;
      const symbols = Object.getOwnPropertySymbols(socket).map(({ description }) => description);
      return [symbols.filter((name) => name === 'connection').length,
        socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0)];
    };
    const before = await countOf();
    listen(null, ['connection:closed']);
    const after = await countOf();
    expect(before[0]).toBe(0);
    expect(after).toEqual([1, before[1] + 4]);
  });

  it('tells of a connection that cannot be made', async () => {
    const agent = transport.newAgent();
    const address = { host: '127.0.0.1', port: await unusedPort() };
    const messages = listen(origin(transport, { address }));
    const req = http.get({ ...address, agent, protocol: agent.protocol });
    const error = await responseTo(req).catch((reason) => reason);
    await until(() => messages.length > 0);
    expect(named(messages, req, req.socket, error)).toEqual([{ name: 'connection:failed', request: 'object 0',
      socket: 'object 1', error: 'object 2', origin: origin(transport, { address }), transport: nameOf(transport) }]);
    expect(error.code).toBe('ECONNREFUSED');
  });

  /** What a peer does in an answer to a request, and the reason that the channel gives. */
  const ANSWERS = {
    'ends it in place of an answer': [(socket) => socket.end(), 'peer', true],
    'resets it in place of an answer': [(_socket, peer) => {
      for (const each of peer.sockets) each.resetAndDestroy();
    }, 'peer', true],
    'ends it within a body': [(socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok'), 'peer', true],
    'ends it when it is idle': [(socket) => socket.write(OK, () => setImmediate(() => socket.end())), 'peer', false],
    'ends a body with it': [(socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nok'), 'not-persistent', true],
    'says that it is the last': [(socket) => {
      socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
    }, 'not-persistent', true],
    'answers with garbage': [(socket) => socket.write('garbage\r\n\r\n'), 'parse-error', true],
    'answers twice': [(socket) => socket.write(OK + OK), 'unsolicited', undefined],
    'answers twice, the second time when it is idle': [(socket) => {
      socket.write(OK, () => setImmediate(() => socket.write(OK)));
    }, 'unsolicited', undefined],
    'announces to close it at once': [(socket) => {
      socket.write(OK.replace('\r\n', '\r\nKeep-Alive: timeout=1\r\n'));
    }, 'not-kept', true],
    'upgrades it': [(socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    }, 'removed', false],
  };

  it.each(Object.keys(ANSWERS))('tells why a connection closes when its peer %s', async (what) => {
    const [answer, reason, hasRequest] = ANSWERS[what];
    const peer = await transport.serveRaw((socket) => {
      socket.on('end', () => socket.end());
      onRequestHead(socket, () => answer(socket, peer));
    });
    const agent = await transport.agentTo(peer);
    const messages = listen(origin(transport, peer));
    const req = http.get({ ...peer.address, agent, headers: { Connection: 'keep-alive' } });
    req.on('error', () => {});
    req.on('response', (res) => res.on('error', () => {}).resume());
    req.on('upgrade', (res, socket) => socket.on('error', () => {}).resume().end());
    const message = await closing(messages);
    expect(message.reason).toBe(reason);
    if (hasRequest !== undefined) expect(message.request === req).toBe(hasRequest);
    await until(() => poolOf(agent).sockets === 0);
  });

  it.each([
    ['the request', ({ req }) => req.destroy(), 'called-off'],
    ['the request, with an error', ({ req }) => req.destroy(new Error('enough')), 'called-off'],
    ['the request, by abort()', ({ req }) => req.abort(), 'called-off'],
    ['the response', ({ res }) => res.destroy(), 'called-off'],
    ['the socket', ({ req }) => req.socket.destroy(), 'destroyed'],
    ['the agent', ({ req }) => req.agent.destroy(), 'agent-destroyed'],
  ])('tells why a connection closes when the user destroys %s', async (_what, destroy, reason) => {
    const peer = await transport.serve((req, res) => res.writeHead(200, { 'Content-Length': 9 }).write('ok'));
    const agent = await transport.agentTo(peer);
    const messages = listen(origin(transport, peer));
    const req = http.get({ ...peer.address, agent }).on('error', () => {});
    const res = (await responseTo(req)).on('error', () => {});
    destroy({ req, res });
    const message = await closing(messages);
    expect([message.reason, message.request === req]).toEqual([reason, true]);
    expect(message.error).toBe(message.socket.errored ?? null);
  });

  it('tells that a time of `timeouts` has passed', async () => {
    const peer = await transport.serve(() => {});
    const agent = await transport.agentTo(peer);
    const messages = listen(origin(transport, peer));
    const req = http.get({ ...peer.address, agent, timeouts: { response: 5 } });
    const error = await responseTo(req).catch((reason) => reason);
    const message = await closing(messages);
    expect([message.reason, message.request === req, message.error === error]).toEqual(['called-off', true, true]);
    expect(error.code).toBe('ERR_FERREQUEST_TIMEOUT');
  });

  it.each([
    ['was idle too long', { freeSocketTimeout: 5 }, 'idle-timeout'],
    ['was idle too long by `timeout`', { timeout: 20 }, 'idle-timeout'],
    ['is too old', { socketActiveTTL: 1 }, 'too-old'],
  ])('tells that a connection %s', async (_what, options, reason) => {
    const peer = await transport.serve((req, res) => setTimeout(() => res.end('ok'), 5));
    const agent = transport.newAgent({ keepAlive: true, ...options });
    const messages = listen(origin(transport, peer));
    await exchange({ ...peer.address, agent });
    expect((await closing(messages)).reason).toBe(reason);
  });

  it('tells that an agent has idle connections enough', async () => {
    const waiting = [];
    const peer = await transport.serve((req, res) => {
      waiting.push(res);
      if (waiting.length === 2) for (const each of waiting) each.end();
    });
    const agent = transport.newAgent({ keepAlive: true, maxFreeSockets: 1 });
    const messages = listen(origin(transport, peer));
    await Promise.all([exchange({ ...peer.address, agent }), exchange({ ...peer.address, agent })]);
    expect((await closing(messages)).reason).toBe('pool-full');
  });

  it('tells that a connection gives way to a request that has waited longer', async () => {
    const [a, b] = [await transport.serve((req, res) => res.end()), await transport.serve((req, res) => res.end())];
    const agent = transport.newAgent({ keepAlive: true, maxTotalSockets: 1, fairQueue: true });
    const messages = listen(origin(transport, a));
    await Promise.all([exchange({ ...a.address, agent }), exchange({ ...b.address, agent })]);
    expect((await closing(messages)).reason).toBe('gave-way');
  });

  it('tells of each attempt of a request that is tried again', async () => {
    const answers = [
      (socket) => socket.destroy(),
      (socket) => socket.write('HTTP/1.1 503 Unavailable\r\nContent-Length: 9\r\nRetry-After: 0\r\n\r\nlater'),
      (socket) => socket.write(OK),
    ];
    const peer = await transport.serveRaw((socket) => {
      socket.on('end', () => socket.end());
      onRequestHead(socket, () => answers.shift()(socket));
    });
    const agent = await transport.agentTo(peer, { retry: { minTimeout: 1 } });
    const messages = listen(origin(transport, peer));
    const req = http.get({ ...peer.address, agent });
    expect(String(await bytesOf(await responseTo(req)))).toBe('ok');
    await until(() => messages.filter(({ name }) => name === 'connection:closed').length >= 2);
    const retried = messages.filter(({ name }) => name === 'request:retried');
    expect(named(retried, req, retried[0].error, retried[1].response)).toEqual([
      { name: 'request:retried', request: 'object 0', attempts: 1, delay: 1, response: null, error: 'object 1' },
      { name: 'request:retried', request: 'object 0', attempts: 2, delay: 0, response: 'object 2', error: null },
    ]);
    expect([retried[0].error.code, retried[1].response.statusCode]).toEqual(['ECONNRESET', 503]);
    const closed = messages.filter(({ name }) => name === 'connection:closed');
    expect(closed.map(({ reason }) => reason)).toEqual(['peer', 'retried']);
  });
}, () => !isOracle);

describeOurs('ferrequest:connection:failed', () => {
  it('tells of a server that is not who it should be', async () => {
    const peer = await serveTls((req, res) => res.end());
    const messages = listen(`https://127.0.0.1:${peer.port}`);
    const error = await responseTo(https.get({ ...peer.address, agent: false })).catch((reason) => reason);
    await until(() => messages.length > 0);
    expect(messages.map((message) => [message.name, message.error === error])).toEqual([['connection:failed', true]]);
  });

  it('tells of a connection that was called off before it stood', async () => {
    const lookup = () => {};
    const messages = listen('http://unknown.test:8080');
    const req = http.get({ host: 'unknown.test', port: 8080, lookup, agent: false }).on('error', () => {});
    await until(() => req.socket);
    req.destroy();
    await until(() => messages.length > 0);
    expect(messages.map(({ name, error }) => [name, error])).toEqual([['connection:failed', null]]);
  });
});

describeOurs('a subscriber', () => {
  it('that throws does no harm to the request', async () => {
    const { code, stdout } = await runScript(async (client) => {
      const { subscribe } = require('node:diagnostics_channel');
      const server = require('node:http').createServer((req, res) => res.end('ok'));
      const thrown = [];
      process.on('uncaughtException', ({ message }) => thrown.push(message));
      for (const name of ['opened', 'closed']) {
        subscribe(`ferrequest:connection:${name}`, () => { throw new Error(name); });
      }
      server.listen(0, '127.0.0.1', () => {
        client.get({ host: '127.0.0.1', port: server.address().port, agent: false }, (res) => {
          process.on('exit', () => console.log(res.complete, thrown.join()));
          res.resume().on('end', () => server.close());
        });
      });
    });
    expect([code, stdout.trim()]).toEqual([0, 'true opened,closed']);
  });

  it('is told of a stream that is no socket', async () => {
    const peer = await new Promise((resolve) => {
      const server = net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(OK)));
      cleanUp(() => server.close());
      server.listen(0, '127.0.0.1', () => resolve(server.address()));
    });
    const messages = listen('http://localhost:80');
    const { duplexPair } = require('node:stream');
    const pair = duplexPair === undefined ? net.connect(peer.port, peer.address) : null;
    const [near, far] = pair === null ? duplexPair() : [pair, null];
    far?.once('data', () => far.end(OK));
    const req = http.get({ createConnection: () => near });
    await bytesOf(await responseTo(req));
    await closing(messages);
    expect(messages.map(({ name, transport }) => [name, transport])).toEqual([
      ['connection:opened', 'stream'], ['connection:closed', 'stream']]);
  });
});

describeTransports('ferrequest:connection:replaced', (transport) => {
  itNative('tells that a connection had died while it was idle, and was replaced underneath', async () => {
    const peer = await transport.serve((req, res) => res.end('ok'));
    const agent = await transport.agentTo(peer);
    const messages = listen(origin(transport, peer));
    const before = http.stats().staleReplaced;
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    const [socket] = Object.values(agent.freeSockets).flat();
    // In this turn of the event loop: the client has not heard of it when it makes the request.
    for (const each of peer.sockets) each.destroy();
    const { req, body } = await exchange({ ...peer.address, agent });
    expect(String(body)).toBe('ok');
    expect(http.stats().staleReplaced).toBeGreaterThan(before);
    expect(req.socket === socket).toBe(true);
    expect(named(messages.filter(({ name }) => name === 'connection:replaced'), req, socket)).toEqual([
      { name: 'connection:replaced', request: 'object 0', socket: 'object 1', origin: origin(transport, peer),
        transport: 'native' }]);
    expect(messages.filter(({ name }) => name === 'connection:closed').length).toBe(0);
  });
}, ({ isStream }) => !isStream && !isOracle);
