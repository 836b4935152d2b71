'use strict';

const { once } = require('node:events');
const fs = require('node:fs');
const nodeHttp = require('node:http');
const path = require('node:path');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const {
  http, newAgent, exchange, responseTo, bytesOf, untilIdle, untilPoolIsEmpty, poolOf, record,
} = require('../support');
const { pseudoRandomFile, sha256 } = require('../support/bytes');
const { describeNginx, itNginx, startNginx } = require('../support/nginx');

const MIB = 1024 * 1024;

let nginx;
let origin;

/** Answers behind nginx: tells what came, or gives it back. */
async function answerBehind(req, res) {
  const body = Buffer.concat(await req.toArray());
  if (req.url.endsWith('/echo')) res.end(body);
  else res.end(JSON.stringify({ method: req.method, headers: req.headers, length: body.length, hash: sha256(body) }));
}

beforeAll(async () => {
  // A request that is given up rejects there.
  origin = nodeHttp.createServer((req, res) => answerBehind(req, res).catch(() => res.destroy()));
  origin.on('upgrade', (req, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise((resolve) => { origin.listen(0, '127.0.0.1', resolve); });
  const upstream = `http://127.0.0.1:${origin.address().port}`;
  nginx = await startNginx(`
    client_max_body_size 100m;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location /buffered/ { proxy_pass ${upstream}; }
    location /streamed/ { proxy_pass ${upstream}; proxy_request_buffering off; proxy_buffering off; }
    location /upgraded/ {
      proxy_pass ${upstream};
      proxy_set_header Connection Upgrade;
      proxy_set_header Upgrade $http_upgrade;
    }
    location /dav/ { dav_methods PUT DELETE MOVE; create_full_put_path on; }
    location /small/ { client_max_body_size 1m; proxy_pass ${upstream}; }
    location /dead/ { proxy_pass http://127.0.0.1:1; }
  `);
});

afterAll(async () => {
  await nginx?.stop();
  origin.closeAllConnections();
  await new Promise((resolve) => { origin.close(resolve); });
});

describeNginx.each(['buffered', 'streamed'])('a request body that nginx proxies, %s', (kind) => {
  it.each([0, 1, 65_536, MIB + 1, 24 * MIB])('arrives whole with Content-Length: %i bytes', async (size) => {
    const sent = pseudoRandomFile(size);
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 2; i++) {
      const { req, body } = await exchange({
        ...nginx.address, agent, path: `/${kind}/`, method: 'POST', body: sent, headers: { 'Content-Length': size },
      });
      expect(JSON.parse(body)).toMatchObject({ method: 'POST', length: size, hash: sha256(sent) });
      expect(req.reusedSocket).toBe(i === 1);
    }
  });

  it.each([1, 65_537, 24 * MIB])('arrives whole in chunks, piped: %i bytes', async (size) => {
    const sent = pseudoRandomFile(size);
    const agent = newAgent({ keepAlive: true });
    const req = http.request({ ...nginx.address, agent, path: `/${kind}/`, method: 'PUT' });
    const response = responseTo(req);
    const pieces = function* pieces() {
      for (let at = 0; at < size; at += 100_000) yield sent.subarray(at, at + 100_000);
    };
    await pipeline(Readable.from(pieces()), req);
    const told = JSON.parse(await bytesOf(await response));
    expect(told).toMatchObject({ method: 'PUT', length: size, hash: sha256(sent) });
    await untilIdle(agent);
    expect(poolOf(agent).freeSockets).toBe(1);
  });

  it('waits for 100 Continue, which nginx sends', async () => {
    const sent = pseudoRandomFile(MIB);
    const req = http.request({
      ...nginx.address, agent: newAgent(), path: `/${kind}/`, method: 'POST', headers: { Expect: '100-continue' },
    });
    const response = responseTo(req);
    req.flushHeaders();
    await once(req, 'continue');
    req.end(sent);
    expect(JSON.parse(await bytesOf(await response))).toMatchObject({ length: MIB, hash: sha256(sent) });
  });

  it('of 60 requests at once over 5 connections is each one\'s own', async () => {
    const agent = newAgent({ keepAlive: true, maxSockets: 5 });
    const bodies = Array.from({ length: 60 }, (_, index) => pseudoRandomFile(1 + index * 3001));
    const told = await Promise.all(bodies.map(async (body) => JSON.parse(
      (await exchange({ ...nginx.address, agent, path: `/${kind}/`, method: 'POST', body })).body)));
    expect(told.map(({ hash }) => hash)).toEqual(bodies.map(sha256));
  });
});

describeNginx('an upload', () => {
  it('comes back whole', async () => {
    const sent = pseudoRandomFile(6 * MIB);
    const req = http.request({ ...nginx.address, agent: newAgent(), path: '/buffered/echo', method: 'POST' });
    const echoed = responseTo(req).then(bytesOf);
    await pipeline(Readable.from([sent.subarray(0, MIB), sent.subarray(MIB)]), req);
    expect(sha256(await echoed)).toBe(sha256(sent));
  });

  it('lands on disk byte for byte, and can be moved and deleted', async () => {
    const agent = newAgent({ keepAlive: true });
    const sent = pseudoRandomFile(16 * MIB);
    const put = await exchange({ ...nginx.address, agent, method: 'PUT', path: '/dav/a/file', body: sent });
    expect(put.res.statusCode).toBe(201);
    const file = path.join(nginx.folder, 'files/dav/a/file');
    expect(sha256(fs.readFileSync(file))).toBe(sha256(sent));

    const headers = { Destination: `http://${nginx.address.host}/dav/a/moved` };
    const move = await exchange({ ...nginx.address, agent, method: 'MOVE', path: '/dav/a/file', headers });
    expect(move.res.statusCode).toBe(204);
    const { res } = await exchange({ ...nginx.address, agent, method: 'DELETE', path: '/dav/a/moved' });
    expect(res.statusCode).toBe(204);
    expect(fs.readdirSync(path.dirname(file))).toEqual([]);
  });

  it('that is too large by its Content-Length is answered before it is sent', async () => {
    const agent = newAgent({ keepAlive: true });
    const req = http.request({
      ...nginx.address, agent, method: 'POST', path: '/small/', headers: { 'Content-Length': 8 * MIB },
    });
    req.flushHeaders();
    const res = await responseTo(req);
    expect(res.statusCode).toBe(413);
    req.on('error', () => {});
    res.resume();
    await untilPoolIsEmpty(agent);
  });

  it('that becomes too large in chunks is answered while it is sent', async () => {
    const agent = newAgent({ keepAlive: true });
    const req = http.request({ ...nginx.address, agent, method: 'POST', path: '/small/' });
    const { events } = record(req);
    const chunk = Buffer.alloc(100_000);
    req.on('error', () => {});
    const pump = () => {
      while (!req.destroyed && !events.includes('req response') && req.write(chunk)) { /* until it is full */ }
    };
    req.on('drain', pump);
    pump();
    const res = await responseTo(req);
    expect(res.statusCode).toBe(413);
    res.resume();
    await untilPoolIsEmpty(agent);
  });

  it('that is given up in the middle closes the connection', async () => {
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 10; i++) {
      const req = http.request({ ...nginx.address, agent, method: 'POST', path: '/streamed/' });
      req.on('error', () => {});
      const closed = new Promise((resolve) => { req.on('close', resolve); });
      await new Promise((resolve) => { req.write(Buffer.alloc(50_000 * (i + 1)), resolve); });
      req.destroy();
      await closed;
    }
    await untilPoolIsEmpty(agent);
    const { body } = await exchange({ ...nginx.address, agent, method: 'POST', path: '/streamed/', body: 'x' });
    expect(JSON.parse(body).length).toBe(1);
  });
});

describeNginx('what nginx says of a request', () => {
  it('502 when nobody is behind it, and the connection is used again', async () => {
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 3; i++) {
      const { req, res } = await exchange({ ...nginx.address, agent, path: '/dead/' });
      expect(res.statusCode).toBe(502);
      expect(req.reusedSocket).toBe(i > 0);
    }
  });

  it('400 when the header is too large, and the connection is closed', async () => {
    const agent = newAgent({ keepAlive: true });
    const headers = { X: 'x'.repeat(40_000) };
    const { res, body } = await exchange({ ...nginx.address, agent, path: '/', headers });
    expect(res.statusCode).toBe(400);
    expect(body.toString()).toContain('Request Header Or Cookie Too Large');
    await untilPoolIsEmpty(agent);
  });

  it('405 for a method it does not allow', async () => {
    fs.writeFileSync(path.join(nginx.folder, 'files/file'), 'x');
    const { res } = await exchange({ ...nginx.address, agent: newAgent(), method: 'POST', path: '/file', body: 'x' });
    expect(res.statusCode).toBe(405);
  });
});

itNginx('an upgrade goes through nginx, and is a byte stream both ways', async () => {
  const req = http.get({
    ...nginx.address, agent: newAgent(), path: '/upgraded/', headers: { Connection: 'Upgrade', Upgrade: 'echo' },
  });
  const [res, socket, head] = await once(req, 'upgrade');
  expect(res.statusCode).toBe(101);
  const sent = pseudoRandomFile(3 * MIB);
  let received = [head];
  socket.on('data', (chunk) => received.push(chunk));
  await pipeline(Readable.from([sent.subarray(0, 1000), sent.subarray(1000)]), socket, { end: false });
  while (Buffer.concat(received).length < sent.length) await once(socket, 'data');
  received = Buffer.concat(received);
  expect(sha256(received)).toBe(sha256(sent));
  socket.destroy();
});
