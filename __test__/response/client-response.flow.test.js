'use strict';

/** A response comes in time, its body flows when somebody reads it, and each waits for the other. */

const { once } = require('node:events');
const { Writable, PassThrough } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { setTimeout: sleep } = require('node:timers/promises');
const {
  bytesOf, exchange, http, pseudoRandomBytes, quiet, record, responseTo, until, untilIdle,
} = require('../support');
const { describeTransports } = require('../support/transports');

const MEBIBYTE = 1 << 20;

describeTransports("'response'", (transport) => {
  it('comes once, before any part of the body, and before the server has sent any', async () => {
    let finish;
    const peer = await transport.serve((req, res) => {
      res.flushHeaders();
      finish = () => res.end('body');
    });
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    const recorder = record(req);
    const res = await responseTo(req);
    res.on('data', () => {});
    await quiet();
    expect(recorder.events).toEqual(['req socket', 'req finish', 'req response']);
    finish();
    await once(res, 'close');
    expect(recorder.events).toEqual([
      'req socket', 'req finish', 'req response', 'res data', 'res end', 'req close', 'res close',
    ]);
  });

  it('lets next ticks run before the first data that came in its segment', async () => {
    const peer = await transport.serveAnswer('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody');
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    const order = [];
    req.on('response', (res) => {
      process.nextTick(() => order.push('tick'));
      res.on('data', () => order.push('data')).on('end', () => order.push('end'));
    });
    await once(req, 'close');
    expect(order).toEqual(['tick', 'data', 'end']);
  });

  it('and each segment of data after it let next ticks and promise jobs run before the next', async () => {
    const peer = await transport.serveAnswer(['HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n', 'a', 'b', 'c']);
    const agent = await transport.agentTo(peer);
    for (let i = 0; i < 20; i++) {
      const req = http.get({ ...peer.address, agent });
      const order = [];
      const note = (what) => {
        order.push(what);
        process.nextTick(() => order.push(`tick ${what}`));
        Promise.resolve().then(() => order.push(`job ${what}`));
      };
      req.on('response', (res) => {
        note('head');
        res.on('data', (chunk) => note(String(chunk))).on('end', () => order.push('end'));
      });
      await once(req, 'close');
      expect(order.slice(0, 10)).toEqual([
        'head', 'tick head', 'job head', 'a', 'tick a', 'job a', 'b', 'tick b', 'job b', 'c',
      ]);
    }
  });

  it('lets a listener that was added in a promise job get everything', async () => {
    const body = pseudoRandomBytes(100000);
    const peer = await transport.serve((req, res) => res.end(body));
    for (let i = 0; i < 20; i++) {
      const [res] = await once(http.get({ ...peer.address, agent: await transport.agentTo(peer) }), 'response');
      await null;
      await new Promise((resolve) => { process.nextTick(resolve); });
      expect((await bytesOf(res)).equals(body)).toBe(true);
    }
  });

  it('of the next request on the connection comes after the end of the one before', async () => {
    const peer = await transport.serve((req, res) => res.end(req.url));
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const order = [];
    await Promise.all(['/1', '/2', '/3', '/4'].map(async (path) => {
      const req = http.get({ ...peer.address, agent, path });
      req.on('response', (res) => {
        order.push(`response ${path}`);
        res.on('data', (chunk) => order.push(`data ${chunk}`)).on('end', () => order.push(`end ${path}`));
      });
      await once(req, 'close');
    }));
    const each = (path) => [`response ${path}`, `data ${path}`, `end ${path}`];
    expect(order).toEqual(['/1', '/2', '/3', '/4'].flatMap(each));
    expect(peer.accepted).toHaveLength(1);
  });
});

describeTransports('a response that nobody reads yet', (transport) => {
  it.each([[0], [10], [MEBIBYTE * 3]])('keeps its %i bytes for a listener that comes later', async (size) => {
    const body = pseudoRandomBytes(size);
    const peer = await transport.serve((req, res) => res.end(body));
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    const recorder = record(req);
    const res = await responseTo(req);
    await sleep(30);
    expect(recorder.events).toEqual(['req socket', 'req finish', 'req response']);
    expect(res.readableFlowing).toBe(null);
    expect((await bytesOf(res)).equals(body)).toBe(true);
    expect(res.complete).toBe(true);
  });

  it('keeps what came although the server has closed the connection', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody';
    const peer = await transport.serveAnswer(answer, { end: true });
    const res = await responseTo(http.get({ ...peer.address, agent: await transport.agentTo(peer) }));
    await until(() => peer.accepted[0].writableFinished);
    await quiet();
    expect((await bytesOf(res)).toString()).toBe('body');
    expect(res.complete).toBe(true);
  });

  it('holds back the server', async () => {
    let sent = 0;
    const block = pseudoRandomBytes(65536);
    const total = 1024 * block.length;
    const peer = await transport.serve(async (req, res) => {
      for (; sent < total; sent += block.length) {
        if (!res.write(block)) await once(res, 'drain');
      }
      res.end();
    });
    const res = await responseTo(http.get({ ...peer.address, agent: await transport.agentTo(peer) }));
    for (let before = -1; before !== sent;) {
      before = sent;
      await quiet(30);
    }
    expect(sent).toBeLessThan(total / 2);
    expect(res.readableLength).toBeLessThan(MEBIBYTE);
    expect(res.socket.bytesRead).toBeLessThan(MEBIBYTE);
    let received = 0;
    for await (const chunk of res) received += chunk.length;
    expect(received).toBe(total);
  });

  it('is held back again by pause(), and goes on after resume()', async () => {
    const body = pseudoRandomBytes(8 * MEBIBYTE);
    const peer = await transport.serve((req, res) => res.end(body));
    const res = await responseTo(http.get({ ...peer.address, agent: await transport.agentTo(peer) }));
    const chunks = [];
    let resting = false;
    let pauses = 0;
    res.on('data', (chunk) => {
      expect(resting).toBe(false);
      chunks.push(chunk);
      if (chunks.length % 40 !== 0) return;
      pauses++;
      resting = true;
      res.pause();
      setTimeout(() => {
        resting = false;
        res.resume();
      }, 2);
    });
    await once(res, 'end');
    expect(pauses).toBeGreaterThan(1);
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
  });
});

describeTransports('a response that nobody listens for', (transport) => {
  it.each([[0], [10], [5 * MEBIBYTE]])('of %i bytes is drained, and the connection lives on', async (size) => {
    const peer = await transport.serve((req, res) => res.end(Buffer.alloc(size)));
    const agent = await transport.agentTo(peer);
    for (let i = 0; i < 3; i++) {
      const req = http.get({ ...peer.address, agent });
      await once(req, 'close');
      expect(req.reusedSocket).toBe(i > 0 || transport.isLent);
    }
    await untilIdle(agent);
    expect(peer.accepted).toHaveLength(1);
  });

  it('is drained in chunks too, with its trailers', async () => {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    const peer = await transport.serveAnswer([`${head}5\r\nhel`, 'lo\r\n0\r\nX: y\r\n\r\n']);
    const agent = await transport.agentTo(peer);
    await once(http.get({ ...peer.address, agent }), 'close');
    const { req } = await exchange({ ...peer.address, agent });
    expect(req.reusedSocket).toBe(true);
  });

  it('is not drained if someone listens and does not read: the connection stays taken', async () => {
    const peer = await transport.serve((req, res) => res.end('body'));
    const agent = await transport.agentTo(peer);
    const res = await responseTo(http.get({ ...peer.address, agent }));
    await quiet();
    expect(Object.values(agent.sockets).flat()).toHaveLength(1);
    expect(Object.values(agent.freeSockets).flat()).toHaveLength(0);
    res.resume();
    await until(() => Object.values(agent.freeSockets).flat().length === 1);
  });
});

describeTransports('a response as a Readable', (transport) => {
  const body = pseudoRandomBytes(MEBIBYTE + 1);
  const serveBody = () => transport.serve((req, res) => res.end(body));

  async function askForBody() {
    const peer = await serveBody();
    return responseTo(http.get({ ...peer.address, agent: await transport.agentTo(peer) }));
  }

  it('is an async iterable', async () => {
    const res = await askForBody();
    const chunks = [];
    for await (const chunk of res) {
      chunks.push(chunk);
      if (chunks.length % 10 === 0) await sleep(1);
    }
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
  });

  it('is destroyed by the end of its iteration, which closes the connection', async () => {
    const peer = await serveBody();
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    const res = await responseTo(req);
    const chunks = res[Symbol.asyncIterator]();
    expect((await chunks.next()).done).toBe(false);
    await chunks.return();
    await until(() => peer.sockets.size === 0 && res.destroyed);
  });

  it("gives its bytes to 'readable' and read(size)", async () => {
    const res = await askForBody();
    const chunks = [];
    res.on('readable', () => {
      for (let chunk; (chunk = res.read(1000) ?? res.read()) !== null;) chunks.push(chunk);
    });
    await once(res, 'end');
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
  });

  it('may be piped into a slow Writable', async () => {
    const res = await askForBody();
    const chunks = [];
    await pipeline(res, new PassThrough(), new Writable({
      highWaterMark: 1000,
      write(chunk, encoding, callback) {
        chunks.push(chunk);
        setImmediate(callback);
      },
    }));
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
  });

  it('decodes text, also where a character is cut by the network', async () => {
    const text = 'h\xe9llo \u20ac \u{1f600}!';
    const bytes = Buffer.from(text);
    const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
    const peer = await transport.serveAnswer((_, index) => [
      Buffer.concat([head, bytes.subarray(0, index)]), bytes.subarray(index),
    ]);
    for (let i = 0; i < bytes.length; i++) {
      const res = await responseTo(http.get({ ...peer.address, agent: await transport.agentTo(peer) }));
      res.setEncoding('utf8');
      let received = '';
      for await (const chunk of res) received += chunk;
      expect(received).toBe(text);
    }
  });

  it('gives chunks that are Buffers of their own: changing one changes no other', async () => {
    const res = await askForBody();
    const chunks = [];
    res.on('data', (chunk) => {
      expect(Buffer.isBuffer(chunk)).toBe(true);
      chunks.push(Buffer.from(chunk));
      chunk.fill(0);
    });
    await once(res, 'end');
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
  });
});
