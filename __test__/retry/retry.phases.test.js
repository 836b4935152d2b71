'use strict';

/** What `req.timings` and `timeouts` say of a request that is tried again. */

const { once } = require('node:events');
const http = require('../../index');
const { bytesOf, isOracle, responseTo, until, untilPoolIsEmpty } = require('../support');
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
}, () => !isOracle);
