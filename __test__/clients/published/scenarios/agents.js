'use strict';

/**
 * Agents of others, given to `http.request`: agentkeepalive and the agents for proxies, whose classes extend the Agent
 * that node:http has when they are loaded.
 */

const { once } = require('node:events');
const { ca } = require('../../../support/certificates');

async function ask(kit, url, { body, ...options }) {
  const { request } = url.startsWith('https') ? kit.https : kit.http;
  const req = request(url, { method: 'POST', ...options });
  req.end(body);
  const [res] = await once(req, 'response');
  return { status: res.statusCode, body: Buffer.concat(await res.toArray()).toString() };
}

const bodyOf = async (...args) => JSON.parse((await ask(...args)).body).body;

module.exports = {
  load: async () => ({
    KeepAlive: require('agentkeepalive'),
    ...(await import('http-proxy-agent')),
    ...(await import('https-proxy-agent')),
    ...(await import('proxy-agent')),
  }),
  given: 'transport',
  scenarios: {
    'agentkeepalive keeps connections and counts them': {
      act: async ({ KeepAlive }, kit) => {
        const agent = kit.kept(new KeepAlive({ maxSockets: 2 }));
        const bodies = [];
        for (let i = 0; i < 3; i++) {
          bodies.push(
            ...(await Promise.all(['a', 'b', 'c'].map((body) => bodyOf(kit, `${kit.url}/mirror`, { agent, body })))),
          );
        }
        await kit.until(() => agent.getCurrentStatus().requestCount === 9);
        const { createSocketCount, closeSocketCount, errorSocketCount, timeoutSocketCount } =
          agent.getCurrentStatus();
        return {
          bodies: bodies.join(''),
          connections: kit.origin.connections,
          createSocketCount,
          closeSocketCount,
          errorSocketCount,
          timeoutSocketCount,
        };
      },
      gives: {
        bodies: 'abcabcabc',
        connections: 2,
        createSocketCount: 2,
        closeSocketCount: 0,
        errorSocketCount: 0,
        timeoutSocketCount: 0,
      },
    },
    'agentkeepalive keeps connections with TLS': {
      act: async ({ KeepAlive }, kit) => {
        const agent = kit.kept(new KeepAlive.HttpsAgent({ ca }));
        const bodies = [];
        for (const body of ['a', 'b', 'c'])
        {bodies.push(await bodyOf(kit, `${kit.secureUrl}/mirror`, { agent, body }));}
        return { bodies, connections: kit.secure.connections };
      },
      gives: { bodies: ['a', 'b', 'c'], connections: 1 },
    },
    'agentkeepalive closes what is idle for freeSocketTimeout': {
      act: async ({ KeepAlive }, kit) => {
        const agent = kit.kept(new KeepAlive({ freeSocketTimeout: 40 }));
        await bodyOf(kit, `${kit.url}/mirror`, { agent, body: 'x' });
        await kit.until(() => agent.getCurrentStatus().closeSocketCount === 1);
        await kit.untilClosed();
        return agent.getCurrentStatus().freeSockets;
      },
      gives: {},
    },
    'agentkeepalive ends a request that is not answered in time': {
      mayNotArrive: true,
      act: async ({ KeepAlive }, kit) => {
        const agent = kit.kept(new KeepAlive({ timeout: 60 }));
        const { code, name } = await kit.errorOf(ask(kit, `${kit.url}/silent`, { agent }));
        await kit.untilClosed();
        return { code, name, count: agent.getCurrentStatus().timeoutSocketCount };
      },
      gives: { code: 'ERR_SOCKET_TIMEOUT', name: 'Error', count: 1 },
    },
    'http-proxy-agent asks in absolute form': {
      act: async ({ HttpProxyAgent }, kit) => {
        const agent = kit.kept(
          new HttpProxyAgent(kit.proxyUrl, { keepAlive: true, headers: { 'Proxy-Authorization': 'Basic x' } }),
        );
        const bodies = [];
        for (const body of ['a', 'b']) bodies.push(await bodyOf(kit, `${kit.url}/mirror`, { agent, body }));
        return { bodies, asked: kit.proxy.asked, connections: kit.proxy.connections };
      },
      gives: {
        bodies: ['a', 'b'],
        asked: Array(2).fill('POST http://127.0.0.1:ORIGIN/mirror by Basic x'),
        connections: 1,
      },
    },
    'https-proxy-agent makes a tunnel, with credentials, for TLS': {
      act: async ({ HttpsProxyAgent }, kit) => {
        const agent = kit.kept(new HttpsProxyAgent(kit.proxyUrl.replace('//', '//user:pass@'), { keepAlive: true }));
        const bodies = [];
        for (const body of ['a', 'b']) bodies.push(await bodyOf(kit, `${kit.secureUrl}/mirror`, { agent, body, ca }));
        return { bodies, asked: kit.proxy.asked };
      },
      gives: { bodies: ['a', 'b'], asked: ['CONNECT 127.0.0.1:SECURE by Basic dXNlcjpwYXNz'] },
    },
    'https-proxy-agent hands on what a proxy answers that refuses': {
      act: async ({ HttpsProxyAgent }, kit) =>
        ask(kit, 'https://refused.test/', { agent: kit.kept(new HttpsProxyAgent(kit.proxyUrl)) }),
      gives: { status: 407, body: 'who?' },
    },
    'agents for proxies tell that there is no proxy': {
      act: async ({ HttpProxyAgent, HttpsProxyAgent }, kit) => {
        const errors = [];
        for (const [Agent, url] of [
          [HttpProxyAgent, kit.url],
          [HttpsProxyAgent, kit.secureUrl],
        ]) {
          errors.push((await kit.errorOf(ask(kit, url, { agent: kit.kept(new Agent(kit.refusedUrl)) }))).code);
        }
        return errors;
      },
      gives: ['ECONNREFUSED', 'ECONNREFUSED'],
    },
    'proxy-agent chooses a proxy by URL': {
      act: async ({ ProxyAgent }, kit) => {
        const agent = kit.kept(
          new ProxyAgent({
            keepAlive: true,
            ca,
            getProxyForUrl: (url) => (new URL(url).hostname === 'localhost' ? '' : kit.proxyUrl),
          }),
        );
        const bodies = [];
        for (const url of [kit.url, kit.secureUrl, kit.otherUrl])
        {bodies.push(await bodyOf(kit, `${url}/mirror`, { agent, body: 'x', ca }));}
        return { bodies, asked: kit.proxy.asked };
      },
      gives: { bodies: ['x', 'x', 'x'], asked: ['POST http://127.0.0.1:ORIGIN/mirror', 'CONNECT 127.0.0.1:SECURE'] },
    },
  },
};
