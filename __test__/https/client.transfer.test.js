'use strict';

/** Requests and responses over TLS, whose socket is Node's: bodies, ends, aborts, timeouts, upgrades. */

const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');
const {
  bytesOf, poolOf, pseudoRandomBytes, quiet, record, responseTo, until, untilIdle, onRequestHead,
} = require('../support');
const { exchangeTls, https, newTlsAgent, serveRawTls, serveTls } = require('../support/tls');

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** A TLS server that answers each request head with given bytes, each piece in a TLS record of its own. */
async function serveRecords(pieces, { end = false } = {}) {
  const heads = [];
  const peer = await serveRawTls((socket) => {
    socket.setNoDelay(true);
    onRequestHead(socket, async (head) => {
      heads.push(head);
      for (const piece of pieces) {
        if (socket.destroyed) return;
        await new Promise((resolve) => { socket.write(piece, 'latin1', resolve); });
      }
      if (end) socket.end();
    });
    socket.on('end', () => socket.end());
  });
  return Object.assign(peer, { heads });
}

describe('a body over TLS', () => {
  const SIZES = [[0], [1], [16384], [16385], [1 << 20], [(5 << 20) + 7]];

  it.each(SIZES)('of %i bytes goes there and comes back', async (size) => {
    const sent = pseudoRandomBytes(size);
    const peer = await serveTls((req, res) => {
      res.writeHead(200, { 'Content-Length': req.headers['content-length'] });
      req.pipe(res);
    });
    const agent = newTlsAgent({ keepAlive: true });
    for (const method of ['PUT', 'POST']) {
      const { res, body } = await exchangeTls({
        ...peer.address, agent, method, body: sent, headers: { 'Content-Length': sent.length },
      });
      expect([body.length, sha256(body), res.complete]).toEqual([size, sha256(sent), true]);
    }
    expect(peer.accepted).toHaveLength(1);
  });

  it('in chunks keeps its trailers', async () => {
    const peer = await serveTls(async (req, res) => {
      const body = await bytesOf(req);
      res.writeHead(200, { Trailer: 'X-Sum' });
      res.write(body);
      res.addTrailers({ 'X-Sum': sha256(body), 'X-Got': req.trailers['x-sum'] });
      res.end();
    });
    const sent = pseudoRandomBytes(100000);
    const req = https.request({ ...peer.address, agent: newTlsAgent(), method: 'POST', headers: { Trailer: 'X-Sum' } });
    for (let i = 0; i < sent.length; i += 10000) req.write(sent.subarray(i, i + 10000));
    req.addTrailers({ 'X-Sum': sha256(sent) });
    req.end();
    const res = await responseTo(req);
    expect(sha256(await bytesOf(res))).toBe(sha256(sent));
    expect(res.trailers).toEqual({ 'x-sum': sha256(sent), 'x-got': sha256(sent) });
  });

  it('whose bytes come in records of one each is whole', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n' +
      '3\r\nabc\r\n2\r\nde\r\n0\r\nT: t\r\n\r\n';
    const peer = await serveRecords([...answer]);
    const agent = newTlsAgent({ keepAlive: true });
    for (let i = 0; i < 2; i++) {
      const { res, body } = await exchangeTls({ ...peer.address, agent });
      expect([String(body), res.rawHeaders, res.trailers]).toEqual([
        'abcde', ['Transfer-Encoding', 'chunked', 'X', 'y'], { t: 't' }]);
    }
    expect(peer.accepted).toHaveLength(1);
  });

  it('is held back while the response is paused', async () => {
    const size = 8 << 20;
    const peer = await serveTls((req, res) => res.end(Buffer.alloc(size)));
    const req = https.get({ ...peer.address, agent: newTlsAgent() });
    const res = await responseTo(req);
    res.pause();
    const received = async () => {
      const before = req.socket.bytesRead;
      await quiet();
      return [before, req.socket.bytesRead];
    };
    await until(async () => {
      const [before, after] = await received();
      return before === after;
    }, 'the server to be held back');
    expect(req.socket.bytesRead).toBeLessThan(size / 2);
    res.resume();
    expect((await bytesOf(res)).length).toBe(size);
  });

  it("that the server does not read makes write() answer false, and 'drain' comes when it does", async () => {
    let read;
    const peer = await serveTls((req, res) => {
      read = () => req.resume().on('end', () => res.end());
    });
    const req = https.request({ ...peer.address, agent: newTlsAgent(), method: 'POST' });
    const response = responseTo(req);
    await once(req, 'socket');
    await once(req.socket, 'secureConnect');
    const drained = jest.fn();
    req.on('drain', drained);
    // More than the kernel's buffers take.
    for (let i = 0; i < 16; i++) expect(req.write(Buffer.alloc(1 << 20))).toBe(false);
    await until(() => read);
    await quiet();
    expect(drained).not.toHaveBeenCalled();
    read();
    await once(req, 'drain');
    req.end();
    expect((await response).statusCode).toBe(200);
  });
});

describe('the end of a response over TLS', () => {
  it('without a length is that of the connection', async () => {
    const peer = await serveRecords(['HTTP/1.1 200 OK\r\n\r\n', 'to the', ' end'], { end: true });
    const { res, body } = await exchangeTls(peer.address);
    expect([String(body), res.complete]).toEqual(['to the end', true]);
  });

  it('before its length aborts it', async () => {
    const peer = await serveRecords(['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n', 'cut'], { end: true });
    const req = https.get({ ...peer.address, agent: newTlsAgent({ keepAlive: true }) });
    const { events } = record(req);
    const res = await responseTo(req);
    await expect(bytesOf(res)).rejects.toMatchObject({ code: 'ECONNRESET', message: 'aborted' });
    await until(() => events.includes('res close') && events.includes('req close'));
    expect(events).toEqual(['req socket', 'req finish', 'req response', 'res data', 'res aborted',
      'req close', 'res error ECONNRESET', 'res close']);
    expect(res.complete).toBe(false);
  });

  it('before it has begun is a hang-up', async () => {
    const peer = await serveRawTls((socket) => onRequestHead(socket, () => socket.end()));
    await expect(exchangeTls(peer.address)).rejects.toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });
  });

  it('that comes by a reset is told on the request', async () => {
    const peer = await serveTls((req) => {
      // The TCP connection below: a TLS socket cannot be reset.
      for (const socket of peer.sockets) socket.resetAndDestroy();
      req.on('error', () => {});
    });
    const req = https.get({ ...peer.address, agent: newTlsAgent() });
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('that is no HTTP is a parse error with its code', async () => {
    const peer = await serveRecords(['SSH-2.0-OpenSSH_9.9\r\n']);
    const error = await exchangeTls(peer.address).catch((reason) => reason);
    expect(error).toMatchObject({
      code: 'HPE_INVALID_CONSTANT', reason: 'Expected HTTP/, RTSP/ or ICE/',
      message: 'Parse Error: Expected HTTP/, RTSP/ or ICE/', bytesParsed: expect.any(Number),
    });
    expect(Buffer.isBuffer(error.rawPacket)).toBe(true);
  });
});

describe('calling off a request over TLS', () => {
  const serveHalf = () => serveTls((req, res) => {
    if (req.url === '/half') res.writeHead(200, { 'Content-Length': 10 }).write('half');
  });

  it.each([
    ["in its 'socket' event", '/silent', (req, end) => req.once('socket', end)],
    ['when TCP has connected', '/silent', (req, end) => req.once('socket', (socket) => socket.once('connect', end))],
    ['when TLS has', '/silent', (req, end) => req.once('socket', (socket) => socket.once('secureConnect', end))],
    ['when it is sent', '/silent', (req, end) => req.once('finish', end)],
    ['in its response', '/half', (req, end) => req.once('response', (res) => {
      res.on('error', () => {});
      res.once('data', end);
    })],
  ])('%s closes its connection', async (_when, path, reach) => {
    const peer = await serveHalf();
    const agent = newTlsAgent({ keepAlive: true });
    const req = https.get({ ...peer.address, path, agent });
    const { events } = record(req);
    req.on('error', () => {});
    reach(req, () => req.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' })));
    await until(() => events.includes('req close'));
    await until(() => peer.sockets.size === 0 && agent.totalSocketCount === 0);
    expect(events.filter((event) => event.startsWith('req error'))).toEqual(['req error ENOUGH']);
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 0, requests: 0 });
  });

  it('by a signal is an AbortError', async () => {
    const peer = await serveHalf();
    const controller = new AbortController();
    const req = https.get({ ...peer.address, agent: newTlsAgent(), signal: controller.signal });
    req.once('finish', () => controller.abort());
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
  });
});

describe('timeouts over TLS', () => {
  it.each([
    ['of the option', (options) => https.get({ ...options, timeout: 60 })],
    ['of setTimeout()', (options) => https.get(options).setTimeout(60)],
    ['of the agent', (options) => https.get({ ...options, agent: newTlsAgent({ timeout: 60 }) })],
  ])('%s run while the server is silent, and destroy nothing', async (_whose, start) => {
    const peer = await serveTls(() => {});
    const req = start({ ...peer.address, agent: newTlsAgent() });
    const { events } = record(req);
    req.on('error', () => {});
    // On a busy machine the handshake may take longer: the timeout then comes before the request is out, and again.
    await Promise.all([once(req, 'finish'), once(req, 'timeout')]);
    await quiet();
    expect(new Set(events)).toEqual(new Set(['req socket', 'req finish', 'req timeout']));
    expect(req.destroyed).toBe(false);
    req.destroy();
  });

  it('do not run while bytes flow', async () => {
    const peer = await serveTls(async (req, res) => {
      for (let i = 0; i < 10; i++) {
        res.write('x');
        await sleep(20);
      }
      res.end();
    });
    const req = https.get({ ...peer.address, agent: newTlsAgent(), timeout: 150 });
    const onTimeout = jest.fn();
    req.on('timeout', onTimeout);
    expect(String(await bytesOf(await responseTo(req)))).toBe('x'.repeat(10));
    expect(onTimeout).not.toHaveBeenCalled();
  });
});

describe('other ways of HTTP over TLS', () => {
  it("'continue' and 'information' come before the response", async () => {
    const peer = await serveTls((req, res) => {
      res.writeProcessing();
      res.writeEarlyHints({ link: '</style.css>; rel=preload' });
      req.pipe(res);
    });
    const req = https.request({
      ...peer.address, agent: newTlsAgent(), method: 'POST', headers: { Expect: '100-continue' },
    });
    const informed = [];
    req.on('information', ({ statusCode, headers }) => informed.push([statusCode, headers.link]));
    req.once('continue', () => req.end('after all'));
    expect(String(await bytesOf(await responseTo(req)))).toBe('after all');
    expect(informed).toEqual([[100, undefined], [102, undefined], [103, '</style.css>; rel=preload']]);
  });

  it("'upgrade' hands over the TLS socket with the head", async () => {
    const peer = await serveRawTls((socket) => onRequestHead(socket, () => {
      socket.removeAllListeners('data');
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhead');
      socket.pipe(socket);
    }));
    const agent = newTlsAgent({ keepAlive: true });
    const req = https.get({ ...peer.address, agent, headers: { Connection: 'Upgrade', Upgrade: 'echo' } });
    const [res, socket, head] = await once(req, 'upgrade');
    expect([res.statusCode, socket.encrypted, String(head)]).toEqual([101, true, 'head']);
    expect(agent.totalSocketCount).toBe(0);
    const sent = pseudoRandomBytes(300000);
    socket.end(sent);
    expect(sha256(await bytesOf(socket))).toBe(sha256(sent));
  });

  it('a request without an agent closes its connection', async () => {
    const peer = await serveTls((req, res) => res.end(req.headers.connection));
    const { ca } = require('../support/tls').certificates;
    const req = https.get({ ...peer.address, ca, agent: false });
    expect(String(await bytesOf(await responseTo(req)))).toBe('close');
    await until(() => peer.sockets.size === 0);
  });

  it('a HEAD response has no body, and its connection is kept', async () => {
    const peer = await serveTls((req, res) => res.writeHead(200, { 'Content-Length': 1000 }).end());
    const agent = newTlsAgent({ keepAlive: true });
    for (const reused of [false, true]) {
      const { req, res, body } = await exchangeTls({ ...peer.address, agent, method: 'HEAD' });
      expect([req.reusedSocket, res.headers['content-length'], body.length]).toEqual([reused, '1000', 0]);
      await untilIdle(agent);
    }
  });

  it('requests by the dozen share an agent, each with its own answer', async () => {
    const peer = await serveTls((req, res) => setTimeout(() => res.end(req.url), Math.random() * 10));
    const agent = newTlsAgent({ keepAlive: true, maxSockets: 4 });
    const paths = Array.from({ length: 60 }, (unused, i) => `/${i}`);
    const answers = await Promise.all(paths.map((path) => exchangeTls({ ...peer.address, agent, path })));
    expect(answers.map(({ body }) => String(body))).toEqual(paths);
  });
});
