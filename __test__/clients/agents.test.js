'use strict';

/**
 * Agents of others: as subclasses of the Agent under test (what they find as require('http')), and as they are,
 * subclasses of Node's, given to a request of the module under test.
 */

const { once } = require('node:events');
const net = require('node:net');
const nodeHttp = require('node:http');
const {
  http, serve, exchange, untilIdle, untilPoolIsEmpty, cleanUp, poolOf, until, unusedPort, bytesOf, responseTo,
} = require('../support');

/** Loads a package with that module for its require('http'). */
function loadWith(name, module) {
  let loaded;
  jest.isolateModules(() => {
    jest.doMock('http', () => module);
    loaded = jest.requireActual(name);
  });
  jest.dontMock('http');
  return loaded;
}

const BASES = [['of this module', http], ['of node:http', nodeHttp]];

/** A forward proxy as RFC 9112 section 3.2.2 has it: requests in absolute form; and one for CONNECT. */
async function serveProxy() {
  const asked = [];
  const peer = await serve((req, res) => {
    asked.push(`${req.method} ${req.url}`);
    const { hostname: host, port, pathname } = new URL(req.url);
    const { method, headers } = req;
    const onward = nodeHttp.request({ host, port, path: pathname, method, headers, agent: false });
    onward.on('response', (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.writeHead(502).end());
    req.pipe(onward);
  });
  peer.server.on('connect', (req, socket, head) => {
    asked.push(`CONNECT ${req.url}`);
    const [host, port] = req.url.split(':');
    const onward = net.connect(port, host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [socket, onward]) end.on('error', () => { socket.destroy(); onward.destroy(); });
  });
  return { ...peer, url: `http://127.0.0.1:${peer.port}`, asked };
}

describe.each(BASES)('agentkeepalive, a subclass of the Agent %s', (_name, base) => {
  const KeepAlive = loadWith('agentkeepalive', base);

  /** @returns an agent destroyed after the test */
  function newKeepAlive(options) {
    const agent = new KeepAlive(options);
    cleanUp(() => agent.destroy());
    return agent;
  }

  it('keeps connections and counts them', async () => {
    const peer = await serve((req, res) => res.end('x'));
    const agent = newKeepAlive({ maxSockets: 2 });
    expect(agent).toBeInstanceOf(base.Agent);
    for (let i = 0; i < 3; i++) {
      await Promise.all([1, 2, 3, 4].map(() => exchange({ ...peer.address, agent })));
      await untilIdle(agent);
    }
    expect(peer.accepted.length).toBe(2);
    expect(agent.getCurrentStatus()).toMatchObject({
      createSocketCount: 2, closeSocketCount: 0, errorSocketCount: 0, timeoutSocketCount: 0, requestCount: 12,
    });
    agent.destroy();
    await until(() => agent.getCurrentStatus().closeSocketCount === 2);
  });

  it('closes idle connections after freeSocketTimeout', async () => {
    const peer = await serve((req, res) => res.end('x'), { keepAliveTimeout: 0 });
    const agent = newKeepAlive({ freeSocketTimeout: 60 });
    await exchange({ ...peer.address, agent });
    await untilPoolIsEmpty(agent);
    expect(agent.getCurrentStatus()).toMatchObject({ createSocketCount: 1, closeSocketCount: 1 });
  });

  it('keeps an idle connection for the time that the user has given this one', async () => {
    const peer = await serve((req, res) => res.end('x'));
    const agent = newKeepAlive({ freeSocketTimeout: 50 });
    const first = http.get({ ...peer.address, agent });
    first.on('socket', (socket) => { socket.freeSocketTimeout = 60_000; });
    (await responseTo(first)).resume();
    await untilIdle(agent);
    const idleSince = performance.now();
    await until(() => performance.now() - idleSince > 100);
    const { req } = await exchange({ ...peer.address, agent });
    expect(req.reusedSocket).toBe(true);
    expect(peer.accepted.length).toBe(1);
  });

  it('ends a request that is silent for its timeout', async () => {
    const peer = await serve(() => {});
    const agent = newKeepAlive({ timeout: 60 });
    await expect(exchange({ ...peer.address, agent })).rejects.toMatchObject({ code: 'ERR_SOCKET_TIMEOUT' });
    expect(agent.getCurrentStatus().timeoutSocketCount).toBe(1);
    await untilPoolIsEmpty(agent);
  });

  it('retires a connection after socketActiveTTL', async () => {
    const peer = await serve((req, res) => res.end('x'), { keepAliveTimeout: 0 });
    const agent = newKeepAlive({ socketActiveTTL: 80 });
    const deadline = Date.now() + 5000;
    while (peer.accepted.length < 2 && Date.now() < deadline) await exchange({ ...peer.address, agent });
    expect(peer.accepted.length).toBe(2);
  });
});

describe.each(BASES)('http-proxy-agent, a subclass of the Agent %s', (_name, base) => {
  const { HttpProxyAgent } = loadWith('http-proxy-agent', base);

  it('sends requests in absolute form by the proxy, and keeps its connections', async () => {
    const proxy = await serveProxy();
    const peer = await serve((req, res) => req.pipe(res));
    const agent = new HttpProxyAgent(proxy.url, { keepAlive: true, maxSockets: 1 });
    cleanUp(() => agent.destroy());
    for (let i = 0; i < 3; i++) {
      const { body } = await exchange({ ...peer.address, agent, method: 'POST', path: `/${i}`, body: 'through' });
      expect(body.toString()).toBe('through');
      await untilIdle(agent);
    }
    expect(proxy.asked).toEqual([0, 1, 2].map((index) => `POST http://127.0.0.1:${peer.port}/${index}`));
    expect(poolOf(agent).requests).toBe(0);
  });

  it('fails each request when there is no proxy, and leaves none waiting', async () => {
    const agent = new HttpProxyAgent(`http://127.0.0.1:${await unusedPort()}`, { maxSockets: 1 });
    cleanUp(() => agent.destroy());
    for (let i = 0; i < 3; i++) {
      await expect(exchange({ host: '127.0.0.1', port: 1, agent })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    }
    expect(poolOf(agent)).toMatchObject({ requests: 0 });
  });
});

describe.each(BASES)('https-proxy-agent, a subclass of the Agent %s', (_name, base) => {
  const { HttpsProxyAgent } = loadWith('https-proxy-agent', base);

  it('carries requests through a tunnel of the proxy', async () => {
    const proxy = await serveProxy();
    const peer = await serve((req, res) => req.pipe(res));
    const agent = new HttpsProxyAgent(proxy.url);
    cleanUp(() => agent.destroy());
    const sent = Buffer.alloc(300_000, 'x');
    const req = http.request({ ...peer.address, agent, method: 'POST' });
    const response = responseTo(req);
    req.end(sent);
    expect((await bytesOf(await response)).equals(sent)).toBe(true);
    expect(proxy.asked).toEqual([`CONNECT 127.0.0.1:${peer.port}`]);
  });

  it('answers what the proxy answers when it refuses', async () => {
    const proxy = await serve();
    proxy.server.on('connect', (req, socket) => {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwho?');
    });
    const agent = new HttpsProxyAgent(`http://127.0.0.1:${proxy.port}`);
    cleanUp(() => agent.destroy());
    const [res] = await once(http.get({ host: '127.0.0.1', port: 1, agent }), 'response');
    expect(res.statusCode).toBe(407);
    expect((await bytesOf(res)).toString()).toBe('who?');
  });
});
