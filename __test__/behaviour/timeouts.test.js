'use strict';

/** Timeouts of a request: setTimeout(), the option timeout, and what they do to request, response and socket. */

const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');
const {
  bytesOf, exchange, http, newAgent, poolOf, quiet, record, responseTo, serve, until, untilNoConnections,
  untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

/** A server that never answers. */
const serveSilence = (transport) => transport.serve((req) => req.resume());

describeTransports('a request whose server is silent', (transport) => {
  const WAYS = {
    'setTimeout(ms)': (options) => ({ req: http.get(options).setTimeout(60) }),
    'setTimeout(ms, callback)': (options) => {
      const callback = jest.fn();
      return { req: http.get(options).setTimeout(60, callback), callback };
    },
    'the option timeout': (options) => ({ req: http.get({ ...options, timeout: 60 }) }),
    "an agent's timeout": (options) => ({ req: http.get(options) }),
    'setTimeout(ms) once it has a socket': (options) => {
      const req = http.get(options);
      req.once('socket', () => req.setTimeout(60));
      return { req };
    },
    'setTimeout(ms) once it is sent': (options) => {
      const req = http.get(options);
      req.once('finish', () => req.setTimeout(60));
      return { req };
    },
  };

  it.each(Object.entries(WAYS))("with %s has 'timeout', no earlier, once, and nothing else", async (name, start) => {
    const peer = await serveSilence(transport);
    const agent = await transport.agentTo(peer, name === "an agent's timeout" ? { timeout: 60 } : {});
    const began = performance.now();
    const { req, callback } = start({ ...peer.address, agent });
    const { events } = record(req);
    await once(req, 'timeout');
    // Timers count whole milliseconds from the start of a turn of the event loop.
    expect(performance.now() - began).toBeGreaterThan(58);
    expect(req.socket.timeout).toBe(60);
    await quiet();
    // On a busy machine a handshake may take longer than the timeout.
    expect([...events].sort()).toEqual(['req finish', 'req socket', 'req timeout']);
    expect(req.destroyed).toBe(false);
    expect(peer.sockets.size).toBe(1);
    if (callback) expect(callback).toHaveBeenCalledTimes(1);
    req.on('error', () => {});
    req.destroy();
    await untilNoConnections(peer);
  });

  it('that is destroyed in the timeout fails as a hang-up', async () => {
    const peer = await serveSilence(transport);
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent });
    const { events } = record(req);
    req.on('finish', () => req.setTimeout(20)).on('timeout', () => req.destroy());
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });
    await until(() => req.closed);
    expect(events).toEqual(['req socket', 'req finish', 'req timeout', 'req error ECONNRESET', 'req close']);
    await untilPoolIsEmpty(agent);
  });
});

describe('while the connection is not made', () => {
  const neverFound = () => {};

  it('the option timeout counts', async () => {
    const agent = newAgent();
    const req = http.get({ host: 'name.test', lookup: neverFound, timeout: 30, agent });
    const { events } = record(req);
    await once(req, 'timeout');
    expect(req.socket.connecting).toBe(true);
    expect(events).toEqual(['req socket', 'req timeout']);
    req.on('error', () => {});
    req.destroy();
    await untilPoolIsEmpty(agent);
  });

  it('setTimeout() waits', async () => {
    const req = http.get({ host: 'name.test', lookup: neverFound, agent: newAgent() });
    const onTimeout = jest.fn();
    req.setTimeout(5, onTimeout);
    await sleep(60);
    expect(onTimeout).not.toHaveBeenCalled();
    expect(req.socket.timeout).toBeFalsy();
    req.on('error', () => {});
    req.destroy();
  });

  it('a request that waits for a socket of its agent does not time out', async () => {
    const peer = await serve((req, res) => {
      if (req.url === '/first') setTimeout(() => res.end(), 100);
      else res.end();
    });
    const agent = newAgent({ keepAlive: true, maxSockets: 1 });
    const first = exchange({ ...peer.address, agent, path: '/first' });
    const second = http.get({ ...peer.address, agent, timeout: 30 });
    const onTimeout = jest.fn();
    second.on('timeout', onTimeout);
    const response = responseTo(second);
    await first;
    await bytesOf(await response);
    expect(onTimeout).not.toHaveBeenCalled();
  });
});

describeTransports('while bytes flow', (transport) => {
  it('there is no timeout, in either direction', async () => {
    const peer = await transport.serve(async (req, res) => {
      await bytesOf(req);
      for (let i = 0; i < 20; i++) {
        res.write('x');
        await sleep(25);
      }
      res.end();
    });
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'POST', timeout: 600 });
    const onTimeout = jest.fn();
    req.on('timeout', onTimeout);
    const response = responseTo(req);
    for (let i = 0; i < 20; i++) {
      req.write('x');
      await sleep(25);
    }
    req.end();
    expect(await bytesOf(await response)).toHaveLength(20);
    expect(onTimeout).not.toHaveBeenCalled();
  });

  it('and stop in the middle of the body, request and response have it', async () => {
    const peer = await transport.serve((req, res) => res.writeHead(200, { 'Content-Length': 10 }).write('half'));
    const req = http.get({ ...peer.address, timeout: 60, agent: await transport.agentTo(peer) });
    const { events } = record(req);
    const res = await responseTo(req);
    res.on('error', () => {}).resume();
    await until(() => events.includes('req timeout') && events.includes('res timeout'));
    expect(events.slice(0, 4)).toEqual(['req socket', 'req finish', 'req response', 'res data']);
    expect(events.slice(4).sort()).toEqual(['req timeout', 'res timeout']);
    req.destroy();
    await untilNoConnections(peer);
  });

  it("a response's own setTimeout() works", async () => {
    const peer = await transport.serve((req, res) => res.writeHead(200, { 'Content-Length': 10 }).write('half'));
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    req.on('error', () => {});
    const res = await responseTo(req);
    res.on('error', () => {}).resume();
    await new Promise((resolve) => { expect(res.setTimeout(30, resolve)).toBe(res); });
    req.destroy();
  });
});

describe('setTimeout()', () => {
  it('answers with the request', async () => {
    const req = http.get((await serveSilence({ serve })).address);
    expect(req.setTimeout(1000)).toBe(req);
    req.on('error', () => {});
    req.destroy();
  });

  it.each([
    ['a string', ['1'], 'ERR_INVALID_ARG_TYPE'], ['NaN', [NaN], 'ERR_OUT_OF_RANGE'],
    ['less than 0', [-1], 'ERR_OUT_OF_RANGE'],
    ['Infinity', [Infinity], 'ERR_OUT_OF_RANGE'], ['no number', [null], 'ERR_INVALID_ARG_TYPE'],
    ['a callback that is none', [1000, {}], 'ERR_INVALID_ARG_TYPE'],
  ])('throws for %s', async (_, args, code) => {
    const req = http.get((await serveSilence({ serve })).address);
    req.on('error', () => {});
    expect(() => req.setTimeout(...args)).toThrow(expect.objectContaining({ code }));
    req.destroy();
  });
});

describeTransports('setTimeout()', (transport) => {
  async function askSilence(options) {
    const peer = await serveSilence(transport);
    return http.get({ ...peer.address, agent: await transport.agentTo(peer), ...options });
  }

  it('with 0 takes the timeout back', async () => {
    const req = await askSilence({ timeout: 30 });
    const onTimeout = jest.fn();
    req.on('timeout', onTimeout);
    req.setTimeout(0);
    await once(req, 'finish');
    await sleep(80);
    expect(onTimeout).not.toHaveBeenCalled();
    expect(req.socket.timeout).toBe(0);
    req.on('error', () => {});
    req.destroy();
  });

  it('called again counts anew', async () => {
    const req = await askSilence();
    req.setTimeout(100000);
    await once(req, 'finish');
    req.setTimeout(20);
    await once(req, 'timeout');
    req.on('error', () => {});
    req.destroy();
  });

  it('on a request that has ended does nothing', async () => {
    const peer = await transport.serve((req, res) => res.end());
    const agent = await transport.agentTo(peer);
    const { req } = await exchange({ ...peer.address, agent });
    await until(() => req.closed);
    expect(req.setTimeout(1)).toBe(req);
    await sleep(20);
    expect(poolOf(agent).freeSockets).toBe(1);
  });

  it('does not outlive its request: the next one on the connection has none', async () => {
    const peer = await transport.serve((req, res) => {
      if (req.url === '/slow') setTimeout(() => res.end(), 120);
      else res.end();
    });
    const agent = await transport.agentTo(peer);
    const first = http.get({ ...peer.address, agent });
    const onTimeout = jest.fn();
    first.setTimeout(50, onTimeout);
    await bytesOf(await responseTo(first));
    await until(() => first.closed);
    const second = http.get({ ...peer.address, agent, path: '/slow' });
    second.on('timeout', onTimeout);
    await bytesOf(await responseTo(second));
    expect(second.reusedSocket).toBe(true);
    expect(onTimeout).not.toHaveBeenCalled();
  });

  it('and the option timeout reach a reused socket as well', async () => {
    const peer = await transport.serve((req, res) => {
      if (req.url !== '/silent') res.end();
    });
    const agent = await transport.agentTo(peer);
    for (const begin of [
      (options) => http.get(options).setTimeout(30), (options) => http.get({ ...options, timeout: 30 }),
    ]) {
      await exchange({ ...peer.address, agent });
      await until(() => poolOf(agent).freeSockets === 1);
      const req = begin({ ...peer.address, agent, path: '/silent' });
      await once(req, 'timeout');
      expect(req.reusedSocket).toBe(true);
      req.on('error', () => {});
      req.destroy();
      await untilPoolIsEmpty(agent);
    }
  });
});
