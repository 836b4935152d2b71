'use strict';

/** The resolver of the system ends a name at a NUL: `a\0.test` would be `a` (CVE-2026-48930 of Node). */

const net = require('node:net');
const { http, itMends, itOurs, newAgent, serve } = require('../support');
const { https } = require('../support/tls');
const { serveHttpProxy, serveTunnels } = require('../support/proxy');

/** True if net of the running Node takes such a host: the connection fails, or is made, later. */
const nodeTakesNul = (() => {
  try {
    net.connect({ host: 'a\0b', port: 1, lookup() {} }).destroy();
    return true;
  } catch {
    return false;
  }
})();

/** A Host field of its own: that which follows from the host is refused for its NUL before. */
const headers = { host: 'x' };
const refusal = {
  code: 'ERR_INVALID_ARG_VALUE',
  message: expect.stringMatching(/^The property 'options.host' must be a string without null bytes. Received '.*\\x00/),
};

describe('a host with a NUL', () => {
  const cases = [
    ['a name', (host) => ({ host })],
    ['a hostname', (hostname) => ({ hostname })],
    ['a name without an agent of its own', (host) => ({ host, agent: false })],
    ['a name without Host', (host) => ({ host, headers: undefined, setHost: false })],
  ];
  for (const host of ['localhost\0.other.test', '127.0.0.1\0', '\0localhost']) {
    itMends(nodeTakesNul).each(cases)(`is refused as %s, ${JSON.stringify(host)}`, async (_, optionsOf) => {
      const peer = await serve((req, res) => res.end());
      const lookup = jest.fn();
      for (const [client, newAgentOfClient] of [[http, newAgent], [https, (options) => new https.Agent(options)]]) {
        const agent = newAgentOfClient({ keepAlive: true });
        const options = { port: peer.port, lookup, headers, agent, ...optionsOf(host) };
        expect(() => client.request(options)).toThrow(expect.objectContaining(refusal));
        expect(Object.values(agent.sockets).flat()).toEqual([]);
        expect(agent.totalSocketCount).toBe(0);
      }
      expect(lookup).not.toHaveBeenCalled();
      expect(peer.sockets.size).toBe(0);
    });
  }

  itMends(nodeTakesNul)('is refused by createConnection() of an agent', () => {
    for (const agent of [newAgent(), new https.Agent()]) {
      expect(() => agent.createConnection({ host: 'a\0b', port: 1 })).toThrow(expect.objectContaining(refusal));
      // Buffers of the user's: such a connection is Node's own.
      const onread = { buffer: Buffer.alloc(1), callback() {} };
      expect(() => agent.createConnection({ host: 'a\0b', port: 1, onread })).toThrow(
        expect.objectContaining(refusal));
      expect(() => agent.createConnection(1, 'a\0b')).toThrow(expect.objectContaining(refusal));
    }
  });

  itOurs('does not reach a proxy', async () => {
    const [proxy, tunnels] = [await serveHttpProxy(), await serveTunnels()];
    const agent = newAgent({ proxyEnv: { http_proxy: proxy.url } });
    expect(() => http.request({ host: 'localhost\0.other.test', headers: { host: 'localhost' }, agent })).toThrow();
    const secure = new https.Agent({ proxyEnv: { https_proxy: tunnels.url } });
    const error = await new Promise((resolve) => {
      https.get({ host: 'localhost\0.other.test', headers, agent: secure }).on('error', resolve);
    });
    expect(error.code).toBe('ERR_INVALID_CHAR');
    expect(proxy.seen).toEqual([]);
    expect(tunnels.heads).toEqual([]);
  });
});
