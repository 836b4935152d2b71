'use strict';

/** Agents of other packages that go through a proxy: the agent-base family. */

const { once } = require('node:events');
const nodeHttp = require('node:http');
const { bytesOf, cleanUp, pseudoRandomBytes, responseTo, serve, unusedPort, until } = require('../support');
const { EITHER_ORDER, sameOnBoth, serveSocks } = require('../support/clients');
const { serveTunnels } = require('../support/proxy');
const { certificates, serveTls } = require('../support/tls');

const { ca } = certificates;
// Taken before any of these tests puts another client in place.
const { request: requestOfNode } = nodeHttp;

/** A server that tells what it was asked. */
const mirror = async (req, res) => {
  const body = await bytesOf(req);
  res.setHeader('X-Origin', 'origin');
  res.end(JSON.stringify({ method: req.method, url: req.url, host: req.headers.host, length: body.length }));
};

/** A forward proxy for http: it goes where the target of the request says. */
async function serveForwardProxy() {
  const targets = [];
  const peer = await serve((req, res) => {
    const { hostname, port, pathname } = new URL(req.url);
    targets.push(`${req.method} ${pathname} ${req.headers['proxy-authorization'] ?? ''}`.trim());
    const options = { host: '127.0.0.1', port, path: pathname, method: req.method, headers: req.headers, agent: false };
    expect(['127.0.0.1', 'origin.test']).toContain(hostname);
    const onward = requestOfNode(options, (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.writeHead(502).end());
    req.pipe(onward);
  });
  return Object.assign(peer, { targets, url: `http://127.0.0.1:${peer.port}` });
}

/** Makes a request, reads the response, and tells all that does not differ from run to run. */
async function tell(req, body) {
  const events = [];
  for (const name of ['socket', 'response', 'close']) req.on(name, () => events.push(name));
  const withoutPorts = (text) => text.replaceAll(/\b(localhost|origin\.test|127\.0\.0\.1):\d+/g, '$1');
  const closed = new Promise((resolve) => { req.once('close', resolve); });
  const response = responseTo(req);
  req.end(body);
  try {
    const res = await response;
    const { statusCode, headers } = res;
    const text = withoutPorts(String(await bytesOf(res)));
    await closed;
    return { statusCode, origin: headers['x-origin'], text, events };
  } catch ({ name, code, message }) {
    await closed;
    return { name, code, message: withoutPorts(message), events };
  }
}

describe('https-proxy-agent', () => {
  const load = () => require('https-proxy-agent').HttpsProxyAgent;

  it('takes https through a proxy by CONNECT', async () => {
    const origin = await serveTls(mirror);
    const proxy = await serveTunnels();
    const upload = pseudoRandomBytes(300000);
    const { results } = await sameOnBoth(load, async (HttpsProxyAgent, { https }) => {
      proxy.heads.length = 0;
      const agent = new HttpsProxyAgent(proxy.url, { keepAlive: false });
      const options = { host: 'localhost', port: origin.port, agent, ca };
      return {
        results: [
          await tell(https.request({ ...options, path: '/one' })),
          await tell(https.request({ ...options, path: '/two', method: 'POST' }), upload),
          await tell(https.request(`https://localhost:${origin.port}/three`, { agent, ca })),
        ],
        heads: proxy.heads.map((head) => head.replaceAll(/:\d+/g, ':PORT')),
      };
    }, EITHER_ORDER);
    expect(results.map(({ statusCode, text }) => [statusCode, JSON.parse(text).url, JSON.parse(text).length])).toEqual([
      [200, '/one', 0], [200, '/two', upload.length], [200, '/three', 0]]);
  });

  it('keeps tunnels alive when it is told to', async () => {
    const origin = await serve(mirror);
    const proxy = await serveTunnels();
    const { reused } = await sameOnBoth(load, async (HttpsProxyAgent, { http }) => {
      proxy.heads.length = 0;
      const agent = new HttpsProxyAgent(proxy.url, { keepAlive: true, maxSockets: 1 });
      cleanUp(() => agent.destroy());
      const ask = (path) => {
        const req = http.request({ host: '127.0.0.1', port: origin.port, agent, path });
        return tell(req).then(({ statusCode }) => [statusCode, req.reusedSocket]);
      };
      const first = [await ask('/1'), await ask('/2')];
      const queued = await Promise.all([ask('/3'), ask('/4'), ask('/5')]);
      agent.destroy();
      return { reused: [...first, ...queued], tunnels: proxy.heads.length };
    });
    expect(reused.slice(0, 2)).toEqual([[200, false], [200, true]]);
  });

  it('takes plain http through a tunnel too, and upgrades', async () => {
    const origin = await serve(mirror);
    origin.server.on('upgrade', (req, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhead');
      socket.pipe(socket);
    });
    const proxy = await serveTunnels();
    const { plain, upgraded } = await sameOnBoth(load, async (HttpsProxyAgent, { http }) => {
      const agent = new HttpsProxyAgent(proxy.url);
      const headers = { Connection: 'Upgrade', Upgrade: 'echo' };
      const options = { host: 'localhost', port: origin.port, agent };
      const plainResult = await tell(http.request(options));
      const req = http.get({ ...options, headers });
      const [res, socket, head] = await once(req, 'upgrade');
      let text = String(head);
      socket.on('data', (chunk) => { text += chunk; });
      socket.write('more');
      await until(() => text === 'headmore');
      socket.destroy();
      return { plain: plainResult, upgraded: [res.statusCode, text] };
    }, EITHER_ORDER);
    expect([plain.statusCode, upgraded]).toEqual([200, [101, 'headmore']]);
  });

  it.each([
    ['refuses', () => ['HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!']],
    ['hangs up', (socket) => { socket.end(); }],
    ['resets the connection', (socket) => { socket.resetAndDestroy(); }],
  ])('has the answer or the error of a proxy that %s', async (how, answer) => {
    const origin = await serveTls(mirror);
    const proxy = await serveTunnels(answer);
    const result = await sameOnBoth(load, (HttpsProxyAgent, { https }) => {
      const agent = new HttpsProxyAgent(proxy.url);
      return tell(https.request({ host: 'localhost', port: origin.port, agent, ca }));
    }, { ...EITHER_ORDER, connects: how === 'refuses' });
    expect(result.statusCode ?? result.code ?? result.message).toBeDefined();
  });

  it('has the error of a proxy that is not there, and of a certificate at the other end', async () => {
    const origin = await serveTls(mirror);
    const proxy = await serveTunnels();
    const nowhere = `http://127.0.0.1:${await unusedPort()}`;
    const codes = await sameOnBoth(load, async (HttpsProxyAgent, { https }) => {
      const options = { host: 'localhost', port: origin.port };
      return [
        await tell(https.request({ ...options, agent: new HttpsProxyAgent(nowhere), ca })),
        await tell(https.request({ ...options, agent: new HttpsProxyAgent(proxy.url) })),
        await tell(https.request({ ...options, agent: new HttpsProxyAgent(proxy.url), ca, servername: 'x.test' })),
      ].map(({ code }) => code);
    }, EITHER_ORDER);
    expect(codes).toEqual(['ECONNREFUSED', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID']);
  });

  it('tells its own error of a tunnel that breaks when the request was called off', async () => {
    const proxy = await serveTunnels(() => undefined);
    const result = await sameOnBoth(load, async (HttpsProxyAgent, { https }) => {
      proxy.heads.length = 0;
      const req = https.request({ host: 'localhost', port: 1, agent: new HttpsProxyAgent(proxy.url), ca });
      const told = tell(req);
      await until(() => proxy.heads.length === 1);
      req.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' }));
      for (const socket of proxy.sockets) socket.destroy();
      return told;
    }, { ...EITHER_ORDER, connects: false });
    expect(result.message).toMatch(/^Proxy connection ended/);
  });
});

describe('http-proxy-agent', () => {
  const load = () => require('http-proxy-agent').HttpProxyAgent;

  it('asks the proxy for the whole URL, with credentials if the proxy has some', async () => {
    const origin = await serve(mirror);
    const proxy = await serveForwardProxy();
    const { results, targets } = await sameOnBoth(load, async (HttpProxyAgent, { http }) => {
      proxy.targets.length = 0;
      const url = new URL(proxy.url);
      Object.assign(url, { username: 'user', password: 'pass' });
      const options = { host: 'origin.test', port: origin.port, agent: new HttpProxyAgent(url) };
      return {
        results: [
          await tell(http.request({ ...options, path: '/one' })),
          await tell(http.request({ ...options, path: '/two', method: 'PUT' }), 'a body'),
        ],
        targets: [...proxy.targets],
      };
    }, EITHER_ORDER);
    const authorization = `Basic ${Buffer.from('user:pass').toString('base64')}`;
    expect(targets).toEqual([`GET /one ${authorization}`, `PUT /two ${authorization}`]);
    expect(results.map(({ statusCode, origin: by }) => [statusCode, by])).toEqual([[200, 'origin'], [200, 'origin']]);
  });

  it('has a 502 of the proxy as a response, and its absence as an error', async () => {
    const nowhere = await unusedPort();
    const proxy = await serveForwardProxy();
    const results = await sameOnBoth(load, async (HttpProxyAgent, { http }) => [
      await tell(http.request({ host: '127.0.0.1', port: nowhere, agent: new HttpProxyAgent(proxy.url) })),
      await tell(http.request({
        host: '127.0.0.1', port: 1, agent: new HttpProxyAgent(`http://127.0.0.1:${nowhere}`),
      })),
    ], EITHER_ORDER);
    expect(results.map(({ statusCode, code }) => statusCode ?? code)).toEqual([502, 'ECONNREFUSED']);
  });
});

describe('socks-proxy-agent', () => {
  const load = () => require('socks-proxy-agent').SocksProxyAgent;

  it('takes http and https through a SOCKS5 proxy', async () => {
    const [origin, secure, proxy] = [await serve(mirror), await serveTls(mirror), await serveSocks()];
    const { results, asked } = await sameOnBoth(load, async (SocksProxyAgent, { http, https }) => {
      proxy.asked.length = 0;
      const agent = new SocksProxyAgent(proxy.url);
      return {
        results: [
          await tell(http.request({ host: 'origin.test', port: origin.port, agent, path: '/plain' })),
          await tell(http.request({ host: 'origin.test', port: origin.port, agent, method: 'POST' }), 'a body'),
          await tell(https.request({ host: 'localhost', port: secure.port, agent, ca, path: '/secure' })),
        ],
        asked: proxy.asked.map((target) => target.split(':')[0]),
      };
    }, EITHER_ORDER);
    expect(results.map(({ statusCode, text }) => [statusCode, JSON.parse(text).url])).toEqual([
      [200, '/plain'], [200, '/'], [200, '/secure']]);
    expect(asked).toEqual(['origin.test', 'origin.test', 'localhost']);
  });

  it('has the error of a proxy that refuses', async () => {
    const proxy = await serveSocks({ refuses: true });
    const result = await sameOnBoth(load, (SocksProxyAgent, { http }) => {
      return tell(http.request({ host: 'origin.test', port: 80, agent: new SocksProxyAgent(proxy.url) }));
    }, { ...EITHER_ORDER, connects: false });
    expect(result.message).toMatch(/ConnectionRefused|rejected/);
  });
});

describe('proxy-agent', () => {
  const load = () => require('proxy-agent').ProxyAgent;

  it('chooses by URL between proxies, and connections of its own agents', async () => {
    const [origin, secure] = [await serve(mirror), await serveTls(mirror)];
    const [forward, tunnels, socks] = [await serveForwardProxy(), await serveTunnels(), await serveSocks()];
    const { statuses } = await sameOnBoth(load, async (ProxyAgent, { http, https }) => {
      forward.targets.length = tunnels.heads.length = socks.asked.length = 0;
      const agent = new ProxyAgent({
        getProxyForUrl(url) {
          if (url.includes('/socks')) return socks.url;
          if (url.includes('/direct')) return '';
          return url.startsWith('https:') ? tunnels.url : forward.url;
        },
      });
      cleanUp(() => agent.destroy());
      const plain = { host: '127.0.0.1', port: origin.port, agent };
      const encrypted = { host: 'localhost', port: secure.port, agent, ca };
      const results = [];
      for (const path of ['/proxied', '/direct', '/socks']) {
        results.push(await tell(http.request({ ...plain, path })), await tell(https.request({ ...encrypted, path })));
      }
      agent.destroy();
      return {
        statuses: results.map(({ statusCode }) => statusCode),
        results,
        used: [forward.targets.length, tunnels.heads.length, socks.asked.length],
      };
    }, EITHER_ORDER);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200]);
  });

  it('with keepAlive uses what it has again', async () => {
    const origin = await serve(mirror);
    const reused = await sameOnBoth(load, async (ProxyAgent, { http }) => {
      const agent = new ProxyAgent({ getProxyForUrl: () => '', keepAlive: true });
      cleanUp(() => agent.destroy());
      const results = [];
      for (let i = 0; i < 3; i++) {
        const req = http.request({ host: '127.0.0.1', port: origin.port, agent });
        await tell(req);
        results.push(req.reusedSocket);
      }
      agent.destroy();
      return results;
    });
    expect(reused).toEqual([false, true, true]);
  });
});
