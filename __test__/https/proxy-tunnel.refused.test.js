'use strict';

const { inspect } = require('node:util');

const {
  isOracle, itOurs, until, untilNoConnections, untilPoolIsEmpty, unusedPort,
} = require('../support');
const {
  ESTABLISHED, eventsOf, failureOf, https, httpsAgentFor, httpsExchange, nodeHasProxies, serveHttps,
  serveTunnels, untilNothingIsLeft,
} = require('../support/proxy');

const describeProxies = isOracle && !nodeHasProxies ? describe.skip : describe;

describeProxies('a tunnel that the proxy refuses', () => {
  it.each([
    ['HTTP/1.1 404 Not Found', 404],
    ['HTTP/1.1 407 Proxy Authentication Required', 407],
    ['HTTP/1.1 500 Connection Error', 500],
    ['HTTP/1.1 204 No Content', 204],
    ['HTTP/1.1 100 Continue', 100],
  ])('by %s fails the request with ERR_PROXY_TUNNEL', async (statusLine, statusCode) => {
    const proxy = await serveTunnels(() => [`${statusLine}\r\nA: b\r\n\r\nwhat follows`]);
    const agent = httpsAgentFor({ url: proxy.url.replace('//', '//user:secret@') });
    const error = await failureOf({ host: 'origin.test', agent });
    expect(error).toMatchObject({
      code: 'ERR_PROXY_TUNNEL',
      statusCode,
      message: `Failed to establish tunnel to origin.test:443 via ${proxy.url}/: ${statusLine}`,
    });
  });

  it('tells it once, then closes the request', async () => {
    const proxy = await serveTunnels(() => ['HTTP/1.1 500 No\r\n\r\n']);
    const req = https.get({ host: 'origin.test', agent: httpsAgentFor(proxy) });
    expect(await eventsOf(req)).toEqual(['error ERR_PROXY_TUNNEL', 'close']);
    expect(req.destroyed).toBe(true);
  });

  // CVE-2026-48615
  itOurs.each([
    ['refuses', () => ['HTTP/1.1 407 No\r\n\r\n']],
    ['says what is no HTTP', () => ['NOT-HTTP\r\n\r\n']],
    ['says too much', () => [`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`]],
    ['says nothing', () => undefined],
    ['closes', (socket) => { socket.end(); }],
    ['resets', (socket) => { socket.resetAndDestroy(); }],
  ])('shows no credentials when the proxy %s, and fails once', async (_what, answer) => {
    const proxy = await serveTunnels(answer);
    const agent = httpsAgentFor({ url: proxy.url.replace('//', '//user:secret@') });
    const req = https.get({ host: 'origin.test', agent, timeout: 100 });
    const errors = [];
    req.on('error', (error) => errors.push(error));
    await until(() => req.closed);
    expect(errors).toHaveLength(1);
    const shown = [inspect(errors[0], { depth: 5, showHidden: true }), errors[0].stack].join();
    expect(shown).not.toMatch(/secret|dXNlcjpzZWNyZXQ/);
  });

  itOurs('is closed, also when the proxy would keep the connection', async () => {
    const proxy = await serveTunnels(() => ['HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n']);
    const agent = httpsAgentFor(proxy, { keepAlive: true });
    await failureOf({ host: 'origin.test', agent });
    await untilNoConnections(proxy);
    await untilPoolIsEmpty(agent);
  });

  itOurs('is closed, also when the proxy keeps its side open', async () => {
    const proxy = await serveTunnels((socket) => {
      socket.removeAllListeners('end');
      return ['HTTP/1.1 407 No\r\n\r\n'];
    });
    await failureOf({ host: 'origin.test', agent: httpsAgentFor(proxy) });
    // A reset, as soon as the proxy writes: it has nobody to read it any more.
    await until(() => {
      proxy.accepted[0].write('x');
      return proxy.sockets.size === 0;
    });
  });

  it.each(['NOT-HTTP MALFORMED', 'HTTP/1.1', 'HTTP/1.1 2000 OK', ''])('by the line %j fails likewise', async (line) => {
    const proxy = await serveTunnels(() => [`${line}\r\n\r\n`]);
    const error = await failureOf({ host: 'origin.test', agent: httpsAgentFor(proxy) });
    expect(error).toMatchObject({
      code: 'ERR_PROXY_TUNNEL',
      message: `Failed to establish tunnel to origin.test:443 via ${proxy.url}: ${line}`,
    });
  });

  itOurs.each(['NOT-HTTP 200 OK', 'HTTP/2.0 200 OK', 'HTTP/1.1  200 OK', ' HTTP/1.1 200 OK'])(
    'because it does not speak HTTP/1 (%j) fails likewise', async (line) => {
      const proxy = await serveTunnels(() => [`${line}\r\n\r\n`]);
      const error = await failureOf({ host: 'origin.test', agent: httpsAgentFor(proxy) });
      expect(error.code).toBe('ERR_PROXY_TUNNEL');
    });

  it.each([[[]], [['HTTP/1.1 200 OK\r\n']]])('by ending the connection after %j fails likewise', async (segments) => {
    const proxy = await serveTunnels((socket) => {
      setImmediate(() => socket.end(segments.join('')));
      return undefined;
    });
    const error = await failureOf({ host: 'origin.test', agent: httpsAgentFor(proxy) });
    expect(error).toMatchObject({
      code: 'ERR_PROXY_TUNNEL', message: 'Connection to establish proxy tunnel ended unexpectedly',
    });
  });

  it('by a reset fails the request with ECONNRESET', async () => {
    const proxy = await serveTunnels((socket) => {
      socket.resetAndDestroy();
      return undefined;
    });
    const error = await failureOf({ host: 'origin.test', agent: httpsAgentFor(proxy) });
    expect(error.code).toBe('ECONNRESET');
  });

  it('because nobody listens fails the request with ECONNREFUSED', async () => {
    const port = await unusedPort();
    const agent = httpsAgentFor({ url: `http://127.0.0.1:${port}` });
    const error = await failureOf({ host: 'origin.test', agent });
    expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port });
    expect(agent.totalSocketCount).toBe(0);
  });

  itOurs.each([
    [undefined, 16384], [100, 100],
  ])('by a header above maxHeaderSize %p fails likewise', async (size, limit) => {
    const head = `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(limit)}`;
    const proxy = await serveTunnels(() => [head.slice(0, 60), head.slice(60)]);
    const agent = httpsAgentFor(proxy);
    const error = await failureOf({ host: 'origin.test', agent, maxHeaderSize: size });
    expect(error).toMatchObject({
      code: 'ERR_PROXY_TUNNEL', message: `Proxy response headers exceeded ${limit} bytes`,
    });
    await untilNoConnections(proxy);
  });

  itOurs('takes a header of exactly maxHeaderSize', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels(() => ['HTTP/1.1 200 OK\r\n', `A: ${'a'.repeat(76)}\r\n\r\n`]);
    const { res } = await httpsExchange({ ...origin.address, agent: httpsAgentFor(proxy), maxHeaderSize: 100 });
    expect(res.statusCode).toBe(200);
  });

  itOurs('hands what follows its answer to TLS, which does not take it', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels(() => [`${ESTABLISHED}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`]);
    const agent = httpsAgentFor(proxy);
    const error = await failureOf({ ...origin.address, agent });
    expect(error.code).toMatch(/^ERR_SSL_/);
    await untilPoolIsEmpty(agent);
  });

  itOurs.each([
    'a b', 'origin.test HTTP/1.1\r\nX: y', 'origin\u0000.test',
  ])('is not asked for when the host is %j', async (host) => {
    const proxy = await serveTunnels();
    const agent = httpsAgentFor(proxy);
    const error = await failureOf({ host, agent, setHost: false });
    expect(error.code).toBe('ERR_INVALID_CHAR');
    await untilNothingIsLeft(agent, proxy);
    expect(proxy.heads).toEqual([]);
  });
});

describeProxies('a tunnel that is open', () => {
  itOurs('and drops before TLS is established fails the request once', async () => {
    const proxy = await serveTunnels((socket) => {
      socket.end(ESTABLISHED);
    });
    const agent = httpsAgentFor(proxy, { keepAlive: true });
    const req = https.get({ host: 'origin.test', agent });
    expect(await eventsOf(req)).toEqual(['error ECONNRESET', 'close']);
    expect(proxy.accepted).toHaveLength(1);
    await untilPoolIsEmpty(agent);
  });

  itOurs.each([
    ['minVersion', { minVersion: 'TLSv9' }], ['ciphers', { ciphers: 'no-such-cipher' }], ['cert', { cert: 'nonsense' }],
    ['checkServerIdentity', { checkServerIdentity: 'none' }], ['ALPNProtocols', { ALPNProtocols: ['x'.repeat(300)] }],
  ])('for a request whose %s is invalid fails that once, by an error or a throw', async (_option, options) => {
    const origin = await serveHttps((_req, res) => res.end());
    const proxy = await serveTunnels();
    const agent = httpsAgentFor(proxy);
    const errors = [];
    try {
      const req = https.get({ host: 'localhost', port: origin.port, agent, ...options });
      req.on('error', (error) => errors.push(error));
      await until(() => req.closed);
    } catch (error) {
      errors.push(error);
    }
    expect(errors).toHaveLength(1);
    await untilPoolIsEmpty(agent);
  });
});
