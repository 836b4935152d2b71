'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const path = require('node:path');
const { isOracle, itOurs, poolOf, runScript, ROOT, until, untilPoolIsEmpty } = require('../support');
const {
  ESTABLISHED, eventsOf, failureOf, https, httpsAgentFor, httpsExchange, nodeHasProxies, serveHttps, serveTunnels,
} = require('../support/proxy');

const describeProxies = isOracle && !nodeHasProxies ? describe.skip : describe;

describeProxies('maxSockets', () => {
  it('holds while a request has its tunnel', async () => {
    const waiting = [];
    const origin = await serveHttps((req, res) => waiting.push(res));
    const proxy = await serveTunnels();
    const agent = httpsAgentFor(proxy, { maxSockets: 1, keepAlive: true });
    const first = httpsExchange({ ...origin.address, agent });
    await until(() => waiting.length === 1);
    const second = httpsExchange({ ...origin.address, agent });
    expect(poolOf(agent)).toEqual({ sockets: 1, freeSockets: 0, requests: 1 });
    waiting.shift().end('one');
    await until(() => waiting.length === 1);
    waiting.shift().end('two');
    expect([(await first).body.toString(), (await second).body.toString()]).toEqual(['one', 'two']);
    expect(proxy.heads).toHaveLength(1);
  });

  itOurs.each([['maxSockets'], ['maxTotalSockets']])('(%s) holds while tunnels are made', async (name) => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    let most = 0;
    proxy.server.on('connection', () => { most = Math.max(most, proxy.sockets.size); });
    const agent = httpsAgentFor(proxy, { [name]: 2, keepAlive: true });
    const exchanges = Array.from({ length: 7 },
      (_, index) => httpsExchange({ ...origin.address, path: `/${index}`, agent }));
    expect(agent.totalSocketCount).toBe(2);
    expect(poolOf(agent)).toEqual({ sockets: 2, freeSockets: 0, requests: 5 });
    const bodies = (await Promise.all(exchanges)).map(({ body }) => body.toString());
    expect(bodies).toEqual(Array.from({ length: 7 }, (_, index) => `secure /${index}`));
    expect(most).toBe(2);
    expect(proxy.heads).toHaveLength(2);
  });

  itOurs('leaves no request waiting when tunnels fail: each is told once, in its own context', async () => {
    const proxy = await serveTunnels(() => ['HTTP/1.1 502 Bad Gateway\r\n\r\n']);
    const agent = httpsAgentFor(proxy, { maxSockets: 2 });
    const storage = new AsyncLocalStorage();
    const told = [];
    const all = Array.from({ length: 5 }, (_, index) => storage.run(index, () => {
      const req = https.get({ host: 'origin.test', path: `/${index}`, agent });
      req.on('error', ({ code }) => told.push([storage.getStore(), code]));
      return new Promise((resolve) => { req.on('close', () => resolve(storage.getStore())); });
    }));
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4]);
    expect(told.sort()).toEqual(Array.from({ length: 5 }, (_, index) => [index, 'ERR_PROXY_TUNNEL']));
    await untilPoolIsEmpty(agent);
  });

  it('keeps each request in the context in which it was made', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    const agent = httpsAgentFor(proxy, { maxSockets: 1, keepAlive: true });
    const storage = new AsyncLocalStorage();
    const contexts = [1, 2, 3].map((index) => storage.run(index, () => {
      const req = https.get({ ...origin.address, agent });
      const seen = [];
      req.on('socket', () => seen.push(storage.getStore()));
      return new Promise((resolve, reject) => {
        req.on('error', reject);
        req.on('response', (res) => {
          seen.push(storage.getStore());
          res.resume().on('end', () => resolve([...seen, storage.getStore()]));
        });
      });
    }));
    expect(await Promise.all(contexts)).toEqual([[1, 1, 1], [2, 2, 2], [3, 3, 3]]);
  });

  itOurs('gives the place of a failed tunnel to a request that then succeeds', async () => {
    const origin = await serveHttps();
    const refusal = 'HTTP/1.1 502 Bad Gateway\r\n\r\n';
    const proxy = await serveTunnels((socket, index) => [index === 0 ? refusal : ESTABLISHED]);
    const agent = httpsAgentFor(proxy, { maxSockets: 1, keepAlive: true });
    const first = failureOf({ ...origin.address, agent });
    const second = httpsExchange({ ...origin.address, path: '/second', agent });
    const third = httpsExchange({ ...origin.address, path: '/third', agent });
    expect((await first).statusCode).toBe(502);
    expect((await second).body.toString()).toBe('secure /second');
    expect((await third).body.toString()).toBe('secure /third');
    expect(proxy.heads).toHaveLength(2);
  });

  itOurs('gives the place of a request that is called off to the next', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels((socket, index) => (index === 0 ? undefined : [ESTABLISHED]));
    const agent = httpsAgentFor(proxy, { maxSockets: 1 });
    const first = https.get({ ...origin.address, agent });
    const events = eventsOf(first);
    const second = httpsExchange({ ...origin.address, path: '/second', agent });
    await until(() => proxy.heads.length === 1);
    first.destroy();
    expect(await events).toEqual(['error ECONNRESET', 'close']);
    expect((await second).body.toString()).toBe('secure /second');
  });
});

itOurs('an exception in an error listener of a refused request does not keep the next from being told', async () => {
  const proxy = await serveTunnels(() => ['HTTP/1.1 502 Bad Gateway\r\n\r\n']);
  const { stdout, stderr } = await runScript((http, { module, proxyEnv }) => {
    const https = require(module);
    process.on('uncaughtException', ({ message }) => console.log(message));
    const agent = new https.Agent({ maxSockets: 1, proxyEnv });
    const first = https.get({ host: 'origin.test', agent });
    first.on('error', () => { throw new Error('from the listener'); });
    first.on('close', () => console.log('first closed'));
    const second = https.get({ host: 'origin.test', agent });
    second.on('error', ({ code }) => console.log('second', code));
    process.on('exit', () => console.log(agent.sockets, agent.requests, agent.totalSocketCount));
  }, { args: { module: path.join(ROOT, 'https'), proxyEnv: { HTTPS_PROXY: proxy.url } } });
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual([
    'from the listener',
    'first closed',
    'second ERR_PROXY_TUNNEL',
    '[Object: null prototype] {} [Object: null prototype] {} 0',
  ]);
});
