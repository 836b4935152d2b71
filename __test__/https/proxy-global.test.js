'use strict';

const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { MODULE_PATH, ROOT, certificate, cleanUp, isOracle, itOurs, runNode, serve } = require('../support');
const { nodeHasProxies, nodeHttp, serveHttpProxy, serveHttps, serveTunnels } = require('../support/proxy');

const hasSetGlobalProxy = typeof nodeHttp.setGlobalProxyFromEnv === 'function';
const describeProxies = isOracle && !nodeHasProxies ? describe.skip : describe;
const itNodeHasProxies = nodeHasProxies ? it : it.skip;

const MODULES = isOracle ? ['node:http', 'node:https'] : [MODULE_PATH, path.join(ROOT, 'https')];
const NO_ENVIRONMENT = {
  NODE_USE_ENV_PROXY: undefined, http_proxy: undefined, HTTP_PROXY: undefined, https_proxy: undefined,
  HTTPS_PROXY: undefined, no_proxy: undefined, NO_PROXY: undefined,
};

/** Prints the body of each URL, in order. Only the text of this gets to the child. */
async function printAll([httpModule, httpsModule], urls, options) {
  for (const url of urls) {
    const { get } = require(url.startsWith('https:') ? httpsModule : httpModule);
    await new Promise((resolve) => {
      const req = get(url, options, (res) => {
        let body = '';
        res.setEncoding('utf8').on('data', (chunk) => { body += chunk; });
        res.on('end', () => {
          console.log(body);
          resolve();
        });
      });
      req.on('error', ({ code, message }) => {
        console.log(code ?? message);
        resolve();
      });
    });
  }
}

/** @returns {string} a file with the certificate of the tests */
function certificateFile() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'certificate.pem');
  fs.writeFileSync(file, certificate.cert);
  return file;
}

/**
 * Runs code in a process with an environment, in which `printAll` is there for it.
 * @returns {Promise<string[]>} the lines it printed
 */
async function linesOf(code, env, { execArgv = [] } = {}) {
  // Node 22 warns of what it uses for fetch().
  const { stdout, stderr } = await runNode(['--no-warnings', ...execArgv, '-e', `${printAll};${code}`], {
    env: { ...NO_ENVIRONMENT, NODE_EXTRA_CA_CERTS: certificateFile(), ...env },
  });
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

function printing(urls, { modules = MODULES, options = {} } = {}) {
  return `printAll(${JSON.stringify(modules)}, ${JSON.stringify(urls)}, ${JSON.stringify(options)});`;
}

/** Starts an origin and a proxy of each kind. */
async function serveAll() {
  const origin = await serve((req, res) => res.end(`direct ${req.url}`));
  const secure = await serveHttps();
  const proxy = await serveHttpProxy((req, res) => res.end(`proxied ${req.url}`));
  const tunnels = await serveTunnels();
  const urls = [`http://127.0.0.1:${origin.port}/a`, `https://127.0.0.1:${secure.port}/b`];
  const env = { HTTP_PROXY: proxy.url, https_proxy: tunnels.url };
  return { urls, proxy, tunnels, env };
}

const BUILTIN = ['node:http', 'node:https'];
const WAYS = isOracle ?
  [['node:http and node:https', BUILTIN, []]] :
  [
    ['ferrequest and ferrequest/https', MODULES, []],
    ['a process in which ferrequest is registered', BUILTIN, ['-r', path.join(ROOT, 'register.js')]],
  ];

describeProxies.each(WAYS)('the global agents of %s', (name, modules, execArgv) => {
  it('use the environment\'s proxies with NODE_USE_ENV_PROXY=1', async () => {
    const { urls, proxy, tunnels, env } = await serveAll();
    const lines = await linesOf(printing(urls, { modules }), { ...env, NODE_USE_ENV_PROXY: '1' }, { execArgv });
    expect(lines).toEqual([`proxied ${urls[0]}`, 'secure /b']);
    expect(proxy.seen[0].headers).toEqual([
      'Host', new URL(urls[0]).host, 'proxy-connection', 'keep-alive', 'Connection', 'keep-alive',
    ]);
    expect(tunnels.heads[0]).toContain('proxy-connection: keep-alive\r\n');
  });

  it.each([undefined, '', '0', 'true'])('do not use them with NODE_USE_ENV_PROXY=%s', async (value) => {
    const { urls, tunnels, env } = await serveAll();
    const lines = await linesOf(printing(urls, { modules }), { ...env, NODE_USE_ENV_PROXY: value }, { execArgv });
    expect(lines).toEqual(['direct /a', 'secure /b']);
    expect(tunnels.heads).toEqual([]);
  });

  it('respect NO_PROXY', async () => {
    const { urls, tunnels, env } = await serveAll();
    const lines = await linesOf(printing(urls, { modules }),
      { ...env, NODE_USE_ENV_PROXY: '1', NO_PROXY: '127.0.0.1' }, { execArgv });
    expect(lines).toEqual(['direct /a', 'secure /b']);
    expect(tunnels.heads).toEqual([]);
  });

  it('alone use them: not the agent of a request with agent: false', async () => {
    const { urls, env } = await serveAll();
    const lines = await linesOf(printing(urls, { modules, options: { agent: false } }),
      { ...env, NODE_USE_ENV_PROXY: '1' }, { execArgv });
    expect(lines).toEqual(['direct /a', 'secure /b']);
  });

  it('use them in a worker thread', async () => {
    const { urls, env } = await serveAll();
    const code = `
      const { Worker, isMainThread } = require('node:worker_threads');
      new Worker(${JSON.stringify(`${printAll};${printing(urls, { modules })}`)}, { eval: true });
    `;
    const lines = await linesOf(code, { ...env, NODE_USE_ENV_PROXY: '1' }, { execArgv });
    expect(lines).toEqual([`proxied ${urls[0]}`, 'secure /b']);
  });

  itNodeHasProxies('use them with --use-env-proxy', async () => {
    const { urls, env } = await serveAll();
    const lines = await linesOf(printing(urls, { modules }), env, { execArgv: ['--use-env-proxy', ...execArgv] });
    expect(lines).toEqual([`proxied ${urls[0]}`, 'secure /b']);
  });

  itNodeHasProxies('do not use them with --no-use-env-proxy', async () => {
    const { urls, env } = await serveAll();
    const lines = await linesOf(printing(urls, { modules }), { ...env, NODE_USE_ENV_PROXY: '1' },
      { execArgv: ['--no-use-env-proxy', ...execArgv] });
    expect(lines).toEqual(['direct /a', 'secure /b']);
  });
});

const describeSetGlobalProxy = hasSetGlobalProxy ? describe : describe.skip;

describeSetGlobalProxy.each(WAYS)('setGlobalProxyFromEnv() of %s', (name, modules, execArgv) => {
  const load = `const [http, https] = ${JSON.stringify(modules)}.map((module) => require(module));`;

  it('sets the global agents, and what it returns puts them back', async () => {
    const { urls, tunnels, env } = await serveAll();
    const print = printing(urls, { modules }).replace(';', '');
    const lines = await linesOf(`
      ${load}
      (async () => {
        const before = [http.globalAgent, https.globalAgent];
        const restore = http.setGlobalProxyFromEnv(${JSON.stringify(env)});
        console.log(http.globalAgent.options.keepAlive, https.globalAgent.options.timeout);
        await ${print};
        restore();
        await ${print};
        console.log(before[0] === http.globalAgent, before[1] === https.globalAgent);
      })();
    `, {}, { execArgv });
    expect(lines).toEqual(['true 5000', `proxied ${urls[0]}`, 'secure /b', 'direct /a', 'secure /b', 'true true']);
    expect(tunnels.heads).toHaveLength(1);
  });

  it('reads process.env by default', async () => {
    const { urls, tunnels, env } = await serveAll();
    const code = `${load} http.setGlobalProxyFromEnv(); ${printing(urls, { modules })}`;
    const lines = await linesOf(code, env, { execArgv });
    expect(lines).toEqual([`proxied ${urls[0]}`, 'secure /b']);
    expect(tunnels.heads).toHaveLength(1);
  });

  it('leaves alone the agents for which there is no proxy', async () => {
    const { urls, env } = await serveAll();
    const lines = await linesOf(`
      ${load}
      const before = https.globalAgent;
      http.setGlobalProxyFromEnv({ http_proxy: ${JSON.stringify(env.HTTP_PROXY)} });
      console.log(https.globalAgent === before);
      ${printing(urls, { modules })}
    `, {}, { execArgv });
    expect(lines).toEqual(['true', `proxied ${urls[0]}`, 'secure /b']);
  });

  it.each([
    ['null', 'ERR_INVALID_ARG_TYPE'],
    ['"text"', 'ERR_INVALID_ARG_TYPE'],
    ['{ http_proxy: "not a url" }', 'ERR_PROXY_INVALID_CONFIG'],
    ['{ https_proxy: "http://:1" }', 'ERR_PROXY_INVALID_CONFIG'],
  ])('with %s throws %s and changes nothing', async (argument, code) => {
    const lines = await linesOf(`
      ${load}
      const before = [http.globalAgent, https.globalAgent];
      try {
        http.setGlobalProxyFromEnv(${argument});
      } catch (error) {
        console.log(error.code, before[0] === http.globalAgent, before[1] === https.globalAgent);
      }
    `, {}, { execArgv });
    expect(lines).toEqual([`${code} true true`]);
  });
});

const itOursSetsGlobalProxy = hasSetGlobalProxy ? itOurs : it.skip;

itOursSetsGlobalProxy('unregister() puts back Node\'s own setGlobalProxyFromEnv()', async () => {
  const lines = await linesOf(`
    const http = require('node:http');
    const own = http.setGlobalProxyFromEnv;
    const { unregister } = require('./register');
    const ours = require('./index').setGlobalProxyFromEnv;
    console.log(http.setGlobalProxyFromEnv === ours, http.setGlobalProxyFromEnv === own);
    unregister();
    console.log(http.setGlobalProxyFromEnv === own);
  `, {});
  expect(lines).toEqual(['true false', 'true']);
});

describeProxies('a proxy that speaks TLS', () => {
  it('is asked for http like any other', async () => {
    const seen = [];
    const proxy = await serveHttps((req, res) => {
      seen.push(req.url);
      res.end('from the proxy');
    });
    const lines = await linesOf(printing(['http://origin.test/x']),
      { NODE_USE_ENV_PROXY: '1', http_proxy: `https://localhost:${proxy.port}` });
    expect(lines).toEqual(['from the proxy']);
    expect(seen).toEqual(['http://origin.test/x']);
  });

  it('makes tunnels like any other', async () => {
    const tunnels = await serveTunnels();
    const origin = await serveHttps();
    const seen = [];
    const proxy = await serveHttps();
    proxy.secureServer.on('connect', (req, socket) => {
      seen.push(req.url);
      const onwards = net.connect(tunnels.port, '127.0.0.1');
      onwards.write(`CONNECT ${req.url} HTTP/1.1\r\n\r\n`);
      onwards.pipe(socket).pipe(onwards);
      for (const end of [onwards, socket]) end.on('error', () => {});
    });
    const lines = await linesOf(printing([`https://127.0.0.1:${origin.port}/x`]),
      { NODE_USE_ENV_PROXY: '1', https_proxy: `https://localhost:${proxy.port}` });
    expect(lines).toEqual(['secure /x']);
    expect(seen).toEqual([`127.0.0.1:${origin.port}`]);
  });

  it('has to have a certificate that is trusted', async () => {
    const proxy = await serveHttps();
    const env = { NODE_USE_ENV_PROXY: '1', http_proxy: `https://localhost:${proxy.port}`, NODE_EXTRA_CA_CERTS: '' };
    expect(await linesOf(printing(['http://origin.test/x']), env)).toEqual(['DEPTH_ZERO_SELF_SIGNED_CERT']);
    env.https_proxy = env.http_proxy;
    expect(await linesOf(printing(['https://origin.test/x']), env)).toEqual(['DEPTH_ZERO_SELF_SIGNED_CERT']);
  });

  itOurs('is told the name by which it is asked', async () => {
    const proxy = await serveHttps((req, res) => res.end(String(req.socket.servername)));
    for (const [host, servername] of [['localhost', 'localhost'], ['127.0.0.1', 'false']]) {
      const lines = await linesOf(printing(['http://origin.test/x']),
        { NODE_USE_ENV_PROXY: '1', http_proxy: `https://${host}:${proxy.port}` });
      expect(lines).toEqual([servername]);
    }
  });
});
