'use strict';

/** Requests that are tried again: the option `retry`. */

const { AsyncLocalStorage } = require('node:async_hooks');
const diagnostics = require('node:diagnostics_channel');
const { once } = require('node:events');
const http = require('../../index');
const {
  bytesOf, cleanUp, describeOurs, exchange, isOracle, newAgent, quiet, responseTo, runScript, serve, unusedPort, until,
  untilIdle, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

/** Notes the events of a request in their order. */
function noteEvents(req) {
  const events = [];
  for (const name of ['socket', 'finish', 'response', 'error', 'abort', 'close']) {
    req.on(name, (value) => events.push(name === 'error' ? `error ${value.code ?? value.message}` : name));
  }
  return events;
}

/**
 * Starts a server that answers each request by the next of these functions, the last one for all further, and notes
 * method and body of each. A function gets the request, which has been read to its end, and the response.
 */
async function serveInTurn(transport, ...answers) {
  const bodies = [];
  const peer = await transport.serve((req, res) => {
    if (req.url === '/warm-up') {
      res.end();
      return;
    }
    bytesOf(req).then((body) => {
      bodies.push(`${req.method} ${body}`);
      (answers.length > 1 ? answers.shift() : answers[0])(req, res);
    }, () => {});
  });
  return Object.assign(peer, { bodies });
}

const reset = (req) => req.socket.destroy();
const ok = (req, res) => res.end('answered');
const unavailable = (fields) => (req, res) => res.writeHead(503, fields).end('later');

describeTransports('a request with `retry`', (transport) => {
  const retry = { minTimeout: 1 };

  it('is sent again when its connection ends without a response', async () => {
    const peer = await serveInTurn(transport, reset, reset, ok);
    const agent = await transport.agentTo(peer, { retry });
    const req = http.request({ ...peer.address, agent, method: 'PUT' });
    const events = noteEvents(req);
    const called = [];
    req.write('the beginning, ', () => called.push('write'));
    req.end('the end', () => called.push('end'));
    expect(String(await bytesOf(await responseTo(req)))).toBe('answered');
    await until(() => events.includes('close'));
    expect(peer.bodies).toEqual(Array(3).fill('PUT the beginning, the end'));
    expect(events.filter((name) => name === 'socket').length).toBe(3);
    expect(events.filter((name) => name !== 'socket')).toEqual(['finish', 'response', 'close']);
    expect(called).toEqual(['write', 'end']);
    expect([req.attempts, req.reusedSocket, req.writableFinished]).toEqual([3, false, true]);
    await untilIdle(agent);
    expect(Object.values(agent.freeSockets).flat()).toEqual([req.socket]);
  });

  it('is sent again, on the same connection, after a response that says so', async () => {
    const peer = await serveInTurn(transport, unavailable({ 'Retry-After': '0' }), unavailable(), ok);
    const agent = await transport.agentTo(peer, { retry });
    const req = http.get({ ...peer.address, agent });
    const events = noteEvents(req);
    const res = await responseTo(req);
    expect([res.statusCode, String(await bytesOf(res))]).toEqual([200, 'answered']);
    await until(() => events.includes('close'));
    expect(events.filter((name) => name !== 'socket')).toEqual(['finish', 'response', 'close']);
    expect([req.attempts, req.reusedSocket]).toEqual([3, true]);
    expect(peer.accepted.length).toBe(1);
  });

  it('fails with the error of the last attempt', async () => {
    const peer = await serveInTurn(transport, reset);
    const agent = await transport.agentTo(peer, { retry: { ...retry, maxRetries: 2 } });
    const req = http.get({ ...peer.address, agent });
    const events = noteEvents(req);
    await until(() => events.includes('close'));
    expect(events.filter((name) => name !== 'socket')).toEqual(['finish', 'error ECONNRESET', 'close']);
    expect([req.attempts, peer.bodies.length, req.destroyed]).toEqual([3, 3, true]);
    await untilPoolIsEmpty(agent);
  });

  it('gives the response of the last attempt, whatever its status', async () => {
    const peer = await serveInTurn(transport, unavailable());
    const agent = await transport.agentTo(peer, { retry: { ...retry, maxRetries: 1 } });
    const { req, res, body } = await exchange({ ...peer.address, agent });
    expect([res.statusCode, String(body), req.attempts]).toEqual([503, 'later', 2]);
    await untilIdle(agent);
  });

  it('is not sent again where its method is not idempotent', async () => {
    const peer = await serveInTurn(transport, reset);
    const agent = await transport.agentTo(peer, { retry });
    const req = http.request({ ...peer.address, agent, method: 'POST' }).end('once');
    expect((await once(req, 'error'))[0].code).toBe('ECONNRESET');
    await quiet();
    expect(peer.bodies).toEqual(['POST once']);
    expect(req.attempts).toBe(1);
  });

  it('is not sent again when the response has begun', async () => {
    const peer = await serveInTurn(transport, (req, res) => {
      res.writeHead(200, { 'Content-Length': 100 });
      res.write('beginning');
      res.flushHeaders();
      setImmediate(() => req.socket.destroy());
    });
    const agent = await transport.agentTo(peer, { retry });
    const res = await responseTo(http.get({ ...peer.address, agent }));
    await expect(bytesOf(res)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await quiet();
    expect(peer.bodies.length).toBe(1);
  });

  it('does not wait for the end of a long body of a response that it does not give', async () => {
    const peer = await serveInTurn(transport, (req, res) => res.writeHead(503).write('for ever'), ok);
    const agent = await transport.agentTo(peer, { retry });
    const { req, res } = await exchange({ ...peer.address, agent });
    expect([res.statusCode, req.attempts]).toEqual([200, 2]);
    await untilIdle(agent);
  });

  it.each([
    ['destroy()', (req) => req.destroy(), ['error ECONNRESET', 'close']],
    ['destroy(error)', (req) => req.destroy(new Error('enough')), ['error enough', 'close']],
    ['abort()', (req) => req.abort(), ['abort', 'close']],
  ])('is called off by %s while it waits', async (_what, callOff, expected) => {
    const peer = await serveInTurn(transport, reset);
    const agent = await transport.agentTo(peer, { retry: { minTimeout: 30_000 } });
    const req = http.get({ ...peer.address, agent });
    const events = noteEvents(req);
    await untilPoolIsEmpty(agent);
    expect([req.destroyed, events.includes('close')]).toEqual([false, false]);
    callOff(req);
    expect(req.destroyed).toBe(true);
    await until(() => events.includes('close'));
    expect(events.slice(2)).toEqual(expected);
    expect([req.attempts, peer.bodies.length]).toEqual([1, 1]);
  });

  it.each([
    ['its socket', (req) => req.socket.destroy()],
    ['its agent', (req) => req.agent.destroy()],
  ])('is not tried again when the user destroys %s', async (_what, destroy) => {
    let arrived;
    const peer = await serveInTurn(transport, () => { arrived = true; });
    const agent = await transport.agentTo(peer, { retry });
    const req = http.get({ ...peer.address, agent });
    await until(() => arrived);
    destroy(req);
    expect((await once(req, 'error'))[0]).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });
    await quiet();
    expect([req.attempts, peer.bodies.length]).toEqual([1, 1]);
  });

  it('is called off by destroy() while it is under way', async () => {
    let arrived;
    const peer = await serveInTurn(transport, () => { arrived = true; });
    const agent = await transport.agentTo(peer, { retry });
    const req = http.get({ ...peer.address, agent });
    const events = noteEvents(req);
    await until(() => arrived);
    req.destroy();
    await until(() => events.includes('close'));
    await quiet();
    expect(events.slice(2)).toEqual(['error ECONNRESET', 'close']);
    expect(peer.bodies.length).toBe(1);
  });

  it('is called off by a signal while it waits', async () => {
    const peer = await serveInTurn(transport, reset);
    const agent = await transport.agentTo(peer, { retry: { minTimeout: 30_000 } });
    const controller = new AbortController();
    const req = http.get({ ...peer.address, agent, signal: controller.signal });
    await untilPoolIsEmpty(agent);
    controller.abort();
    expect((await once(req, 'error'))[0].name).toBe('AbortError');
  });

  it('is not tried again after its timeout', async () => {
    let socket;
    const peer = await serveInTurn(transport, (req) => { ({ socket } = req); });
    const agent = await transport.agentTo(peer, { retry });
    const req = http.get({ ...peer.address, agent, timeout: 100 });
    const failed = once(req, 'error');
    const timedOut = once(req, 'timeout');
    await until(() => socket);
    await timedOut;
    socket.destroy();
    expect((await failed)[0].code).toBe('ECONNRESET');
    expect(req.attempts).toBe(1);
  });

  it('has the timeout of setTimeout() in every attempt', async () => {
    const peer = await serveInTurn(transport, reset, () => {});
    const agent = await transport.agentTo(peer, { retry });
    const req = http.get({ ...peer.address, agent }).on('error', () => {});
    req.setTimeout(400);
    await once(req, 'timeout');
    expect(req.attempts).toBe(2);
    const closed = new Promise((resolve) => { req.once('close', resolve); });
    req.destroy();
    await closed;
    expect(req.attempts).toBe(2);
  });

  it('is sent again with what is written between attempts', async () => {
    const peer = await serveInTurn(transport, ok);
    let connections = 0;
    const agent = await transport.agentTo(peer, { retry });
    const req = http.request({ ...peer.address, agent, method: 'PUT' });
    req.on('socket', (socket) => {
      const lost = Object.assign(new Error('lost'), { code: 'ECONNRESET' });
      if (++connections === 1) setImmediate(() => socket.destroy(lost));
    });
    req.write('before, ');
    await until(() => connections === 2);
    req.write('between, ');
    req.end('after');
    expect(String(await bytesOf(await responseTo(req)))).toBe('answered');
    expect(peer.bodies).toEqual(['PUT before, between, after']);
  });

  it('has its bytes sent as they were when they were written', async () => {
    const peer = await serveInTurn(transport, reset, ok);
    const agent = await transport.agentTo(peer, { retry });
    const bytes = Buffer.from('as they were');
    const req = http.request({ ...peer.address, agent, method: 'PUT', headers: { 'Content-Length': bytes.length } });
    req.end(bytes);
    // Before the request has a socket, too.
    bytes.fill('x');
    await bytesOf(await responseTo(req));
    expect(peer.bodies).toEqual(['PUT as they were', 'PUT as they were']);
  });

  it('is not sent again when its body is too large to be kept', async () => {
    const peer = await serveInTurn(transport, reset);
    const agent = await transport.agentTo(peer, { retry: { ...retry, maxBodySize: 1000 } });
    const req = http.request({ ...peer.address, agent, method: 'PUT' });
    const failed = once(req, 'error');
    req.write(Buffer.alloc(600));
    req.end(Buffer.alloc(600));
    await failed;
    expect([req.attempts, peer.bodies.length]).toEqual([1, 1]);
  });

  it('waits in the queue of its agent for each attempt', async () => {
    const peer = await serveInTurn(transport, reset, unavailable(), reset, ok);
    const agent = await transport.agentTo(peer, { retry, maxSockets: 1 });
    const made = await Promise.all([1, 2, 3].map(() => exchange({ ...peer.address, agent })));
    expect(made.map(({ res }) => res.statusCode)).toEqual([200, 200, 200]);
    await untilIdle(agent);
    expect(peer.bodies.length).toBe(6);
  });
}, () => !isOracle);

describeOurs('retry', () => {
  it('begins no attempt for a signal that is aborted already', async () => {
    const peer = await serve((req, res) => res.end());
    const req = http.get({ ...peer.address, agent: newAgent(), retry: { maxRetries: 1 }, signal: AbortSignal.abort() });
    expect((await once(req, 'error'))[0].name).toBe('AbortError');
    expect([req.attempts, peer.accepted.length]).toEqual([1, 0]);
  });

  it('takes the option of a request before that of its agent', async () => {
    const peer = await serve((req) => req.socket.destroy());
    const agent = newAgent({ retry: { maxRetries: 3, minTimeout: 1 } });
    const attemptsOf = async (options) => {
      const req = http.get({ ...peer.address, agent, ...options });
      await once(req, 'error');
      return req.attempts;
    };
    expect(await attemptsOf({})).toBe(4);
    expect(await attemptsOf({ retry: { maxRetries: 1, minTimeout: 1 } })).toBe(2);
    expect(await attemptsOf({ retry: false })).toBe(1);
    // Of some library, and of got 11, which hands its options on.
    expect(await attemptsOf({ retry: 2 })).toBe(1);
    expect(await attemptsOf({ retry: {} })).toBe(1);
    expect(await attemptsOf({ retry: { limit: 2, methods: ['GET'], errorCodes: ['ECONNRESET'] } })).toBe(1);
  });

  it('is none of a request whose option says nothing', async () => {
    const peer = await serve((req) => req.socket.destroy());
    const req = http.get({ ...peer.address, retry: {} });
    await once(req, 'error');
    expect([req.attempts, peer.accepted.length]).toEqual([1, 1]);
  });

  it('connects again when a connection is refused, without an agent too', async () => {
    const port = await unusedPort();
    const req = http.get({ host: '127.0.0.1', port, retry: { minTimeout: 5, maxRetries: 100, timeoutFactor: 1 } });
    await until(() => req.attempts > 2);
    await serve((_req, res) => res.end('at last'), { listen: { port, host: '127.0.0.1' } });
    expect(String(await bytesOf(await responseTo(req)))).toBe('at last');
  });

  it('races again', async () => {
    const port = await unusedPort();
    const lookup = (name, options, callback) => setImmediate(callback, null,
      ['127.0.0.8', '127.0.0.1'].map((address) => ({ address, family: 4 })));
    const agent = newAgent({ retry: { minTimeout: 1, maxRetries: 2 }, autoSelectFamily: 'race', lookup });
    const req = http.get({ host: 'name.test', port, agent });
    const sockets = [];
    req.on('socket', (socket) => sockets.push(socket));
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ name: 'AggregateError', code: 'ECONNREFUSED' });
    expect(sockets.map((socket) => socket.autoSelectFamilyAttemptedAddresses.length)).toEqual([2, 2, 2]);
  });

  it.each([
    ['Expect', { Expect: '100-continue' }],
    ['Upgrade', { Connection: 'upgrade', Upgrade: 'x' }],
  ])('does not repeat a request with %s', async (_name, headers) => {
    const peer = await serve();
    let count = 0;
    const refuse = (req) => {
      count++;
      req.socket.destroy();
    };
    for (const name of ['request', 'checkContinue', 'upgrade']) peer.server.on(name, refuse);
    const req = http.request({ ...peer.address, agent: newAgent(), method: 'PUT', headers, retry: { minTimeout: 1 } });
    req.end();
    await once(req, 'error');
    await quiet();
    expect([count, req.attempts]).toEqual([1, 1]);
  });

  it('runs every event in the async context of the request', async () => {
    const storage = new AsyncLocalStorage();
    let count = 0;
    const peer = await serve((req, res) => (++count < 3 ? req.socket.destroy() : res.end()));
    const seen = [];
    storage.run('the request', () => {
      const req = http.get({ ...peer.address, agent: newAgent(), retry: { minTimeout: 1 } });
      for (const name of ['socket', 'response', 'close']) req.on(name, () => seen.push(storage.getStore()));
      req.on('response', (res) => res.resume());
    });
    await until(() => seen.length === 5);
    expect(new Set(seen)).toEqual(new Set(['the request']));
  });

  it('tells diagnostics_channel once', async () => {
    const told = [];
    for (const name of ['request.created', 'request.start', 'request.error', 'response.finish']) {
      const listener = () => told.push(name);
      diagnostics.subscribe(`http.client.${name}`, listener);
      cleanUp(() => diagnostics.unsubscribe(`http.client.${name}`, listener));
    }
    let count = 0;
    const peer = await serve((req, res) => (++count < 3 ? res.writeHead(503).end() : res.end()));
    await exchange({ ...peer.address, agent: newAgent(), retry: { minTimeout: 1 } });
    expect(told).toEqual(['request.created', 'request.start', 'response.finish']);
  });

  it('holds the process while a request waits, and no longer', async () => {
    const { code, stdout } = await runScript((http_) => {
      let count = 0;
      const server = require('node:http').createServer((req, res) => {
        if (++count < 3) req.socket.destroy();
        else res.end('answered');
      });
      server.listen(0, '127.0.0.1', () => {
        server.unref();
        const agent = new http_.Agent({ keepAlive: true, retry: { minTimeout: 20 } });
        server.on('connection', (socket) => socket.unref());
        http_.get({ host: '127.0.0.1', port: server.address().port, agent }, (res) => {
          res.resume().on('end', () => console.log(res.req.attempts));
        });
      });
    });
    expect([code, stdout]).toEqual([0, '3\n']);
  });
});
