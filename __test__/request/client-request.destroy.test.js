'use strict';

/** destroy() and abort() beyond their events: state, AbortSignal, callbacks, what the peer sees, and races. */

const { once } = require('node:events');

const { sparesWholeExchange, tellsCauseOfAbort } = require('../../lib/node/behaviour');
const {
  bytesOf, exchange, http, itMends, newAgent, pseudoRandomBytes, quiet, record, responseTo, serve, until,
  untilIdle, untilNoConnections, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

/** A server that never answers. */
const serveSilence = (transport = { serve }) => transport.serve((req) => req.resume());

describe('destroy()', () => {
  it('answers with the request, each time', async () => {
    const req = http.request({ ...(await serveSilence()).address });
    req.on('error', () => {});
    expect(req.destroyed).toBe(false);
    expect(req.destroy()).toBe(req);
    expect(req.destroyed).toBe(true);
    expect(req.destroy(new Error('again'))).toBe(req);
  });

  it('has its events once, however often it is called', async () => {
    const req = http.request({ ...(await serveSilence()).address, method: 'POST' });
    const { events } = record(req);
    req.on('error', () => {});
    req.flushHeaders();
    await once(req, 'socket');
    req.destroy(Object.assign(new Error('first'), { code: 'FIRST' }));
    req.destroy(Object.assign(new Error('second'), { code: 'SECOND' }));
    req.abort();
    await until(() => req.closed);
    await quiet();
    expect(events).toEqual(['req socket', 'req error FIRST', 'req abort', 'req close']);
  });

  it('without an error and a response is told as a hang-up', async () => {
    const req = http.get((await serveSilence()).address);
    req.destroy();
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ name: 'Error', code: 'ECONNRESET', message: 'socket hang up' });
  });

  it('hands the very error to the listener', async () => {
    const req = http.get((await serveSilence()).address);
    const failure = new TypeError('mine');
    await once(req, 'socket');
    req.destroy(failure);
    expect(await once(req, 'error')).toEqual([failure]);
  });

  it('makes later writes fail', async () => {
    const req = http.request({ ...(await serveSilence()).address, method: 'POST' });
    req.on('error', () => {});
    req.write('before');
    await once(req, 'socket');
    req.destroy();
    const error = await new Promise((resolve) => { req.write('after', resolve); });
    expect(error).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
    expect(() => req.end()).not.toThrow();
    await quiet();
  });

  it('of one request leaves the others of the agent alone', async () => {
    const peer = await serve((req, res) => {
      if (req.url !== '/silent') setImmediate(() => res.end(req.url));
    });
    const agent = newAgent({ keepAlive: true, maxSockets: 4 });
    const all = [];
    for (let i = 0; i < 40; i++) {
      if (i % 2) {
        all.push(exchange({ ...peer.address, agent, path: `/${i}` }).then(({ body }) => body.toString()));
        continue;
      }
      const req = http.get({ ...peer.address, agent, path: '/silent' });
      setImmediate(() => req.destroy());
      all.push(once(req, 'error').then(([error]) => error.code));
    }
    const results = await Promise.all(all);
    expect(results).toEqual(results.map((unused, i) => (i % 2 ? `/${i}` : 'ECONNRESET')));
    agent.destroy();
    await untilPoolIsEmpty(agent);
  });
});

describeTransports('destroy()', (transport) => {
  it("destroys the socket, and the peer sees the connection's end", async () => {
    const peer = await serveSilence(transport);
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent });
    req.on('error', () => {});
    await once(req, 'finish');
    await until(() => peer.sockets.size === 1);
    const { socket } = req;
    const closed = once(socket, 'close');
    req.destroy();
    expect(socket.destroyed).toBe(true);
    await closed;
    await untilNoConnections(peer);
    await untilPoolIsEmpty(agent);
  });

  it('in the middle of an upload ends the upload', async () => {
    let received = 0;
    let failure;
    const peer = await transport.serve((message) => {
      message.on('data', (chunk) => { received += chunk.length; });
      message.on('error', (error) => { failure = error.code; });
    });
    const agent = await transport.agentTo(peer, {}, true);
    const headers = { 'Content-Length': 100 << 20 };
    const req = http.request({ ...peer.address, agent, method: 'POST', headers });
    req.on('error', () => {});
    req.write(pseudoRandomBytes(3 << 20));
    await until(() => received > 0);
    req.destroy();
    await until(() => failure === 'ECONNRESET');
    expect(received).toBeLessThanOrEqual(3 << 20);
  });
});

describeTransports('destroy() in the last \'data\' of a whole exchange', (transport) => {
  const test = async (error) => {
    const peer = await transport.serve((req, res) => res.end('whole'));
    const agent = await transport.agentTo(peer);
    const sockets = new Set();
    const errors = [];
    for (let i = 0; i < 10; i++) {
      const req = http.get({ ...peer.address, agent });
      req.on('error', (failure) => errors.push(failure));
      const res = await responseTo(req);
      sockets.add(req.socket);
      await until(() => res.complete);
      res.on('data', () => req.destroy(error));
      await until(() => req.closed);
      await untilIdle(agent);
    }
    expect(sockets.size).toBe(sparesWholeExchange() ? 1 : 10);
    if (sparesWholeExchange()) expect(errors).toEqual([]);
  };

  it('closes the connection, or leaves it to the next request, as with Node', () => test());

  // Where Node's destroys the socket, nothing listens for the error.
  itMends(!sparesWholeExchange())('does so with an error too', () => test(new Error('mine')));
});

describe('a request destroyed at a random moment', () => {
  it('has one close, at most one error, and leaves nothing behind, 300 times', async () => {
    const body = pseudoRandomBytes(200000);
    const peer = await serve((req, res) => {
      res.writeProcessing();
      res.write(body);
      setImmediate(() => res.end(body));
      req.resume();
    });
    const agent = newAgent({ keepAlive: true, maxSockets: 20 });
    const moments = pseudoRandomBytes(300);
    await Promise.all(Array.from(moments, async (moment, i) => {
      const req = http.request({ ...peer.address, agent, method: i % 2 ? 'POST' : 'GET' });
      const { events } = record(req);
      let ended = false;
      req.on('error', () => {});
      req.on('response', (res) => res.on('error', () => {}).resume());
      if (i % 2) req.write('part');
      req.end();
      const timer = setTimeout(() => {
        ended = true;
        if (i % 3) req.destroy();
        else req.abort();
      }, moment / 16);
      await until(() => events.includes('req close'), () => events.join());
      clearTimeout(timer);
      const count = (event) => events.filter((entry) => entry.startsWith(event)).length;
      expect([count('req close'), count('req response') <= 1, count('req error') <= 1]).toEqual([1, true, true]);
      if (!ended) expect(count('res end')).toBe(1);
    }));
    agent.destroy();
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
  });
});

describe('an AbortSignal', () => {
  const aborted = expect.objectContaining({ code: 'ABORT_ERR', name: 'AbortError' });

  it.each([
    ['before the request is made', async (controller, start) => {
      controller.abort();
      return start();
    }],
    ['in the same tick', async (controller, start) => {
      const req = start();
      controller.abort();
      return req;
    }],
    ['when the request is sent', async (controller, start) => {
      const req = start();
      req.once('finish', () => controller.abort());
      return req;
    }],
  ])('aborted %s ends it with ABORT_ERR', async (_, run) => {
    const peer = await serveSilence();
    const controller = new AbortController();
    const start = () => http.get({ ...peer.address, signal: controller.signal, agent: newAgent() });
    const req = await run(controller, start);
    const errors = [];
    req.on('error', (error) => errors.push(error));
    await until(() => req.closed);
    expect(errors).toEqual([aborted]);
    expect(req.destroyed).toBe(true);
    await untilNoConnections(peer);
  });

  it('aborted with a reason has it as the cause', async () => {
    const controller = new AbortController();
    const req = http.get({ ...(await serveSilence()).address, signal: controller.signal });
    const reason = new Error('why');
    controller.abort(reason);
    const [error] = await once(req, 'error');
    expect(error).toEqual(aborted);
    expect(error.cause).toBe(reason);
  });
});

describeTransports('an AbortSignal', (transport) => {
  it('aborted in the middle of the body ends request and response', async () => {
    const peer = await transport.serve((req, res) => res.write('never ends'));
    const controller = new AbortController();
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent, signal: controller.signal });
    const { events } = record(req);
    req.on('error', () => {});
    const res = await responseTo(req);
    res.on('error', () => {});
    res.once('data', () => controller.abort());
    await until(() => events.includes('res close'));
    expect(events).toEqual([
      'req socket', 'req finish', 'req response', 'res data', 'req error ABORT_ERR', 'res aborted', 'req close',
      'res error ECONNRESET', 'res close',
    ]);
  });

  it('aborted after the end has no effect, and the connection lives on', async () => {
    const peer = await transport.serve((req, res) => res.end('body'));
    const controller = new AbortController();
    const agent = await transport.agentTo(peer);
    const { req } = await exchange({ ...peer.address, agent, signal: controller.signal });
    await until(() => req.closed);
    const { events } = record(req);
    controller.abort();
    await quiet();
    expect(events).toEqual([]);
    expect((await exchange({ ...peer.address, agent })).req.reusedSocket).toBe(true);
  });
});

describeTransports('the error of a response that is cut', (transport) => {
  const why = new Error('why');

  it.each([
    ['req.destroy(error)', (req) => req.destroy(why)],
    ['the signal', (req, res, controller) => controller.abort(why)],
    ['socket.destroy(error)', (req) => req.socket.destroy(why)],
    ['a timeout', (req) => req.setTimeout(1, () => req.destroy(why))],
    // A TLSSocket cannot be reset.
    ...transport.isTls ? [] : [['a reset', (req, res, controller, peer) => peer.accepted.at(-1).resetAndDestroy()]],
    ['req.destroy()', (req) => req.destroy()],
    ['the end of the peer', (req, res, controller, peer) => peer.accepted.at(-1).end()],
  ])('by %s has the cause that Node gives', async (_, cut) => {
    const peer = await transport.serveAnswer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
    const agent = transport.newAgent();
    const controller = new AbortController();
    const req = http.get({ ...peer.address, agent, signal: controller.signal });
    const told = [];
    req.on('error', (error) => told.push(error));
    const res = await responseTo(req);
    const failed = once(res, 'error');
    cut(req, res, controller, peer);
    const [error] = await failed;
    expect(error).toMatchObject({ message: 'aborted', code: 'ECONNRESET' });
    expect(error.cause).toBe(tellsCauseOfAbort() ? told[0] : undefined);
    expect(Object.hasOwn(error, 'cause')).toBe(tellsCauseOfAbort() && told.length > 0);
  });
});

describeTransports('the end of a request by its peer', (transport) => {
  it.each([
    // A TLSSocket cannot be reset.
    ...transport.isTls ? [] : [
      ['a reset before the response', (socket) => socket.resetAndDestroy(), 'read ECONNRESET'],
    ],
    ['an end before the response', (socket) => socket.end(), 'socket hang up'],
    ['an end in the head', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-'), 'socket hang up'],
  ])('by %s is ECONNRESET', async (_, act, message) => {
    const peer = await transport.serveRaw((socket) => socket.once('data', () => act(socket)));
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent });
    const { events } = record(req);
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET', message });
    await until(() => req.closed);
    expect(events).toEqual(['req socket', 'req finish', 'req error ECONNRESET', 'req close']);
    await untilPoolIsEmpty(agent);
  });

  it('with an early response and no more reading still gives the response', async () => {
    const peer = await transport.serve((req, res) => {
      res.writeHead(413, { Connection: 'close' });
      res.end('too large');
    });
    const agent = await transport.agentTo(peer);
    const headers = { 'Content-Length': 50 << 20 };
    const req = http.request({ ...peer.address, agent, method: 'POST', headers });
    req.on('error', () => {});
    req.write(Buffer.alloc(1000));
    const res = await responseTo(req);
    expect(res.statusCode).toBe(413);
    expect((await bytesOf(res)).toString()).toBe('too large');
  });
});
