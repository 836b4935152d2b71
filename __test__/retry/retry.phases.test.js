'use strict';

/** What `req.timings` and `timeouts` say of a request that is tried again. */

const { once } = require('node:events');
const http = require('../../index');
const {
  bytesOf, describeOurs, exchange, isOracle, poolOf, responseTo, serveRaw, until, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

/** Answers the first requests by the end of their connection, but those that bring it there. */
const failing = (times, answer) => {
  let count = 0;
  return (req, res) => {
    if (req.url === '/warm-up') res.end();
    else if (count++ < times) req.socket.destroy();
    else answer(req, res);
  };
};

describeTransports('a request with `retry`', (transport) => {
  it('has the times of its last attempt, from the start of the first', async () => {
    const peer = await transport.serve(failing(2, (req, res) => res.end('answered')));
    const agent = await transport.agentTo(peer, { retry: { minTimeout: 20, timeoutFactor: 1 } });
    const req = http.get({ ...peer.address, agent });
    const { timings } = req;
    await bytesOf(await responseTo(req));
    await until(() => timings.end !== undefined);
    expect([req.timings, req.attempts]).toEqual([timings, 3]);
    // Two waits between attempts.
    expect(timings.socket - timings.start).toBeGreaterThan(38);
    const { socket, lookup, connect, upload, response, end, error } = timings;
    const inOrder = [socket, lookup, connect, response, end];
    expect(inOrder).toEqual([...inOrder].sort((a, b) => a - b));
    expect(upload).toBeGreaterThanOrEqual(connect);
    expect(error).toBeUndefined();
    expect(timings.phases.total).toBeCloseTo(end - timings.start, 2);
  });

  it('is ended by `timeouts.request` while it waits', async () => {
    const peer = await transport.serve(failing(100, () => {}));
    const agent = await transport.agentTo(peer, { retry: { minTimeout: 60_000, maxTimeout: 60_000 } });
    const req = http.get({ ...peer.address, agent, timeouts: { request: 150, response: 100, read: 50 } });
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ code: 'ERR_FERREQUEST_TIMEOUT', event: 'request' });
    expect(req.attempts).toBe(1);
    await untilPoolIsEmpty(agent);
  });

  it('has the limits of its phases in each attempt', async () => {
    const peer = await transport.serve(failing(1, () => {}));
    const agent = await transport.agentTo(peer, { retry: { minTimeout: 1 } });
    const req = http.get({ ...peer.address, agent, timeouts: { response: 150 } });
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ code: 'ERR_FERREQUEST_TIMEOUT', event: 'response' });
    expect(req.attempts).toBe(2);
  });

  describe('that names the code of limits', () => {
    const retry = { minTimeout: 1, maxRetries: 2, errorCodes: ['ERR_FERREQUEST_TIMEOUT'] };

    it('is tried again on another connection when a limit has passed', async () => {
      const held = [];
      const peer = await transport.serve((req, res) => {
        if (req.url === '/warm-up' || held.length === 1) res.end('answered');
        else held.push(req);
      });
      const agent = await transport.agentTo(peer, { retry, timeouts: { response: 100, request: 60_000 } });
      const req = http.get({ ...peer.address, agent });
      const events = [];
      for (const name of ['response', 'error', 'close']) req.on(name, () => events.push(name));
      expect(String(await bytesOf(await responseTo(req)))).toBe('answered');
      await until(() => events.includes('close') && held[0].socket.destroyed);
      expect([events, req.attempts]).toEqual([['response', 'close'], 2]);
      await until(() => poolOf(agent).freeSockets === 1);
      expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 1, requests: 0 });
    });

    it('fails with the last error, and never after the limit of the whole', async () => {
      const peer = await serveRaw((socket) => socket.resume());
      const failureOf = async (timeouts) => {
        const agent = transport.newAgent({ retry });
        const req = http.get({ ...peer.address, protocol: agent.protocol, agent, timeouts });
        const [error] = await once(req, 'error');
        expect(error).toMatchObject({ code: 'ERR_FERREQUEST_TIMEOUT', attempts: req.attempts });
        await untilPoolIsEmpty(agent);
        return [error.event, error.attempts];
      };
      // A peer that says nothing lets no TLS be established.
      expect(await failureOf(transport.isTls ? { secureConnect: 30 } : { response: 30 }))
        .toEqual([transport.isTls ? 'secureConnect' : 'response', 3]);
      expect(await failureOf({ request: 30 })).toEqual(['request', 1]);
    });

    it('goes to the end of the queue of its agent', async () => {
      const peer = await transport.serve((req, res) => {
        if (req.url === '/held') peer.held = res;
        else res.end('answered');
      });
      const agent = await transport.agentTo(peer, { maxSockets: 1, retry: { ...retry, maxRetries: 1000 } });
      const held = exchange({ ...peer.address, agent, path: '/held' });
      await until(() => peer.held);
      const req = http.get({ ...peer.address, agent, timeouts: { queue: 20 } });
      const response = responseTo(req);
      await until(() => req.attempts === 2);
      expect(poolOf(agent).requests).toBeLessThan(2);
      peer.held.end();
      await held;
      expect(String(await bytesOf(await response))).toBe('answered');
    });
  });
}, () => !isOracle);

describeOurs('a request whose createConnection takes too long', () => {
  it('is not tried again: what it brings would come to a later attempt', async () => {
    const calls = [];
    const createConnection = (_options, callback) => { calls.push(callback); };
    const retry = { minTimeout: 1, errorCodes: ['ERR_FERREQUEST_TIMEOUT'] };
    const req = http.get({ host: '127.0.0.1', createConnection, retry, timeouts: { queue: 20 } });
    const [error] = await once(req, 'error');
    expect([error.event, req.attempts, calls.length]).toEqual(['queue', 1, 1]);
  });
});
