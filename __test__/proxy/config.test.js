'use strict';

const { http, isOracle, itOurs } = require('../support');
const { https, nodeHasProxies } = require('../support/proxy');

const describeProxies = isOracle && !nodeHasProxies ? describe.skip : describe;

const PROXY = 'http://proxy.test:3128';

/** Makes an agent whose requests go nowhere. */
function agentOf(proxyEnv, options) {
  const agent = new http.Agent({ ...options, proxyEnv });
  agent.addRequest = () => {};
  return agent;
}

/** @returns {boolean} whether a request is made for the agent's proxy: then its target is a whole URL */
function isProxied(agent, options) {
  return http.request({ path: '/', ...options, agent }).path !== '/';
}

describeProxies('NO_PROXY', () => {
  it.each([
    // [NO_PROXY, host, port, proxied]
    ['', 'example.com', 80, true],
    ['*', 'example.com', 80, false],
    ['other.com, *', 'example.com', 80, false],
    ['example.com', 'example.com', 80, false],
    ['EXAMPLE.com', 'Example.COM', 80, false],
    [' a.com ,\texample.com ', 'example.com', 80, false],
    ['a.com,,b.com', 'example.com', 80, true],
    ['example.com', 'www.example.com', 80, true],
    ['example.com', 'badexample.com', 80, true],
    ['example.com', 'example.com.evil.com', 80, true],
    ['.example.com', 'www.example.com', 80, false],
    ['.example.com', 'a.b.example.com', 80, false],
    ['.example.com', 'example.com', 80, false],
    ['.example.com', 'badexample.com', 80, true],
    ['*.example.com', 'www.example.com', 80, false],
    ['*.example.com', 'example.com', 80, true],
    ['*.example.com', 'badexample.com', 80, true],
    ['w*.example.com', 'www.example.com', 80, true],
    ['example.com:8080', 'example.com', 8080, false],
    ['example.com:8080', 'example.com', 80, true],
    ['example.com:80', 'example.com', 80, false],
    ['127.0.0.1', '127.0.0.1', 80, false],
    ['127.0.0.1', '127.0.0.2', 80, true],
    ['192.168.1.0-192.168.1.255', '192.168.1.0', 80, false],
    ['192.168.1.0 - 192.168.1.255', '192.168.1.255', 80, false],
    ['192.168.1.0-192.168.1.255', '192.168.2.0', 80, true],
    ['1.0.0.0-255.255.255.255', '200.1.2.3', 80, false],
    ['192.168.1.0-nonsense', '192.168.1.7', 80, true],
    ['192.168.1.0-192.168.1.256', '192.168.1.7', 80, true],
    ['192.168.1.0-192.168.1.255', 'a.com', 80, true],
    ['192.168.1.0/24', '192.168.1.7', 80, true],
    ['::1', '::1', 80, false],
    ['my-host', 'my-host', 80, false],
    ['localhost', undefined, 80, false],
  ])('%j: a request to %s, port %i, goes to the proxy: %p', (rules, host, port, proxied) => {
    for (const name of ['NO_PROXY', 'no_proxy']) {
      expect(isProxied(agentOf({ HTTP_PROXY: PROXY, [name]: rules }), { host, port })).toBe(proxied);
    }
  });

  it('is not read where no_proxy is set too', () => {
    const agent = agentOf({ HTTP_PROXY: PROXY, NO_PROXY: 'a.com', no_proxy: 'b.com' });
    expect(isProxied(agent, { host: 'a.com' })).toBe(true);
    expect(isProxied(agent, { host: 'b.com' })).toBe(false);
  });
});

describeProxies('the option proxyEnv', () => {
  it('is what agent.options shows, the same object', () => {
    const proxyEnv = { HTTP_PROXY: PROXY };
    expect(new http.Agent({ proxyEnv }).options.proxyEnv).toBe(proxyEnv);
    expect(new https.Agent({ proxyEnv }).options.proxyEnv).toBe(proxyEnv);
  });

  it.each([undefined, null, false, 'http://proxy.test', 1])('is ignored when it is %p', (proxyEnv) => {
    expect(isProxied(agentOf(proxyEnv), { host: 'example.com' })).toBe(false);
  });

  it('is read once, when the agent is made', () => {
    const proxyEnv = { HTTP_PROXY: PROXY };
    const agent = agentOf(proxyEnv);
    proxyEnv.NO_PROXY = '*';
    expect(isProxied(agent, { host: 'example.com' })).toBe(true);
  });

  it('prefers the variable in lower case', () => {
    expect(() => new http.Agent({ proxyEnv: { http_proxy: PROXY, HTTP_PROXY: 'http://:1' } })).not.toThrow();
    expect(() => new http.Agent({ proxyEnv: { http_proxy: 'http://:1', HTTP_PROXY: PROXY } })).toThrow();
  });

  it('takes HTTP_PROXY for an agent of http, and HTTPS_PROXY for one of https', () => {
    expect(isProxied(agentOf({ HTTPS_PROXY: PROXY }), { host: 'example.com' })).toBe(false);
    expect(() => new https.Agent({ proxyEnv: { HTTP_PROXY: 'http://:1' } })).not.toThrow();
    expect(() => new https.Agent({ proxyEnv: { HTTPS_PROXY: 'http://:1' } })).toThrow();
  });

  it.each(['socks5://proxy.test:1080', 'proxy.test:3128', 'ftp://proxy.test'])('leaves %s to others', (url) => {
    expect(isProxied(agentOf({ HTTP_PROXY: url }), { host: 'example.com' })).toBe(false);
  });

  it('does not concern requests to a Unix domain socket', () => {
    const agent = agentOf({ HTTP_PROXY: PROXY });
    expect(isProxied(agent, { host: 'example.com', socketPath: '/tmp/s' })).toBe(false);
  });

  it.each([
    'http://256.256.256.256:8080', 'http://::1:8080', 'http://:8080', 'http://proxy.test:port', 'https://[::1',
    'http://proxy.test\r', 'http://proxy\n.test', 'http://proxy.test\r\nHost: a',
  ])('throws ERR_PROXY_INVALID_CONFIG for %j', (url) => {
    expect(() => new http.Agent({ proxyEnv: { HTTP_PROXY: url } })).toThrow(
      expect.objectContaining({ code: 'ERR_PROXY_INVALID_CONFIG', message: `Invalid proxy URL: ${url}` }));
    expect(() => new https.Agent({ proxyEnv: { HTTPS_PROXY: url } })).toThrow(
      expect.objectContaining({ code: 'ERR_PROXY_INVALID_CONFIG', message: `Invalid proxy URL: ${url}` }));
  });

  it.each(['scheduling', 'maxTotalSockets'])('does not hide a wrong %s', (name) => {
    expect(() => new http.Agent({ proxyEnv: { HTTP_PROXY: PROXY }, [name]: 'wrong' })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_INVALID_ARG/) }));
  });
});

itOurs('credentials that cannot be decoded are an ERR_PROXY_INVALID_CONFIG that does not tell them', () => {
  expect(() => new http.Agent({ proxyEnv: { HTTP_PROXY: 'http://user:50%@proxy.test:3128' } })).toThrow(
    expect.objectContaining({
      code: 'ERR_PROXY_INVALID_CONFIG', message: 'Invalid proxy URL: http://proxy.test:3128/',
    }));
});
