'use strict';

const {
  http, newAgent, poolOf, untilIdle, untilPoolIsEmpty, untilNoConnections, serve, serveRaw, serveAnswer, onRequestHead,
  exchange,
  responseTo, bytesOf, until, quiet, itLinux, socketOptions,
} = require('../support');
const { describeTransports } = require('../support/transports');

describe('req.reusedSocket', () => {
  it('is false on a new connection and true on one that was idle', async () => {
    const peer = await serve((req, res) => res.end(String(req.socket.remotePort)));
    const agent = newAgent({ keepAlive: true });
    const answers = [];
    for (let i = 0; i < 3; i++) {
      answers.push(await exchange({ ...peer.address, agent }));
      await untilIdle(agent);
    }
    expect(answers.map(({ req }) => req.reusedSocket)).toEqual([false, true, true]);
    expect(new Set(answers.map(({ body }) => body.toString())).size).toBe(1);
    expect(new Set(answers.map(({ req }) => req.socket)).size).toBe(1);
  });

  it('stays false for a request that had to wait', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true, maxSockets: 1 });
    const answers = await Promise.all([1, 2].map(() => exchange({ ...peer.address, agent })));
    expect(answers[0].req.socket).toBe(answers[1].req.socket);
    expect(answers.map(({ req }) => req.reusedSocket)).toEqual([false, false]);
  });
});

describe('a connection goes back to the pool', () => {
  const answers = {
    'with a Content-Length': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
    'with an empty body': 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    'in chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    'in chunks with trailers': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n',
    'of status 204': 'HTTP/1.1 204 No Content\r\n\r\n',
    'of status 304': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n',
    'of HTTP/1.0 with Connection: keep-alive':
      'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi',
    'after 1xx responses':
      'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
  };

  it.each(Object.keys(answers))('after a response %s', async (kind) => {
    const peer = await serveAnswer(answers[kind]);
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 3; i++) {
      await exchange({ ...peer.address, agent });
      await untilIdle(agent);
    }
    expect(poolOf(agent).freeSockets).toBe(1);
    expect(peer.accepted.length).toBe(1);
  });

  it('after a response to HEAD, whatever length it tells', async () => {
    const peer = await serveAnswer('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
    const agent = newAgent({ keepAlive: true });
    await exchange({ ...peer.address, agent, method: 'HEAD' });
    await exchange({ ...peer.address, agent, method: 'HEAD' });
    expect(peer.accepted.length).toBe(1);
  });

  it('after a response that nobody listened for: its body is drained', async () => {
    const peer = await serve((req, res) => res.end(Buffer.alloc(500_000)));
    const agent = newAgent({ keepAlive: true });
    http.get({ ...peer.address, agent });
    await until(() => poolOf(agent).freeSockets === 1);
  });
});

describeTransports('a connection goes back to the pool', (transport) => {
  it('only when the response has been read to its end', async () => {
    const peer = await transport.serve((req, res) => res.end(Buffer.alloc(500_000)));
    const agent = await transport.agentTo(peer);
    const res = await responseTo(http.get({ ...peer.address, agent }));
    await quiet();
    expect(poolOf(agent)).toEqual({ sockets: 1, freeSockets: 0, requests: 0 });
    res.resume();
    await until(() => poolOf(agent).freeSockets === 1);
  });

  it('only when the request has been sent to its end', async () => {
    const peer = await transport.serve((req, res) => {
      res.setHeader('Content-Length', 5);
      res.end('early');
      req.resume();
    });
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'POST' });
    req.write('the beginning');
    expect((await bytesOf(await responseTo(req))).toString()).toBe('early');
    await quiet();
    expect(poolOf(agent)).toEqual({ sockets: 1, freeSockets: 0, requests: 0 });
    req.end('the end');
    await until(() => poolOf(agent).freeSockets === 1);
  });
});

describe('a connection is closed', () => {
  const answers = {
    'with Connection: close': 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi',
    'with close in a list': 'HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nhi',
    'of HTTP/1.0': 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi',
    'with Keep-Alive: timeout=1, too short to be safe':
      'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nhi',
    'with Keep-Alive: timeout=0': 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 2\r\n\r\nhi',
  };

  it.each(Object.keys(answers))('after a response %s', async (kind) => {
    const peer = await serveAnswer(answers[kind]);
    const agent = newAgent({ keepAlive: true });
    for (let i = 1; i <= 2; i++) {
      const { req, body } = await exchange({ ...peer.address, agent });
      expect(body.toString()).toBe('hi');
      expect(req.reusedSocket).toBe(false);
      await untilPoolIsEmpty(agent);
    }
    await until(() => peer.accepted.every((socket) => socket.readableEnded));
  });

  it('after a request with Connection: close', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    await exchange({ ...peer.address, agent, headers: { Connection: 'close' } });
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
  });

  it('after a response that was destroyed before its end', async () => {
    const peer = await serve((req, res) => res.end(Buffer.alloc(5_000_000)));
    const agent = newAgent({ keepAlive: true });
    const res = await responseTo(http.get({ ...peer.address, agent }));
    res.once('data', () => res.destroy());
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
  });
});

describe('the Keep-Alive hint of the server', () => {
  /** @returns the timeout (ms) that the idle socket has after a response with this hint */
  async function idleTimeout(hint, agentOptions) {
    const peer = await serveAnswer(`HTTP/1.1 200 OK\r\nKeep-Alive: ${hint}\r\nContent-Length: 0\r\n\r\n`);
    const agent = newAgent({ keepAlive: true, ...agentOptions });
    const { req } = await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    expect(Object.values(agent.freeSockets).flat()).toEqual([req.socket]);
    return req.socket.timeout;
  }

  it.each([
    ['a longer agent timeout gives way to the hint, less a second', 'timeout=5', { timeout: 20000 }, 4000],
    ['a shorter agent timeout stays', 'timeout=20', { timeout: 5000 }, 5000],
    ['parameters after it are no matter', 'timeout=3, max=100', { timeout: 20000 }, 2000],
    ['a hint that does not begin with timeout is ignored', 'max=100, timeout=3', { timeout: 20000 }, 20000],
    ['a hint that is not a number is ignored', 'timeout=soon', { timeout: 20000 }, 20000],
    ['without an agent timeout there is none', 'timeout=5', {}, 0],
  ])('%s', async (_fact, hint, agentOptions, expected) => {
    expect(await idleTimeout(hint, agentOptions)).toBe(expected);
  });

  const itIfNodeDoes = 'agentKeepAliveTimeoutBuffer' in new http.Agent() ? it : it.skip;

  itIfNodeDoes('is shortened by agentKeepAliveTimeoutBuffer', async () => {
    expect(await idleTimeout('timeout=5', { timeout: 20000, agentKeepAliveTimeoutBuffer: 300 })).toBe(4700);
    expect(await idleTimeout('timeout=1', { timeout: 20000, agentKeepAliveTimeoutBuffer: 0 })).toBe(1000);
  });
});

describe('the timeout of an agent', () => {
  it('closes a connection that is idle that long', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true, timeout: 60 });
    const { req } = await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    const idleSince = performance.now();
    await new Promise((resolve) => { req.socket.once('close', resolve); });
    expect(performance.now() - idleSince).toBeGreaterThan(40);
    expect(performance.now() - idleSince).toBeLessThan(2000);
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
  });

  it("makes a slow request emit 'timeout', and leaves it to go on", async () => {
    let answer;
    const peer = await serve((req, res) => { answer = () => res.end('late'); });
    const agent = newAgent({ keepAlive: true, timeout: 40 });
    const req = http.get({ ...peer.address, agent });
    const response = responseTo(req);
    await new Promise((resolve) => { req.once('timeout', resolve); });
    expect(req.destroyed).toBe(false);
    answer();
    expect((await bytesOf(await response)).toString()).toBe('late');
    expect(poolOf(agent).sockets + poolOf(agent).freeSockets).toBe(1);
  });

  it('comes back on the idle socket after a request with a timeout of its own', async () => {
    const peer = await serve((req, res) => res.end(), { keepAliveTimeout: 0 });
    const agent = newAgent({ keepAlive: true, timeout: 5000 });
    const timeouts = [];
    for (const timeout of [undefined, 777]) {
      const req = http.get({ ...peer.address, agent, ...(timeout && { timeout }) });
      const res = await responseTo(req);
      timeouts.push(req.socket.timeout);
      res.resume();
      await untilIdle(agent);
      timeouts.push(req.socket.timeout);
    }
    expect(timeouts).toEqual([5000, 5000, 777, 5000]);
  });
});

describe('a server that closes an idle connection', () => {
  it.each(['end', 'resetAndDestroy'])('by %s() takes it out of the pool: the next has a new one', async (how) => {
    const peer = await serveRaw((socket) => {
      onRequestHead(socket, () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    });
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 5; i++) {
      const { req } = await exchange({ ...peer.address, agent });
      expect(req.reusedSocket).toBe(false);
      await untilIdle(agent);
      expect(agent.totalSocketCount).toBe(1);
      peer.accepted.at(-1)[how]();
      await untilPoolIsEmpty(agent);
    }
    expect(peer.accepted.length).toBe(5);
  });
});

describe('an idle socket', () => {
  it('gathers no listeners from request to request', async () => {
    const peer = await serve((req, res) => res.end('x'));
    const agent = newAgent({ keepAlive: true, timeout: 5000 });
    const listeners = [];
    for (let i = 0; i < 12; i++) {
      const { req } = await exchange({ ...peer.address, agent, method: 'POST', body: 'y', timeout: 1000 });
      await untilIdle(agent);
      listeners.push(Object.fromEntries(
        req.socket.eventNames().map((name) => [String(name), req.socket.listenerCount(name)])));
    }
    expect(peer.accepted.length).toBe(1);
    expect(listeners.at(-1)).toEqual(listeners[1]);
  });

  it('is closed by an error, and nobody has to listen for it', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    const { req } = await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    req.socket.destroy(new Error('nobody hears this'));
    await untilPoolIsEmpty(agent);
  });
});

describe('the socket options of a pooled connection, as the kernel has them', () => {
  itLinux.each([
    ['keepAliveMsecs set', { keepAlive: true, keepAliveMsecs: 3000 },
      { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 3, TCP_NODELAY: 1 }],
    ['keepAliveMsecs left at a second', { keepAlive: true }, { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 1, TCP_NODELAY: 1 }],
    ['noDelay off', { keepAlive: true, noDelay: false }, { SO_KEEPALIVE: 1, TCP_NODELAY: 0 }],
  ])('%s', async (_what, options, expected) => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent(options);
    const { req } = await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    await until(() => req.socket.localPort);
    expect(socketOptions(req.socket.localPort, peer.port)).toMatchObject(expected);
  });
});
