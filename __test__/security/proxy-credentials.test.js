'use strict';

/** Errors end in logs: none shows the credentials of a proxy (CWE-209, CVE-2026-48615 and CVE-2026-123871 of Node). */

const { inspect } = require('node:util');
const { MODULE_PATH, cleanUp, http, itOurs, isOracle, newAgent, runNode, serveRaw } = require('../support');
const { failureOf, https, nodeHttp, nodeHasProxies, serveTunnels } = require('../support/proxy');

const describeProxies = isOracle && !nodeHasProxies ? describe.skip : describe;
const itSetsGlobalProxy = typeof nodeHttp.setGlobalProxyFromEnv === 'function' ? itOurs : it.skip;

const SECRET = 's3cr3t';

const INVALID = [
  [`http://user:${SECRET}@proxy.test:99999`, 'http://[redacted]@proxy.test:99999'],
  [`http://user:${SECRET}@exa mple.test`, 'http://[redacted]@exa mple.test'],
  [`http://user:${SECRET}@`, 'http://[redacted]@'],
  [`http://user:${SECRET}@[::1`, 'http://[redacted]@[::1'],
  [`http://${SECRET}@[::1`, 'http://[redacted]@[::1'],
  [`https://user:${SECRET}@:80`, 'https://[redacted]@:80'],
  [`http://user:${SECRET}@proxy.test:80\r\nHost: a`, 'http://[redacted]@proxy.test:80\r\nHost: a'],
  [`http://user:${SECRET}\n@proxy.test:81`, 'http://proxy.test:81/'],
  [`http://us%er:${SECRET}@proxy.test:81`, 'http://proxy.test:81/'],
  [`http://user:${SECRET}%ff@proxy.test:81`, 'http://proxy.test:81/'],
  // Passwords that are not escaped.
  [`http://user:a@${SECRET}@[bad`, 'http://[redacted]@[bad'],
  [`http://user:a/${SECRET}@proxy.test`, 'http://[redacted]@proxy.test'],
  [`http://user:a\\${SECRET}@proxy.test`, 'http://[redacted]@proxy.test'],
  [`http://user:a#${SECRET}@proxy.test`, 'http://[redacted]@proxy.test'],
  [`http://user:a?${SECRET}@proxy.test`, 'http://[redacted]@proxy.test'],
];

/** Renders all that a log could have of a value. */
function rendered(error) {
  return `${error.stack}${inspect(error, { depth: 8, showHidden: true })}${JSON.stringify(error)}`;
}

/** @returns {Error} what a function throws */
function thrownBy(call) {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('it has not thrown');
}

describeProxies('the credentials of a proxy', () => {
  itOurs.each(INVALID)('are not in the error of the invalid URL %j', (url, shown) => {
    for (const [module, name] of [[http, 'http_proxy'], [https, 'https_proxy']]) {
      const error = thrownBy(() => new module.Agent({ proxyEnv: { [name]: url } }));
      expect(error).toMatchObject({ code: 'ERR_PROXY_INVALID_CONFIG', message: `Invalid proxy URL: ${shown}` });
      expect(rendered(error)).not.toContain(SECRET);
    }
  });

  itSetsGlobalProxy.each([
    ...INVALID.map(([url]) => url), `HTTP://user:${SECRET}@[bad`, `http:/\\user:${SECRET}@[bad`, `ftp://u:${SECRET}@h`,
  ])('are not in the error of setGlobalProxyFromEnv() with %j', (url) => {
    for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) {
      expect(rendered(thrownBy(() => http.setGlobalProxyFromEnv({ [name]: url })))).not.toContain(SECRET);
    }
  });

  it.each([
    ['refuses', ['HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n']],
    ['answers with too long a header', [`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`]],
    ['answers with something else', ['something else\r\n\r\n']],
    ['closes', []],
  ])('are not in the one error of a request whose proxy %s', async (_, segments) => {
    const proxy = await serveTunnels((socket) => {
      if (segments.length === 0) socket.end();
      return segments;
    });
    const agent = new https.Agent({ proxyEnv: { https_proxy: proxy.url.replace('//', `//user:${SECRET}@`) } });
    cleanUp(() => agent.destroy());
    const error = await failureOf({ host: 'server.test', agent });
    expect(error.code).toBe('ERR_PROXY_TUNNEL');
    expect(rendered(error)).not.toContain(SECRET);
  });

  it('are not in the error of a proxy that cannot be reached', async () => {
    const { port, server } = await serveRaw(() => {});
    await new Promise((resolve) => { server.close(resolve); });
    const agent = newAgent({ proxyEnv: { http_proxy: `http://user:${SECRET}@127.0.0.1:${port}` } });
    const error = await new Promise((resolve) => { http.get({ host: 'server.test', agent }).on('error', resolve); });
    expect(error.code).toBe('ECONNREFUSED');
    expect(rendered(error)).not.toContain(SECRET);
  });

  itOurs('are in no line of NODE_DEBUG=ferrequest', async () => {
    const { stderr } = await runNode(['-e', `
      const http = require(${JSON.stringify(MODULE_PATH)});
      const agent = new http.Agent({ proxyEnv: { http_proxy: 'http://user:${SECRET}@127.0.0.1:1' } });
      http.get({ host: 'server.test', agent }).on('error', () => {});
    `], { env: { NODE_DEBUG: 'ferrequest' } });
    expect(stderr).toContain('http://server.test/');
    expect(stderr).not.toContain(SECRET);
    expect(stderr).not.toContain(Buffer.from(`user:${SECRET}`).toString('base64'));
  });

  itOurs('are not shown by what the agent keeps for the proxy', () => {
    const proxyEnv = { http_proxy: `http://user:${SECRET}@proxy.test` };
    const agent = newAgent({ proxyEnv });
    // The environment is the user's own object, which agent.options shows.
    proxyEnv.http_proxy = undefined;
    expect(inspect(agent, { depth: 8 })).not.toContain(SECRET);
    expect(inspect(agent, { depth: 8 })).not.toContain(Buffer.from(`user:${SECRET}`).toString('base64'));
  });
});
