'use strict';

/** The request hears once of the end of a tunnel: 60699, 64545 and 66096 of Node, and 5441 of undici. */

const { describeOurs } = require('../support');
const { ESTABLISHED, failureOf, https, httpsAgentFor, serveTunnels, untilNothingIsLeft } = require('../support/proxy');

/** Makes a request through a proxy and records what it tells. */
async function toldBy(proxy, options = {}) {
  const agent = httpsAgentFor(proxy, { keepAlive: true });
  const errors = [];
  await new Promise((resolve) => {
    const req = https.get({ host: 'origin.test', agent, ...options });
    req.on('error', (error) => errors.push(error)).on('close', resolve);
  });
  await untilNothingIsLeft(agent, proxy);
  return errors;
}

describeOurs('a tunnel that fails is one error of its request:', () => {
  it.each([
    ['403', () => ['HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'], {}],
    ['201', () => ['HTTP/1.1 201 Created\r\n\r\n'], {}],
    ['another version', () => ['HTTP/2.0 200 OK\r\n\r\n'], {}],
    ['the end of the connection', (socket) => { socket.end(); }, {}],
    ['20,000 bytes of header', () => [`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`], {}],
    ['more than maxHeaderSize', () => [`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(300)}\r\n\r\n`], { maxHeaderSize: 200 }],
    ['a timeout', () => undefined, { timeout: 100 }],
  ])('%s', async (_, answer, options) => {
    const proxy = await serveTunnels(answer);
    const errors = await toldBy(proxy, options);
    expect(errors.map(({ code }) => code)).toEqual(['ERR_PROXY_TUNNEL']);
    expect(proxy.heads).toHaveLength(1);
  });

  it('a reset', async () => {
    const proxy = await serveTunnels((socket) => { socket.resetAndDestroy(); });
    expect((await toldBy(proxy)).map(({ code }) => code)).toEqual(['ECONNRESET']);
  });

  it('a connection that drops when the tunnel is there', async () => {
    const proxy = await serveTunnels((socket) => {
      socket.end(ESTABLISHED);
      return undefined;
    });
    expect((await toldBy(proxy)).map(({ code }) => code)).toEqual(['ECONNRESET']);
    expect(proxy.heads).toHaveLength(1);
  });

  it.each([
    ['minVersion', { minVersion: 'x' }], ['ciphers', { ciphers: 'NONE' }],
    ['ALPNProtocols', { ALPNProtocols: ['x'.repeat(300)] }], ['cert', { cert: 'x' }],
    ['checkServerIdentity', { checkServerIdentity: 5 }],
  ])('an invalid %s, which is not uncaught either', async (_, options) => {
    const proxy = await serveTunnels((socket) => {
      socket.write(ESTABLISHED);
      return undefined;
    });
    const uncaught = jest.fn();
    process.on('uncaughtException', uncaught);
    try {
      const error = await failureOf({
        host: 'origin.test', agent: httpsAgentFor(proxy), timeout: 2000, ...options,
      });
      expect(error).toHaveProperty('message');
      expect(uncaught).not.toHaveBeenCalled();
    } finally {
      process.removeListener('uncaughtException', uncaught);
    }
  });
});
