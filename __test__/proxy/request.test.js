'use strict';

const { PerformanceObserver } = require('node:perf_hooks');
const {
  bytesOf, exchange, http, isOracle, itMends, itNative, itOurs, newAgent, nodeIsAtLeast, poolOf, pseudoRandomBytes,
  responseTo, serve, serveAnswer, serveWire, until, untilIdle, unusedPort,
} = require('../support');
const { kAuthority } = require('../../lib/node/internals');
const { https, nodeHasProxies, nodeHttp, serveHttpProxy } = require('../support/proxy');

// What is checked of a request here, Node does not check before 24.
const describeProxies = isOracle && !nodeIsAtLeast(24, 18) ? describe.skip : describe;

/** @returns {import('node:http').Agent} an agent for that proxy, destroyed after the test */
function agentFor(proxy, options) {
  return newAgent({ ...options, proxyEnv: { HTTP_PROXY: proxy.url, ...options?.proxyEnv } });
}

/** Gives the bytes of a request to a proxy, as they are on the wire. The origin need not exist. */
async function wireOf({ credentials = '', agentOptions, body, ...options }) {
  const peer = await serveWire();
  const agent = newAgent({ ...agentOptions, proxyEnv: { HTTP_PROXY: `http://${credentials}127.0.0.1:${peer.port}` } });
  const req = http.request({ host: 'origin.test', ...options, agent });
  const response = responseTo(req);
  req.end(body);
  await bytesOf(await response);
  return { wire: peer.wire(), req };
}

describeProxies('a request through a proxy', () => {
  it('has its target in absolute-form and says what becomes of the connection', async () => {
    const { wire, req } = await wireOf({ path: '/a?b=c' });
    expect(wire).toBe('GET http://origin.test/a?b=c HTTP/1.1\r\nHost: origin.test\r\nproxy-connection: close\r\n' +
      'Connection: close\r\n\r\n');
    expect(req.path).toBe('http://origin.test/a?b=c');
    expect(req.host).toBe('origin.test');
  });

  it('asks the proxy to keep the connection that its agent keeps', async () => {
    const { wire } = await wireOf({ agentOptions: { keepAlive: true } });
    expect(wire).toBe('GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nproxy-connection: keep-alive\r\n' +
      'Connection: keep-alive\r\n\r\n');
  });

  it.each([
    ['user:secret@', 'user:secret'],
    ['user@', 'user:'],
    [':secret@', ':secret'],
    ['us%40er:s%3Acret%C3%BC@', 'us@er:s:cretü'],
    ['user:a%0D%0Ab@', 'user:a\r\nb'],
  ])('sends the credentials of %s', async (credentials, decoded) => {
    const { wire } = await wireOf({ credentials });
    const field = /^proxy-authorization: Basic (.*)\r$/m.exec(wire);
    expect(Buffer.from(field[1], 'base64').toString()).toBe(decoded);
  });

  it.each([
    [{ port: 8080 }, 'http://origin.test:8080/', 'origin.test:8080'],
    [{ port: '8080' }, 'http://origin.test:8080/', 'origin.test:8080'],
    [{ port: 80 }, 'http://origin.test/', 'origin.test'],
    [{ host: '::1', port: 81 }, 'http://[::1]:81/', '[::1]:81'],
    [{ host: '[::1]' }, 'http://[::1]/', '[::1]'],
    [{ host: 'ORIGIN.test' }, 'http://origin.test/', 'origin.test'],
    [{ host: 'bücher.test' }, 'http://xn--bcher-kva.test/', 'xn--bcher-kva.test'],
    [{ headers: { Host: 'ORIGIN.TEST:80' } }, 'http://origin.test/', 'origin.test'],
    [{ path: 'http://origin.test/x' }, 'http://origin.test/x', 'origin.test'],
    [{ path: '//other.test/x' }, 'http://origin.test//other.test/x', 'origin.test'],
    [{ path: '/a/../b' }, 'http://origin.test/b', 'origin.test'],
    [{ method: 'OPTIONS', path: '*' }, '*', 'origin.test'],
  ])('with %j asks for %s', async (options, target, host) => {
    const { wire } = await wireOf(options);
    expect(wire.split(' ')[1]).toBe(target);
    expect(/^Host: (.*)\r$/m.exec(wire)[1]).toBe(host);
  });

  it('has no Host where it is not wanted', async () => {
    const { wire } = await wireOf({ setHost: false });
    expect(wire).toMatch(/^GET http:\/\/origin.test\/ /);
    expect(wire).not.toMatch(/host:/i);
  });

  it('overrides what was set for the proxy by hand', async () => {
    const { wire } = await wireOf({ credentials: 'user:secret@', headers: { 'Proxy-Authorization': 'mine' } });
    expect(wire).toContain('proxy-authorization: Basic dXNlcjpzZWNyZXQ=\r\n');
    expect(wire).not.toContain('mine');
  });

  it('is rewritten before its header goes out early, for Expect', async () => {
    const { wire } = await wireOf({ method: 'POST', headers: { 'Expect': '100-continue', 'Content-Length': '0' } });
    expect(wire).toMatch(/^POST http:\/\/origin.test\/ HTTP\/1.1\r\n/);
    expect(wire).toContain('proxy-connection: close\r\n');
  });

  it('can take its path from the rewritten one', async () => {
    const { wire } = await wireOf({ path: new URL('http://origin.test/from?url').href });
    expect(wire).toMatch(/^GET http:\/\/origin.test\/from\?url /);
  });

  it.each([
    [['X-A', '1', 'Host', 'origin.test', 'X-A', '2'], 'X-A: 1\r\nHost: origin.test\r\nX-A: 2\r\n'],
    [[['X-A', '1'], ['X-A', '2']], 'X-A: 1\r\nX-A: 2\r\n'],
  ])('keeps a list of header fields: %j', async (headers, fields) => {
    const { wire } = await wireOf({ headers });
    expect(wire.startsWith(`GET http://origin.test/ HTTP/1.1\r\n${fields}`)).toBe(true);
  });

  it('carries a body both ways', async () => {
    const sent = pseudoRandomBytes(300_000);
    const proxy = await serveHttpProxy((req, res) => req.pipe(res));
    const { body } = await exchange({ host: 'origin.test', agent: agentFor(proxy), method: 'POST', body: sent });
    expect(body.equals(sent)).toBe(true);
  });
});

describeProxies('a request that cannot go through a proxy', () => {
  const proxyEnv = { HTTP_PROXY: 'http://proxy.test' };

  function request(options) {
    const agent = newAgent({ proxyEnv });
    return http.request({ host: 'origin.test', ...options, agent });
  }

  it.each([
    [{ path: 'relative' }, 'ERR_INVALID_ARG_VALUE', 'The property \'options.path\' must be in absolute-form or start ' +
      'with /. Received \'relative\''],
    [{ path: 'http://other.test/' }, 'ERR_INVALID_ARG_VALUE', 'must match the request authority (origin.test)'],
    [{ path: 'http://origin.test:81/' }, 'ERR_INVALID_ARG_VALUE', 'must match the request authority (origin.test)'],
    [{ path: 'https://origin.test/' }, 'ERR_INVALID_ARG_VALUE', 'must use http: scheme when specified as an absolute ' +
      'URL. Received \'https:\''],
    [{ path: 'http://user:secret@origin.test/' }, 'ERR_INVALID_ARG_VALUE', 'must not contain userinfo, use ' +
      'options.auth instead. Received \'http://origin.test/\''],
    [{ headers: { Host: 'other.test' } }, 'ERR_INVALID_ARG_VALUE', 'The property \'Host in options.headers\' must ' +
      'match the request authority (origin.test). Received \'other.test\''],
    [{ headers: { Host: 'origin.test:81' } }, 'ERR_INVALID_ARG_VALUE', 'must match the request authority'],
    [{ headers: { Host: 'user@origin.test' } }, 'ERR_INVALID_ARG_VALUE', 'must match the request authority'],
    [{ headers: { Host: 'origin.test/path' } }, 'ERR_INVALID_ARG_VALUE', 'must match the request authority'],
    [{ headers: { Host: 'a b' } }, 'ERR_INVALID_ARG_VALUE', 'must match the request authority'],
    [{ headers: ['Host', 'ORIGIN.test'] }, 'ERR_INVALID_ARG_VALUE', 'must match the request authority'],
    [{ headers: [['host', 'other.test']] }, 'ERR_INVALID_ARG_VALUE', 'must match the request authority'],
    [{ headers: ['Host', 'origin.test', 'host', 'origin.test'] }, 'ERR_INVALID_ARG_VALUE', 'must not contain ' +
      'duplicate Host headers. Received \'(redacted)\''],
    [{ headers: [['A', '1'], 'B'] }, 'ERR_INVALID_ARG_VALUE', 'The property \'options.headers[1]\' must be an array ' +
      'when headers is passed as an array of pairs. Received \'string\''],
    [{ port: 65536 }, 'ERR_SOCKET_BAD_PORT', 'options.port should be >= 0 and < 65536. Received type number (65536).'],
    [{ port: 'eighty' }, 'ERR_SOCKET_BAD_PORT', 'Received type string (\'eighty\').'],
    [{ port: ' ' }, 'ERR_SOCKET_BAD_PORT', 'Received type string (\' \').'],
    [{ host: 'a b' }, 'ERR_INVALID_URL', 'Invalid URL'],
    [{ host: 'origin\r\n.test' }, 'ERR_INVALID_CHAR', 'Host'],
  ])('%j throws %s', (options, code, message) => {
    expect(() => request(options)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  itOurs.each(['user@origin.test', 'origin.test/path', 'origin.test?query', 'origin.test#fragment', 'origin.test:81'])(
    'is one to the host %s, which is none', (host) => {
      expect(() => request({ host, setHost: false })).toThrow(expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: `The property 'options.host' must be a host name or an address. Received '${host}'`,
      }));
    });
});

describeProxies('connections to a proxy', () => {
  it('are kept and reused for their origin alone', async () => {
    const proxy = await serveHttpProxy();
    const agent = agentFor(proxy, { keepAlive: true });
    const options = { host: 'one.test', agent };
    const first = await exchange(options);
    await untilIdle(agent);
    expect(agent.freeSockets[agent.getName({ host: 'one.test', port: 80 })]).toEqual([first.req.socket]);
    const second = await exchange(options);
    expect(second.req.reusedSocket).toBe(true);
    await untilIdle(agent);
    const other = await exchange({ ...options, host: 'two.test' });
    expect(other.req.reusedSocket).toBe(false);
    expect(proxy.accepted).toHaveLength(2);
    expect(proxy.seen.map(({ url }) => url)).toEqual(['http://one.test/', 'http://one.test/', 'http://two.test/']);
  });

  it('number no more than maxSockets', async () => {
    const waiting = [];
    const proxy = await serveHttpProxy((req, res) => waiting.push(res));
    const agent = agentFor(proxy, { maxSockets: 1 });
    const exchanges = [1, 2, 3].map((index) => exchange({ host: 'origin.test', path: `/${index}`, agent }));
    for (const left of [2, 1, 0]) {
      await until(() => waiting.length === 1);
      expect(poolOf(agent)).toEqual({ sockets: 1, freeSockets: 0, requests: left });
      waiting.shift().end('done');
    }
    await Promise.all(exchanges);
    expect(proxy.accepted).toHaveLength(1);
  });

  it('are not made for what NO_PROXY names', async () => {
    const origin = await serve((req, res) => res.end(`direct ${req.url}`));
    const proxy = await serveHttpProxy();
    const agent = agentFor(proxy, { proxyEnv: { NO_PROXY: '127.0.0.1' } });
    const { body } = await exchange({ ...origin.address, path: '/x', agent });
    expect(body.toString()).toBe('direct /x');
    expect(proxy.accepted).toHaveLength(0);
  });

  it('that are refused fail the request with ECONNREFUSED', async () => {
    const port = await unusedPort();
    const agent = newAgent({ proxyEnv: { http_proxy: `http://127.0.0.1:${port}` } });
    const error = await responseTo(http.get({ host: 'origin.test', agent })).catch((failure) => failure);
    expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port });
  });

  it('that end without an answer fail the request with ECONNRESET', async () => {
    const proxy = await serveHttpProxy((req) => req.destroy());
    const agent = agentFor(proxy);
    const error = await responseTo(http.get({ host: 'origin.test', agent })).catch((failure) => failure);
    expect(error).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });
  });

  it('bring the proxy\'s own responses like any other', async () => {
    const proxy = await serveHttpProxy((req, res) => {
      res.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="proxy"' });
      res.end('who are you?');
    });
    const { res, body } = await exchange({ host: 'origin.test', agent: agentFor(proxy) });
    expect(res.statusCode).toBe(407);
    expect(res.headers['proxy-authenticate']).toBe('Basic realm="proxy"');
    expect(body.toString()).toBe('who are you?');
  });

  it('take CONNECT for what it is', async () => {
    const proxy = await serveAnswer('HTTP/1.1 200 OK\r\n\r\nhello');
    const agent = newAgent({ proxyEnv: { http_proxy: `http://user:secret@127.0.0.1:${proxy.port}` } });
    const req = http.request({ method: 'CONNECT', host: 'origin.test', path: 'other.test:443', agent });
    const connected = new Promise((resolve, reject) => {
      req.on('connect', (res, socket, head) => resolve({ socket, head }));
      req.on('error', reject);
    });
    req.end();
    const { socket, head } = await connected;
    expect(proxy.heads[0]).toMatch(/^CONNECT other.test:443 HTTP\/1.1\r\n/);
    expect(proxy.heads[0]).toContain('proxy-authorization: Basic dXNlcjpzZWNyZXQ=\r\n');
    expect((head.length > 0 ? head : await new Promise((resolve) => { socket.once('data', resolve); })).toString())
      .toBe('hello');
    socket.destroy();
  });

  itOurs('have the agent\'s timeout from the start', async () => {
    const proxy = await serveHttpProxy(() => {});
    const req = http.get({ host: 'origin.test', agent: agentFor(proxy, { timeout: 30 }) });
    await new Promise((resolve) => { req.once('timeout', resolve); });
    req.on('error', () => {});
    req.destroy();
  });

  itNative('are the I/O thread\'s', async () => {
    const proxy = await serveHttpProxy();
    const before = http.stats().connectionsOpened;
    await exchange({ host: 'origin.test', agent: agentFor(proxy) });
    expect(http.stats().connectionsOpened).toBe(before + 1);
  });

  itOurs('get the fields that a list of header fields lacks, without which a proxy answers 407', async () => {
    const headers = ['X-A', '1', 'Host', 'origin.test'];
    const pairs = [['X-A', '1'], ['Host', 'origin.test']];
    const fields = 'X-A: 1\r\nHost: origin.test\r\nproxy-authorization: Basic dXNlcjo=\r\nproxy-connection: close\r\n';
    expect((await wireOf({ credentials: 'user@', headers })).wire).toContain(fields);
    expect((await wireOf({ credentials: 'user@', headers: pairs })).wire).toContain(fields);
    const own = (await wireOf({ credentials: 'user@', headers: [...headers, 'Proxy-Authorization', 'mine'] })).wire;
    expect(own.match(/^proxy-authorization: .*$/gim)).toEqual(['Proxy-Authorization: mine']);
    expect(headers).toHaveLength(4);
  });
});

/** True if entries of the running Node have the port and the URL of the origin, as since Node 24.20. */
const nodeTellsPorts = kAuthority !== undefined;

describeProxies('the perf_hooks entry of a request through a proxy', () => {
  itMends(!nodeTellsPorts)('has the URL once', async () => {
    const proxy = await serveHttpProxy();
    const entries = [];
    const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()));
    observer.observe({ entryTypes: ['http'] });
    await exchange({ host: 'origin.test', port: 81, path: '/x', agent: agentFor(proxy) });
    const mine = () => entries.find(({ name }) => name === 'HttpClient');
    await until(mine);
    observer.disconnect();
    expect(mine().detail.req.url).toBe('http://origin.test:81/x');
  });
});

// Where Node has proxies, its agents and ours can stand in for each other.
(nodeHasProxies && !isOracle ? describe : describe.skip)('next to Node\'s own', () => {
  it('a request of ours goes through the proxy of an agent of Node\'s', async () => {
    const proxy = await serveHttpProxy();
    const agent = new nodeHttp.Agent({ proxyEnv: { HTTP_PROXY: proxy.url } });
    const { body } = await exchange({ host: 'origin.test', path: '/x', agent });
    expect(body.toString()).toBe('from the proxy');
    expect(proxy.seen[0].url).toBe('http://origin.test/x');
  });

  it('a request of Node\'s goes through the proxy of an agent of ours', async () => {
    const proxy = await serveHttpProxy();
    const res = await responseTo(nodeHttp.get({ host: 'origin.test', path: '/x', agent: agentFor(proxy) }));
    expect((await bytesOf(res)).toString()).toBe('from the proxy');
    expect(proxy.seen[0].url).toBe('http://origin.test/x');
  });
});

it('an agent of https does not touch requests of http', () => {
  const agent = new https.Agent({ proxyEnv: { HTTPS_PROXY: 'http://proxy.test' } });
  expect(() => http.request({ host: 'origin.test', agent })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_PROTOCOL' }));
});
