'use strict';

/** options.signal, and events.once(): how to wait for a request, and how to call it off. */

const { getEventListeners, once } = require('node:events');
const {
  bytesOf, exchange, http, newAgent, poolOf, quiet, record, responseTo, serve, until, untilIdle, untilNoConnections,
  untilPoolIsEmpty,
} = require('../support');

/** A server that begins an answer to /half and gives none to /silent. */
const serveSlow = () => serve((req, res) => {
  req.resume();
  if (req.url === '/half') res.writeHead(200, { 'Content-Length': 10 }).write('half');
  else if (req.url === '/whole') res.end('whole');
});

const ABORTED = { name: 'AbortError', code: 'ABORT_ERR', message: 'The operation was aborted' };

describe('a signal', () => {
  it('that is aborted already stops the request before it is sent', async () => {
    const asked = jest.fn();
    const peer = await serve(asked);
    const agent = newAgent({ keepAlive: true });
    const req = http.get({ ...peer.address, agent, signal: AbortSignal.abort() });
    const { events } = record(req);
    const [error] = await once(req, 'error');
    expect(error).toMatchObject(ABORTED);
    await until(() => req.closed);
    await quiet();
    expect(events).toEqual(['req error ABORT_ERR', 'req close']);
    expect(asked).not.toHaveBeenCalled();
    // Since Node 24 the connection is kept for others.
    expect(poolOf(agent)).toMatchObject({ sockets: 0, requests: 0 });
  });

  const STAGES = {
    'while its name is looked up': {
      options: { host: 'name.test', lookup() {} },
      reach: (req) => once(req, 'socket'),
      events: ['req socket', 'req error ABORT_ERR', 'req close'],
    },
    'when it has connected': {
      options: { path: '/silent', method: 'POST' },
      reach: async (req) => once((await once(req, 'socket'))[0], 'connect'),
      events: ['req socket', 'req error ABORT_ERR', 'req close'],
    },
    'when it is sent': {
      options: { path: '/silent' },
      reach: (req) => once(req.end(), 'finish'),
      events: ['req socket', 'req finish', 'req error ABORT_ERR', 'req close'],
    },
    'in the middle of its body': {
      options: { path: '/half' },
      reach: (req) => new Promise((resolve) => {
        req.end().once('response', (res) => res.on('error', () => {}).once('data', resolve));
      }),
      events: ['req socket', 'req finish', 'req response', 'res data', 'req error ABORT_ERR', 'res aborted',
        'req close', 'res error ECONNRESET', 'res close'],
    },
  };

  it.each(Object.entries(STAGES))('stops a request %s', async (_when, { options, reach, events: expected }) => {
    const peer = await serveSlow();
    const agent = newAgent({ keepAlive: true });
    const controller = new AbortController();
    const req = http.request({ ...peer.address, agent, signal: controller.signal, ...options });
    const { events } = record(req);
    const failed = new Promise((resolve) => { req.once('error', resolve); });
    await reach(req);
    const reason = new Error('my reason');
    controller.abort(reason);
    expect(await failed).toMatchObject({ ...ABORTED, cause: reason });
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
    await quiet();
    expect(events).toEqual(expected);
  });

  it('of AbortSignal.timeout() says so in the cause', async () => {
    const peer = await serveSlow();
    const req = http.get({ ...peer.address, path: '/silent', agent: newAgent(), signal: AbortSignal.timeout(30) });
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ ...ABORTED, cause: { name: 'TimeoutError' } });
  });

  it('of AbortSignal.any() stops the request when any of them is aborted', async () => {
    const peer = await serveSlow();
    const controllers = [new AbortController(), new AbortController()];
    const signal = AbortSignal.any(controllers.map((controller) => controller.signal));
    const req = http.get({ ...peer.address, path: '/silent', agent: newAgent(), signal });
    req.once('finish', () => controllers[1].abort());
    expect((await once(req, 'error'))[0]).toMatchObject(ABORTED);
  });

  it('shared by many requests keeps no listener of those that are over, and does them no harm', async () => {
    const peer = await serveSlow();
    const agent = newAgent({ keepAlive: true });
    const controller = new AbortController();
    const { signal } = controller;
    const over = [];
    for (let i = 0; i < 12; i++) over.push((await exchange({ ...peer.address, path: '/whole', agent, signal })).req);
    await untilIdle(agent);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const open = http.get({ ...peer.address, path: '/silent', agent: newAgent(), signal });
    const failed = once(open, 'error');
    const errors = jest.fn();
    for (const req of over) req.on('error', errors);
    await once(open, 'finish');
    controller.abort();
    expect((await failed)[0]).toMatchObject(ABORTED);
    await quiet();
    expect(errors).not.toHaveBeenCalled();
    expect(poolOf(agent)).toMatchObject({ freeSockets: 1 });
    expect((await exchange({ ...peer.address, path: '/whole', agent })).req.reusedSocket).toBe(true);
  });

  it('keeps no listener of a request that failed', async () => {
    const peer = await serve((req, res) => res.socket.destroy());
    const { signal } = new AbortController();
    const failed = exchange({ ...peer.address, agent: newAgent(), signal });
    await expect(failed).rejects.toMatchObject({ code: 'ECONNRESET' });
    await until(() => getEventListeners(signal, 'abort').length === 0);
  });

  it('stops an upload that the server does not read', async () => {
    const peer = await serve((req) => req.pause());
    const controller = new AbortController();
    const agent = newAgent();
    const req = http.request({ ...peer.address, method: 'POST', agent, signal: controller.signal });
    while (req.write(Buffer.alloc(1 << 20)));
    const failed = once(req, 'error');
    await until(() => peer.accepted.length === 1);
    controller.abort();
    expect((await failed)[0]).toMatchObject(ABORTED);
    await untilPoolIsEmpty(agent);
  });

  it.each([[{}], ['signal'], [1], [new (class AbortSignal {})()]])('that is none is refused: %p', (signal) => {
    expect(() => http.get({ signal, agent: newAgent() })).toThrow(expect.objectContaining({
      code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError',
    }));
  });
});

describe('events.once()', () => {
  it('gives the response, or rejects with the error of the request', async () => {
    const peer = await serveSlow();
    const [res] = await once(http.get({ ...peer.address, path: '/whole' }), 'response');
    expect(String(await bytesOf(res))).toBe('whole');
    const refused = await serve();
    await refused.close();
    await expect(once(http.get(refused.address), 'response')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('may be called off by itself: the request goes on', async () => {
    const peer = await serveSlow();
    const req = http.get({ ...peer.address, path: '/whole', agent: newAgent() });
    await expect(once(req, 'response', { signal: AbortSignal.abort() })).rejects.toMatchObject(ABORTED);
    expect((await responseTo(req)).statusCode).toBe(200);
  });
});
