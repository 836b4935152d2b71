'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { once } = require('node:events');
const {
  http, newAgent, exchange, responseTo, bytesOf, poolOf, untilIdle, untilPoolIsEmpty, until, turnOfEventLoop,
} = require('../support');
const { sha256 } = require('../support/bytes');
const { describeNginx, startNginx, writeFile } = require('../support/nginx');

const MIB = 1024 * 1024;
const SIZES = [0, 1, 1023, 4096, 65_535, 65_536, 65_537, MIB + 1, 8 * MIB, 64 * MIB];

let nginx;
const hashes = {};

beforeAll(async () => {
  nginx = await startNginx(`
    location /five/ { alias files/; keepalive_requests 5; }
    location /brief/ { alias files/; keepalive_timeout 60ms; }
    location /closing/ { alias files/; keepalive_timeout 0; }
    location /slow/ { alias files/; limit_rate 60k; }
    location /gzip/ { alias files/; gzip on; gzip_types *; gzip_min_length 1; }
    location /trailers/ { alias files/; add_trailer X-Trailed $request_id; add_header X-Request $request_id; }
    location /ssi/ { alias files/; ssi on; ssi_types *; }
    location /nothing { return 204; }
    location /hang-up { return 444; }
    location /text { return 200 "hello\\n"; }
    location /moved { return 301 /text; }
  `);
  for (const size of SIZES) hashes[size] = writeFile(nginx, String(size), size);
  fs.writeFileSync(path.join(nginx.folder, 'files', 'words'), 'a line of words\n'.repeat(20_000));
});

afterAll(() => nginx?.stop());

/** @returns {Promise<string>} the SHA-256 of a body that is not kept in memory */
async function hashOf(res) {
  const hash = createHash('sha256');
  for await (const chunk of res) hash.update(chunk);
  return hash.digest('hex');
}

describeNginx('a file of nginx', () => {
  it.each(SIZES)('of %i bytes comes whole, and the connection is used again', async (size) => {
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 2; i++) {
      const req = http.get({ ...nginx.address, agent, path: `/${size}` });
      const res = await responseTo(req);
      expect(res.headers['content-length']).toBe(String(size));
      expect(await hashOf(res)).toBe(hashes[size]);
      expect(res.complete).toBe(true);
      expect(req.reusedSocket).toBe(i === 1);
      await untilIdle(agent);
    }
  });

  it('comes over a Unix domain socket too', async () => {
    const res = await responseTo(http.get({ socketPath: nginx.socketPath, agent: newAgent(), path: `/${8 * MIB}` }));
    expect(await hashOf(res)).toBe(hashes[8 * MIB]);
  });

  it('is told of by HEAD, without a body', async () => {
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 3; i++) {
      const { req, res, body } = await exchange({ ...nginx.address, agent, method: 'HEAD', path: `/${64 * MIB}` });
      expect(res.headers['content-length']).toBe(String(64 * MIB));
      expect(body).toHaveLength(0);
      expect(req.reusedSocket).toBe(i > 0);
    }
  });

  it('can be had in part', async () => {
    const { res, body } = await exchange({
      ...nginx.address, agent: newAgent(), path: `/${MIB + 1}`, headers: { Range: 'bytes=1000-1999' },
    });
    expect(res.statusCode).toBe(206);
    expect(res.headers['content-range']).toBe(`bytes 1000-1999/${MIB + 1}`);
    const file = fs.readFileSync(path.join(nginx.folder, 'files', String(MIB + 1)));
    expect(body.equals(file.subarray(1000, 2000))).toBe(true);
  });

  it('that has not changed is a 304 without a body', async () => {
    const agent = newAgent({ keepAlive: true });
    const { res } = await exchange({ ...nginx.address, agent, path: '/4096' });
    const headers = { 'If-None-Match': res.headers.etag };
    for (let i = 0; i < 3; i++) {
      const answer = await exchange({ ...nginx.address, agent, path: '/4096', headers });
      expect(answer.res.statusCode).toBe(304);
      expect(answer.body).toHaveLength(0);
      expect(answer.req.reusedSocket).toBe(true);
    }
  });

  it('that is not there is a 404 with a page, and the connection is used again', async () => {
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 3; i++) {
      const { req, res, body } = await exchange({ ...nginx.address, agent, path: '/not-there' });
      expect(res.statusCode).toBe(404);
      expect(body.toString()).toContain('404 Not Found');
      expect(req.reusedSocket).toBe(i > 0);
    }
  });

  it('is one of 400 over 8 connections, each with its own bytes', async () => {
    const agent = newAgent({ keepAlive: true, maxSockets: 8 });
    const { accepted } = await nginx.status();
    const sizes = Array.from({ length: 400 }, (_, index) => SIZES[index % 7]);
    const seen = await Promise.all(sizes.map(async (size) => (
      hashOf(await responseTo(http.get({ ...nginx.address, agent, path: `/${size}` }))))));
    expect(seen).toEqual(sizes.map((size) => hashes[size]));
    await untilIdle(agent);
    expect(poolOf(agent).freeSockets).toBe(8);
    // The one more asks for the status.
    expect((await nginx.status()).accepted - accepted).toBe(9);
  });
});

describeNginx('a chunked response of nginx', () => {
  it('has its trailers', async () => {
    const agent = newAgent({ keepAlive: true });
    for (const size of [0, 4096, 8 * MIB]) {
      const res = await responseTo(http.get({ ...nginx.address, agent, path: `/trailers/${size}` }));
      expect(res.headers['transfer-encoding']).toBe('chunked');
      expect(await hashOf(res)).toBe(hashes[size]);
      expect(res.trailers['x-trailed']).toMatch(/^[0-9a-f]{32}$/);
      expect(res.trailers['x-trailed']).toBe(res.headers['x-request']);
    }
    expect(poolOf(agent).freeSockets + poolOf(agent).sockets).toBe(1);
  });

  it('is compressed byte for byte', async () => {
    const { res, body } = await exchange({
      ...nginx.address, agent: newAgent(), path: '/gzip/words', headers: { 'Accept-Encoding': 'gzip' },
    });
    expect(res.headers).toMatchObject({ 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' });
    expect(zlib.gunzipSync(body).toString()).toBe('a line of words\n'.repeat(20_000));
  });

  it('is made by server-side includes', async () => {
    const { res, body } = await exchange({ ...nginx.address, agent: newAgent(), path: '/ssi/words' });
    expect(res.headers['transfer-encoding']).toBe('chunked');
    expect(sha256(body)).toBe(sha256(Buffer.from('a line of words\n'.repeat(20_000))));
  });
});

describeNginx('nginx ends connections', () => {
  it('after keepalive_requests, and nobody notices', async () => {
    const agent = newAgent({ keepAlive: true, maxSockets: 1 });
    const { accepted } = await nginx.status();
    const reused = [];
    for (let i = 0; i < 23; i++) {
      const { req, body } = await exchange({ ...nginx.address, agent, path: '/five/1023' });
      expect(sha256(body)).toBe(hashes[1023]);
      reused.push(req.reusedSocket);
    }
    expect(reused).toEqual(Array.from({ length: 23 }, (_, index) => index % 5 !== 0));
    expect((await nginx.status()).accepted - accepted).toBe(6);
  });

  it('after keepalive_requests, under many requests at once', async () => {
    const agent = newAgent({ keepAlive: true, maxSockets: 6 });
    const bodies = await Promise.all(Array.from({ length: 200 }, async () => (
      sha256((await exchange({ ...nginx.address, agent, path: '/five/4096' })).body))));
    expect(new Set(bodies)).toEqual(new Set([hashes[4096]]));
  });

  it('after keepalive_timeout: they leave the pool, and the next request has a new one', async () => {
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 4; i++) {
      const { req } = await exchange({ ...nginx.address, agent, path: '/brief/1' });
      expect(req.reusedSocket).toBe(false);
      await untilPoolIsEmpty(agent);
    }
  });

  it('after each response, if it is told so', async () => {
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 3; i++) {
      const { res, body } = await exchange({ ...nginx.address, agent, path: `/closing/${MIB + 1}` });
      expect(res.headers.connection).toBe('close');
      expect(sha256(body)).toBe(hashes[MIB + 1]);
      await untilPoolIsEmpty(agent);
    }
  });

  it('without a response: socket hang up', async () => {
    const agent = newAgent({ keepAlive: true });
    await expect(exchange({ ...nginx.address, agent, path: '/hang-up' })).rejects.toMatchObject(
      { code: 'ECONNRESET', message: 'socket hang up' });
    await untilPoolIsEmpty(agent);
  });
});

describeNginx('what nginx answers without a file', () => {
  it.each([
    ['/nothing', 204, ''],
    ['/text', 200, 'hello\n'],
    ['/moved', 301, expect.stringContaining('301 Moved')],
  ])('%s is %i, again and again', async (target, status, expected) => {
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 3; i++) {
      const { req, res, body } = await exchange({ ...nginx.address, agent, path: target });
      expect(res.statusCode).toBe(status);
      expect(body.toString()).toEqual(expected);
      expect(req.reusedSocket).toBe(i > 0);
    }
  });
});

describeNginx('a download', () => {
  it('that nginx slows down comes late, and whole', async () => {
    const res = await responseTo(http.get({ ...nginx.address, agent: newAgent(), path: '/slow/65537' }));
    const began = performance.now();
    expect(await hashOf(res)).toBe(hashes[65_537]);
    // 60 KiB of the 64 at once, the others when the second is nearly over.
    expect(performance.now() - began).toBeGreaterThan(300);
  });

  it('that is not read waits in nginx, and goes on', async () => {
    const res = await responseTo(http.get({ ...nginx.address, agent: newAgent(), path: `/${64 * MIB}` }));
    const hash = createHash('sha256');
    let pauses = 0;
    res.on('data', (chunk) => {
      hash.update(chunk);
      if (++pauses > 50) return;
      res.pause();
      setTimeout(() => res.resume(), 1);
    });
    await once(res, 'end');
    expect(pauses).toBeGreaterThan(50);
    expect(hash.digest('hex')).toBe(hashes[64 * MIB]);
  });

  it.each([
    ['by the request', (req) => req.destroy()],
    ['by the response', (_req, res) => res.destroy()],
    ['by the socket', (req) => req.socket.destroy()],
  ])('can be given up at any moment %s: the connection is closed at both ends', async (_how, giveUp) => {
    const agent = newAgent({ keepAlive: true, maxSockets: 4 });
    const downloads = Array.from({ length: 12 }, async (_, index) => {
      const req = http.get({ ...nginx.address, agent, path: `/${64 * MIB}` });
      req.on('error', () => {});
      const res = await responseTo(req);
      res.on('error', () => {});
      let left = index * 100_000;
      for await (const chunk of res) {
        left -= chunk.length;
        if (left <= 0) break;
      }
      giveUp(req, res);
      await turnOfEventLoop();
    });
    await Promise.all(downloads);
    await untilPoolIsEmpty(agent);
    // Itself alone: it is asked for its status.
    await until(async () => (await nginx.status()).active === 1);
    expect(sha256((await exchange({ ...nginx.address, agent, path: '/1023' })).body)).toBe(hashes[1023]);
  });

  it('that nobody listens to is drained', async () => {
    const agent = newAgent({ keepAlive: true });
    http.get({ ...nginx.address, agent, path: `/${8 * MIB}` });
    await until(() => poolOf(agent).freeSockets === 1);
    const res = await responseTo(http.get({ ...nginx.address, agent, path: '/1' }));
    expect(await bytesOf(res)).toHaveLength(1);
  });
});
