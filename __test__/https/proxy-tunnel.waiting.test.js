'use strict';

const { isOracle, itOurs, until, untilNoConnections, untilPoolIsEmpty } = require('../support');
const {
  ESTABLISHED, eventsOf, https, httpsAgentFor, nodeHasProxies, serveHttps, serveTunnels, untilNothingIsLeft,
} = require('../support/proxy');

const describeProxies = isOracle && !nodeHasProxies ? describe.skip : describe;

describeProxies('the timeout of a request', () => {
  it.each([
    ['of the request', { timeout: 40 }, {}],
    ['of its agent', {}, { timeout: 40 }],
  ])('(%s) holds while the proxy answers', async (whose, options, agentOptions) => {
    const proxy = await serveTunnels(() => undefined);
    const agent = httpsAgentFor(proxy, agentOptions);
    const req = https.get({ host: 'origin.test', agent, ...options });
    const events = eventsOf(req);
    const error = await new Promise((resolve) => { req.once('error', resolve); });
    expect(error).toMatchObject({
      code: 'ERR_PROXY_TUNNEL',
      message: 'Connection to establish proxy tunnel timed out after 40ms',
      proxyTunnelTimeout: 40,
    });
    expect(await events).toEqual(['timeout', 'error ERR_PROXY_TUNNEL', 'close']);
    await untilNothingIsLeft(agent, proxy);
  });

  it('is told once when its listener destroys the request', async () => {
    const proxy = await serveTunnels(() => undefined);
    const req = https.get({ host: 'origin.test', agent: httpsAgentFor(proxy), timeout: 40 });
    req.on('timeout', () => req.destroy());
    expect(await eventsOf(req)).toEqual(['timeout', 'error ERR_PROXY_TUNNEL', 'close']);
  });

  itOurs('holds while TLS is established', async () => {
    const proxy = await serveTunnels((socket) => {
      socket.write(ESTABLISHED);
      return undefined;
    });
    const agent = httpsAgentFor(proxy);
    const req = https.get({ host: 'origin.test', agent, timeout: 40 });
    expect(await eventsOf(req)).toEqual(['timeout', 'error ERR_PROXY_TUNNEL', 'close']);
    await untilNothingIsLeft(agent, proxy);
  });

  itOurs('of its agent holds for the response too', async () => {
    const origin = await serveHttps(() => {});
    const proxy = await serveTunnels();
    const req = https.get({ ...origin.address, agent: httpsAgentFor(proxy, { timeout: 500 }) });
    req.on('error', () => {});
    await new Promise((resolve) => { req.once('timeout', resolve); });
    expect(req.socket.encrypted).toBe(true);
    expect(req.destroyed).toBe(false);
    req.destroy();
  });
});

describe.each([
  ['waits for the proxy\'s answer', () => undefined],
  ['waits for TLS', (socket) => {
    socket.write(ESTABLISHED);
    return undefined;
  }],
])('a request that %s', (when, answer) => {
  /** Starts one and waits until it is that far. */
  async function start(options) {
    const proxy = await serveTunnels(answer);
    const agent = httpsAgentFor(proxy);
    const req = https.get({ host: 'origin.test', agent, ...options });
    const events = eventsOf(req);
    await until(() => proxy.heads.length === 1);
    return { agent, proxy, req, events };
  }

  itOurs('is destroyed at once, and its tunnel with it', async () => {
    const { agent, proxy, req, events } = await start();
    req.destroy();
    expect(await events).toEqual(['error ECONNRESET', 'close']);
    await untilNothingIsLeft(agent, proxy);
  });

  itOurs('is destroyed with an error', async () => {
    const { req, events } = await start();
    req.destroy(Object.assign(new Error('mine'), { code: 'MINE' }));
    expect(await events).toEqual(['error MINE', 'close']);
  });

  itOurs('is aborted', async () => {
    const { req, events } = await start();
    req.abort();
    expect(await events).toEqual(['abort', 'close']);
  });

  itOurs('is called off by its signal', async () => {
    const controller = new AbortController();
    const { proxy, events } = await start({ signal: controller.signal });
    controller.abort();
    expect(await events).toEqual(['error ABORT_ERR', 'close']);
    await untilNoConnections(proxy);
  });

  itOurs('loses its tunnel to the agent\'s destroy()', async () => {
    const { agent, events } = await start();
    agent.destroy();
    expect(await events).toEqual(['error ECONNRESET', 'close']);
    await untilPoolIsEmpty(agent);
  });
});

