'use strict';

const { createHash } = require('node:crypto');
const { createServer } = require('node:http');
const net = require('node:net');
const { Duplex } = require('node:stream');
const {
  http, newAgent, poolOf, untilIdle, exchange, cleanUp, until, responseTo, bytesOf, pseudoRandomBytes, byteByByte,
  record,
  onRequestHead, quiet, serveRaw,
} = require('../support');

// https://nodejs.org/api/http.html#agentcreateconnectionoptions-callback: "supports any Duplex stream"

/** One end of a pipe in memory. What is written to one end is read at the other, in pieces of at most `piece` bytes. */
class PipeEnd extends Duplex {
  constructor({ piece = Infinity, ...options } = {}) {
    super(options);
    this.piece = piece;
    this.other = null;
    this.waiting = null;
  }

  _read() {
    const { waiting } = this;
    this.waiting = null;
    waiting?.();
  }

  _write(chunk, encoding, callback) {
    const { other } = this;
    const step = (from) => {
      if (other.destroyed || from >= chunk.length) {
        callback();
        return;
      }
      const to = Math.min(chunk.length, from + this.piece);
      // Each piece has a turn of the event loop of its own; a full buffer waits for the reader.
      const next = () => setImmediate(step, to);
      if (other.push(chunk.subarray(from, to))) next();
      else other.waiting = next;
    };
    step(0);
  }

  _final(callback) {
    if (!this.other.destroyed) this.other.push(null);
    callback();
  }

  _destroy(error, callback) {
    this._read();
    if (!this.other.destroyed && !this.other.readableEnded) this.other.push(null);
    callback(error);
  }
}

/** @returns {PipeEnd[]} both ends */
function pipe(options) {
  const ends = [new PipeEnd(options), new PipeEnd(options)];
  [ends[0].other, ends[1].other] = [ends[1], ends[0]];
  return ends;
}

/**
 * @param {(peer: PipeEnd, index: number) => void} onConnection gets the server's end of each connection
 * @param {object} [agentOptions]
 * @param {object} [pipeOptions]
 * @returns {http.Agent & { made: PipeEnd[] }} an agent whose connections are pipes in memory
 */
function pipingAgent(onConnection, agentOptions, pipeOptions) {
  const agent = newAgent(agentOptions);
  agent.made = [];
  agent.createConnection = () => {
    const [near, far] = pipe(pipeOptions);
    onConnection(far, agent.made.length);
    agent.made.push(near);
    return near;
  };
  return agent;
}

/** @returns a function that serves a connection with Node's HTTP server */
function serverFor(handler) {
  const server = createServer(handler);
  cleanUp(() => server.closeAllConnections());
  return (end) => server.emit('connection', end);
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

describe('a Duplex that is no socket', () => {
  it('carries a request and its response', async () => {
    const agent = pipingAgent(serverFor((req, res) => res.end(`${req.method} ${req.url}`)));
    const { req, body } = await exchange({ agent, path: '/there' });
    expect(body.toString()).toBe('GET /there');
    expect(req.socket).toBe(agent.made[0]);
  });

  it('comes from the createConnection of a request without an agent as well', async () => {
    const [near, far] = pipe();
    serverFor((req, res) => res.end('x'))(far);
    const { req, body } = await exchange({ createConnection: () => near });
    expect(body.toString()).toBe('x');
    expect(req.agent).toBeUndefined();
    expect(req.socket).toBe(near);
  });

  it.each([
    ['at once', (near, callback) => callback(null, near)],
    ['later', (near, callback) => setImmediate(callback, null, near)],
  ])('comes from the callback of createConnection %s', async (_when, give) => {
    const [near, far] = pipe();
    serverFor((req, res) => res.end('x'))(far);
    const { body } = await exchange({ createConnection: (options, callback) => { give(near, callback); } });
    expect(body.toString()).toBe('x');
  });

  it.each([
    ['by callback', (callback, error) => setImmediate(callback, error)],
    ['by callback at once', (callback, error) => callback(error)],
    ['by throwing', (callback, error) => { throw error; }],
  ])('may fail to be made, %s, without an agent', async (_how, fail) => {
    const error = new Error('none');
    await expect(exchange({ createConnection: (options, callback) => { fail(callback, error); } })).rejects.toBe(error);
  });

  it.each([1, 7, 1000])('may deliver in pieces of %i bytes', async (piece) => {
    const agent = pipingAgent(serverFor(async (req, res) => {
      const body = Buffer.concat(await req.toArray());
      res.setHeader('Trailer', 'X-Sum');
      res.write(body);
      res.addTrailers({ 'X-Sum': sha256(body) });
      res.end();
    }), {}, { piece });
    const sent = pseudoRandomBytes(3000);
    const { res, body } = await exchange({ agent, method: 'PUT', body: sent });
    expect(body.equals(sent)).toBe(true);
    expect(res.trailers['x-sum']).toBe(sha256(sent));
  });

  it('carries five megabytes each way under back-pressure', async () => {
    const agent = pipingAgent(serverFor((req, res) => req.pipe(res)), {}, { highWaterMark: 16384 });
    const sent = pseudoRandomBytes(5_000_000);
    const req = http.request({ agent, method: 'POST' });
    const body = responseTo(req).then(bytesOf);
    let waits = 0;
    for (let at = 0; at < sent.length; at += 50_000) {
      if (req.write(sent.subarray(at, at + 50_000))) continue;
      waits++;
      await new Promise((resolve) => { req.once('drain', resolve); });
    }
    req.end();
    expect(sha256(await body)).toBe(sha256(sent));
    expect(waits).toBeGreaterThan(10);
  });

  it('stops being read while the response is paused', async () => {
    const agent = pipingAgent((far) => {
      onRequestHead(far, () => {
        far.write('HTTP/1.1 200 OK\r\n\r\n');
        far.write(Buffer.alloc(4_000_000));
        far.end();
      });
    }, {}, { piece: 65536 });
    const res = await responseTo(http.get({ agent }));
    let pushed = 0;
    const { push } = agent.made[0];
    agent.made[0].push = function countingPush(chunk) {
      pushed += chunk ? chunk.length : 0;
      return push.call(this, chunk);
    };
    await until(() => agent.made[0].waiting !== null, 'the writer to wait for the reader');
    await quiet();
    expect(pushed).toBeLessThan(400_000);
    expect(await bytesOf(res)).toHaveLength(4_000_000);
  });

  it('is kept alive and reused when it has the methods that Node calls on an idle socket', async () => {
    const calls = [];
    const agent = pipingAgent(serverFor((req, res) => res.end('x')), { keepAlive: true });
    const { createConnection } = agent;
    agent.createConnection = (options) => {
      const near = createConnection(options);
      for (const method of ['setKeepAlive', 'ref', 'unref', 'setTimeout']) near[method] = () => calls.push(method);
      return near;
    };
    for (let i = 0; i < 3; i++) {
      expect((await exchange({ agent })).req.reusedSocket).toBe(i > 0);
      await untilIdle(agent);
    }
    expect(agent.made).toHaveLength(1);
    expect(calls).toEqual(expect.arrayContaining(['setKeepAlive', 'ref', 'unref']));
  });

  it('is closed after a response when it cannot be kept', async () => {
    const agent = pipingAgent(serverFor((req, res) => res.end('x')));
    await exchange({ agent });
    await until(() => agent.made[0].destroyed);
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 0, requests: 0 });
    expect(agent.totalSocketCount).toBe(0);
  });

  it('is handed over after an upgrade, with the bytes that followed the header', async () => {
    const agent = pipingAgent((far) => {
      far.once('data', () => {
        far.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst ');
        far.pipe(far);
      });
    });
    const req = http.get({ agent, headers: { Connection: 'Upgrade', Upgrade: 'echo' } });
    const [res, socket, head] = await new Promise((resolve, reject) => {
      req.on('upgrade', (...args) => resolve(args));
      req.on('error', reject);
    });
    expect(res.statusCode).toBe(101);
    expect(socket).toBe(agent.made[0]);
    expect(head.toString()).toBe('first ');
    const echo = bytesOf(socket);
    socket.write('second ');
    socket.end('third');
    expect((await echo).toString()).toBe('second third');
    expect(poolOf(agent).sockets).toBe(0);
  });

  it('answers CONNECT with the stream itself', async () => {
    const agent = pipingAgent((far) => {
      far.once('data', (request) => {
        expect(request.toString()).toMatch(/^CONNECT example\.org:443 HTTP\/1\.1\r\n/);
        far.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
      });
    });
    const req = http.request({ agent, method: 'CONNECT', path: 'example.org:443' }).end();
    const [socket, head] = await new Promise((resolve, reject) => {
      req.on('connect', (_res, ...args) => resolve(args));
      req.on('error', reject);
    });
    expect(socket).toBe(agent.made[0]);
    expect(head.toString()).toBe('hello');
  });
});

describe('a Duplex that breaks', () => {
  const half = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello';

  it.each([
    ['ends before the response', (far) => far.end(), 'ECONNRESET'],
    ['ends in the header', (far) => far.end('HTTP/1.1 200 OK\r\nX-'), 'ECONNRESET'],
    ['says what is no HTTP', (far) => far.write('SSH-2.0-x\r\n'), 'HPE_INVALID_CONSTANT'],
    ['fails before the response', (far, near) => near.destroy(Object.assign(new Error('torn'), { code: 'ETORN' })),
      'ETORN'],
    ['closes before the response', (far, near) => near.destroy(), 'ECONNRESET'],
  ])('%s', async (_what, breakIt, code) => {
    const agent = pipingAgent((far, index) => far.once('data', () => breakIt(far, agent.made[index])));
    await expect(exchange({ agent })).rejects.toMatchObject({ code });
    await until(() => agent.totalSocketCount === 0 && agent.made[0].destroyed);
  });

  it.each([
    ['ends', (far) => far.end()],
    ['closes', (far, near) => near.destroy()],
  ])('%s in the middle of the body: the response is aborted', async (_what, breakIt) => {
    const agent = pipingAgent((far, index) => {
      far.once('data', () => far.write(half));
      agent.broken = () => breakIt(far, agent.made[index]);
    });
    const req = http.get({ agent });
    const { events } = record(req);
    const res = await responseTo(req);
    res.on('error', () => {});
    res.once('data', () => agent.broken());
    await new Promise((resolve) => { res.once('close', resolve); });
    await until(() => events.includes('req close'));
    expect(res.complete).toBe(false);
    expect(events).toEqual(expect.arrayContaining(['res aborted', 'res error ECONNRESET', 'res close', 'req close']));
    expect(events).not.toContain('res end');
    expect(events).not.toContain('req error ECONNRESET');
  });

  it('gives a response bytes one by one up to the last', async () => {
    const bytes = byteByByte(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\n');
    const agent = pipingAgent((far) => far.once('data', () => bytes.forEach((byte) => far.write(byte))));
    const { res, body } = await exchange({ agent });
    expect(body.toString()).toBe('hello');
    expect(res.trailers).toEqual({ t: 'u' });
    expect(res.complete).toBe(true);
  });
});

it('a stream that brings many responses at once while the request is being written gathers no listeners', async () => {
  const peer = await serveRaw((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'.repeat(20)));
  });
  const req = http.request({ ...peer.address, method: 'POST', agent: null, createConnection: net.createConnection });
  req.on('error', () => {});
  let most = 0;
  req.on('socket', (socket) => socket.on('newListener', (name) => {
    if (name === 'data') most = Math.max(most, socket.listenerCount('data') + 1);
  }));
  req.write('the beginning of a body');
  expect((await responseTo(req)).statusCode).toBe(200);
  await until(() => req.closed);
  expect(most).toBeLessThan(4);
});
