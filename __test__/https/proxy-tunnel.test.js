'use strict';

const {
  byteByByte, bytesOf, certificate, cleanUp, isOracle, itOurs, poolOf, pseudoRandomBytes, quiet, responseTo,
  until,
} = require('../support');
const {
  eventsOf, failureOf, https, httpsAgentFor, httpsExchange, nodeHasProxies, nodeHttps, serveHttps, serveTunnels,
  untilNothingIsLeft,
} = require('../support/proxy');

const describeProxies = isOracle && !nodeHasProxies ? describe.skip : describe;

describeProxies('a tunnel', () => {
  it('is asked for by CONNECT, and carries the request and its response', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    const { req, body } = await httpsExchange({ ...origin.address, path: '/x', agent: httpsAgentFor(proxy) });
    expect(body.toString()).toBe('secure /x');
    expect(proxy.heads).toEqual([
      `CONNECT 127.0.0.1:${origin.port} HTTP/1.1\r\nhost: 127.0.0.1:${origin.port}\r\n\r\n`,
    ]);
    expect(req.path).toBe('/x');
    expect(req.getHeader('proxy-connection')).toBeUndefined();
  });

  it('is kept and reused', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    const agent = httpsAgentFor(proxy, { keepAlive: true });
    await httpsExchange({ ...origin.address, agent });
    await until(() => poolOf(agent).freeSockets === 1);
    const { req } = await httpsExchange({ ...origin.address, agent });
    expect(req.reusedSocket).toBe(true);
    expect(proxy.heads).toEqual([
      `CONNECT 127.0.0.1:${origin.port} HTTP/1.1\r\nproxy-connection: keep-alive\r\n` +
        `host: 127.0.0.1:${origin.port}\r\n\r\n`,
    ]);
    await until(() => poolOf(agent).freeSockets === 1);
    agent.destroy();
    await untilNothingIsLeft(agent, proxy);
  });

  it('is asked for with the credentials of the proxy\'s URL', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    const agent = httpsAgentFor({ url: proxy.url.replace('//', '//us%40er:secret@') });
    await httpsExchange({ ...origin.address, agent });
    const credentials = Buffer.from('us@er:secret').toString('base64');
    expect(proxy.heads[0]).toContain(`proxy-authorization: Basic ${credentials}\r\n`);
  });

  it('is established by an answer in segments of one byte', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels(() => byteByByte('HTTP/1.0 200\r\nVia: x\r\n\r\n'));
    const { body } = await httpsExchange({ ...origin.address, path: '/x', agent: httpsAgentFor(proxy) });
    expect(body.toString()).toBe('secure /x');
  });

  it('has no body, whatever the answer\'s header says of one', async () => {
    const origin = await serveHttps();
    const fields = 'Content-Length: 5\r\nTransfer-Encoding: chunked';
    const proxy = await serveTunnels(() => [`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`]);
    const { body } = await httpsExchange({ ...origin.address, path: '/x', agent: httpsAgentFor(proxy) });
    expect(body.toString()).toBe('secure /x');
  });

  it('names an IPv6 address in brackets', async () => {
    const proxy = await serveTunnels(() => ['HTTP/1.1 502 Bad Gateway\r\n\r\n']);
    await failureOf({ host: '::1', port: 444, agent: httpsAgentFor(proxy) });
    expect(proxy.heads[0]).toMatch(/^CONNECT \[::1\]:444 HTTP\/1.1\r\nhost: \[::1\]:444\r\n/);
  });

  it('leads to port 443 by default', async () => {
    const proxy = await serveTunnels(() => ['HTTP/1.1 502 Bad Gateway\r\n\r\n']);
    await failureOf({ host: 'origin.test', agent: httpsAgentFor(proxy) });
    expect(proxy.heads[0]).toMatch(/^CONNECT origin.test:443 /);
  });

  it('sends the server\'s name and checks its certificate against that', async () => {
    const origin = await serveHttps((req, res) => res.end(String(req.socket.servername)));
    const proxy = await serveTunnels();
    const { body } = await httpsExchange({ host: 'localhost', port: origin.port, agent: httpsAgentFor(proxy) });
    expect(body.toString()).toBe('localhost');
    const error = await failureOf({ host: 'other.test', port: origin.port, agent: httpsAgentFor(proxy) });
    expect(error.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('with a server whose certificate is not trusted fails the request with that error', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    const agent = httpsAgentFor(proxy, { ca: undefined });
    const error = await failureOf({ ...origin.address, agent });
    expect(error.code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    await untilNothingIsLeft(agent, proxy);
  });

  it('carries a large body both ways', async () => {
    const sent = pseudoRandomBytes(1_000_000);
    const origin = await serveHttps((req, res) => req.pipe(res));
    const proxy = await serveTunnels();
    const agent = httpsAgentFor(proxy);
    const { body } = await httpsExchange({ ...origin.address, method: 'POST', body: sent, agent });
    expect(body.equals(sent)).toBe(true);
  });

  it('is not made for what NO_PROXY names', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    const agent = new https.Agent({
      ca: certificate.cert, proxyEnv: { https_proxy: proxy.url, no_proxy: `127.0.0.1:${origin.port}` },
    });
    cleanUp(() => agent.destroy());
    const { body } = await httpsExchange({ ...origin.address, path: '/x', agent });
    expect(body.toString()).toBe('secure /x');
    expect(proxy.accepted).toHaveLength(0);
  });

  itOurs('resumes the TLS session of an earlier one', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    const agent = httpsAgentFor(proxy, { maxVersion: 'TLSv1.2' });
    const reused = [];
    for (let i = 0; i < 2; i++) {
      const req = https.get({ ...origin.address, agent });
      const res = await responseTo(req);
      reused.push(req.socket.isSessionReused());
      await bytesOf(res);
    }
    expect(reused).toEqual([false, true]);
  });
});

// The agents of Node and ours can stand in for each other, where Node has proxies; ours make tunnels for Node's request
// also where it has none.
(nodeHasProxies && !isOracle ? describe : describe.skip)('next to Node\'s own', () => {
  function nodeAgentFor(proxy) {
    const agent = new nodeHttps.Agent({ ca: certificate.cert, proxyEnv: { HTTPS_PROXY: proxy.url } });
    cleanUp(() => agent.destroy());
    return agent;
  }

  it('a request of ours goes through the tunnel of an agent of Node\'s', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    const { body } = await httpsExchange({ ...origin.address, path: '/x', agent: nodeAgentFor(proxy) });
    expect(body.toString()).toBe('secure /x');
    expect(proxy.heads).toHaveLength(1);
  });

  it('a request of ours hears once that there is no tunnel', async () => {
    const proxy = await serveTunnels(() => ['HTTP/1.1 502 Bad Gateway\r\n\r\n']);
    const req = https.get({ host: 'origin.test', agent: nodeAgentFor(proxy) });
    expect(await eventsOf(req)).toEqual(['error ERR_PROXY_TUNNEL', 'close']);
  });
});

describe('an agent of ours', () => {
  itOurs('makes tunnels for a request of Node\'s', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    const req = nodeHttps.get({ ...origin.address, path: '/x', agent: httpsAgentFor(proxy) });
    expect((await bytesOf(await responseTo(req))).toString()).toBe('secure /x');
    expect(proxy.heads).toHaveLength(1);
  });

  itOurs('tells a request of Node\'s once that there is no tunnel', async () => {
    const proxy = await serveTunnels(() => ['HTTP/1.1 502 Bad Gateway\r\n\r\n']);
    const req = nodeHttps.get({ host: 'origin.test', agent: httpsAgentFor(proxy) });
    expect(await eventsOf(req)).toEqual(['error ERR_PROXY_TUNNEL', 'close']);
  });
});

itOurs('a connection made by hand goes through the tunnel and calls back', async () => {
  const origin = await serveHttps();
  const proxy = await serveTunnels();
  const agent = httpsAgentFor(proxy);
  const socket = await new Promise((resolve, reject) => {
    agent.createConnection({ host: 'localhost', port: origin.port, ca: certificate.cert },
      (error, made) => (error ? reject(error) : resolve(made)));
  });
  expect(socket.authorized).toBe(true);
  expect(agent.totalSocketCount).toBe(0);
  const byPort = await new Promise((resolve, reject) => {
    agent.createConnection(origin.port, 'localhost', { ca: certificate.cert },
      (error, made) => (error ? reject(error) : resolve(made)));
  });
  expect(byPort.servername).toBe('localhost');
  expect(proxy.heads.map((head) => head.split(' ')[1])).toEqual([1, 2].map(() => `localhost:${origin.port}`));
  socket.destroy();
  byPort.destroy();
  await quiet();
});
