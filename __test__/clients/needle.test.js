'use strict';

/** needle, with the module under test for what it finds as require('http'). */

const { Readable } = require('node:stream');
const zlib = require('node:zlib');
const {
  http, newAgent, serve, serveRaw, unusedPort, pseudoRandomBytes, untilPoolIsEmpty, bytesOf,
} = require('../support');

jest.doMock('http', () => http);
const needle = require('needle');

const urlOf = (peer, path = '/') => `http://127.0.0.1:${peer.port}${path}`;

async function mirror(req, res) {
  const body = Buffer.concat(await req.toArray()).toString('latin1');
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, body }));
}

it('gets JSON by the module', async () => {
  const peer = await serve(mirror);
  const res = await needle('get', urlOf(peer, '/a'), { agent: newAgent() });
  expect(res.req).toBeInstanceOf(http.ClientRequest);
  expect(res.body).toMatchObject({ method: 'GET', url: '/a' });
});

it('posts forms, JSON, multipart and streams', async () => {
  const peer = await serve(mirror);
  const agent = newAgent({ keepAlive: true });
  const post = async (data, options) => (await needle('post', urlOf(peer), data, { agent, ...options })).body;
  expect((await post({ a: 'b c' })).body).toBe('a=b%20c');
  expect((await post({ a: 1 }, { json: true })).body).toBe('{"a":1}');
  const parts = { file: { buffer: Buffer.alloc(50_000, 'x'), filename: 'x', content_type: 'text/plain' } };
  expect((await post(parts, { multipart: true })).body.length).toBeGreaterThan(50_000);
  expect((await post(Readable.from([Buffer.from('a '), Buffer.from('stream')]))).body).toBe('a stream');
  expect(peer.accepted.length).toBe(1);
});

it('streams three megabytes', async () => {
  const bytes = pseudoRandomBytes(3_000_000);
  const peer = await serve((req, res) => res.end(bytes));
  const stream = needle.get(urlOf(peer), { agent: newAgent(), parse: false });
  expect((await bytesOf(stream)).equals(bytes)).toBe(true);
});

it('decompresses and follows redirects', async () => {
  const peer = await serve((req, res) => {
    if (req.url !== '/end') {
      res.writeHead(302, { Location: '/end' }).end();
      return;
    }
    res.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Type': 'text/plain' });
    res.end(zlib.gzipSync('compressed'));
  });
  const res = await needle('get', urlOf(peer), { agent: newAgent(), compressed: true, follow_max: 2 });
  expect(res.body.toString()).toBe('compressed');
});

it.each([
  ['open_timeout', 'ECONNRESET'],
  ['response_timeout', 'ECONNRESET'],
])('gives up after %s', async (option, code) => {
  const peer = await serve(() => {});
  const agent = newAgent({ keepAlive: true });
  // open_timeout counts to the connection, which this server gives: only the others end such a request.
  const options = { agent, open_timeout: 1000, response_timeout: 1000, [option]: 50 };
  if (option === 'open_timeout') options.response_timeout = 50;
  await expect(needle('get', urlOf(peer), options)).rejects.toMatchObject({ code });
  await untilPoolIsEmpty(agent);
});

it('gives up after read_timeout in the middle of a body', async () => {
  const peer = await serve((req, res) => res.write('half'));
  const agent = newAgent({ keepAlive: true });
  await expect(needle('get', urlOf(peer), { agent, read_timeout: 50 })).rejects.toThrow('read timeout');
  await untilPoolIsEmpty(agent);
});

it('rejects with the code of a connection that fails', async () => {
  const port = await unusedPort();
  await expect(needle('get', urlOf({ port }), { agent: newAgent() }))
    .rejects.toMatchObject({ code: 'ECONNREFUSED', port });
  const peer = await serveRaw((socket) => socket.once('data', () => socket.end()));
  await expect(needle('get', urlOf(peer), { agent: newAgent() })).rejects.toMatchObject({ code: 'ECONNRESET' });
});
