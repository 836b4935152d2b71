'use strict';

/** superagent, whose table of protocols can be given another module. */

const { PassThrough, Readable } = require('node:stream');
const zlib = require('node:zlib');
const {
  http, newAgent, serve, serveRaw, unusedPort, pseudoRandomBytes, untilPoolIsEmpty, bytesOf, until,
} = require('../support');

const superagent = require('superagent');

superagent.protocols['http:'] = http;

const urlOf = (peer, path = '/') => `http://127.0.0.1:${peer.port}${path}`;

async function mirror(req, res) {
  const body = Buffer.concat(await req.toArray()).toString('latin1');
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, body }));
}

it('gets by the module, with a query', async () => {
  const peer = await serve(mirror);
  const request = superagent.get(urlOf(peer)).query({ a: 'b', c: ['d', 'e'] });
  const { body } = await request;
  expect(request.req).toBeInstanceOf(http.ClientRequest);
  expect(body.url).toBe('/?a=b&c=d&c=e');
});

it('posts JSON, a form, and files', async () => {
  const peer = await serve(mirror);
  expect((await superagent.post(urlOf(peer)).send({ a: 1 })).body).toMatchObject({ method: 'POST', body: '{"a":1}' });
  expect((await superagent.put(urlOf(peer)).type('form').send({ a: 'b c' })).body.body).toBe('a=b%20c');
  const { body } = await superagent.post(urlOf(peer))
    .field('name', 'value').attach('file', Buffer.alloc(200_000, 'x'), 'x.txt');
  expect(body.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
  expect(body.body.length).toBeGreaterThan(200_000);
});

it('pipes a response out and a stream in', async () => {
  const bytes = pseudoRandomBytes(2_000_000);
  const received = [];
  const peer = await serve(async (req, res) => {
    received.push(Buffer.concat(await req.toArray()));
    res.end(bytes);
  });
  const out = superagent.get(urlOf(peer)).pipe(new PassThrough());
  expect((await bytesOf(out)).equals(bytes)).toBe(true);

  const request = superagent.post(urlOf(peer));
  const answered = new Promise((resolve, reject) => { request.on('response', resolve).on('error', reject); });
  Readable.from([bytes.subarray(0, 99), bytes.subarray(99)]).pipe(request);
  expect((await answered).status).toBe(200);
  expect(received[1].equals(bytes)).toBe(true);
});

it('buffers and decompresses', async () => {
  const peer = await serve((req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' });
    res.end(zlib.gzipSync('compressed '.repeat(1000)));
  });
  expect((await superagent.get(urlOf(peer))).text).toBe('compressed '.repeat(1000));
});

it('follows redirects and keeps cookies', async () => {
  const peer = await serve((req, res) => {
    if (req.url === '/end') mirror(req, res);
    else res.writeHead(302, { Location: '/end', 'Set-Cookie': 'a=b; Path=/' }).end();
  });
  const agent = superagent.agent();
  const res = await agent.get(urlOf(peer));
  expect(res.redirects).toEqual([urlOf(peer, '/end')]);
  expect(res.body.headers.cookie).toBe('a=b');
});

it('uses a connection of its agent again', async () => {
  const peer = await serve(mirror);
  const agent = newAgent({ keepAlive: true });
  for (let i = 0; i < 5; i++) await superagent.post(urlOf(peer)).agent(agent).send({ i });
  expect(peer.accepted.length).toBe(1);
});

it('rejects for a status of 5xx, with the response', async () => {
  const peer = await serve((req, res) => res.writeHead(500).end('broken'));
  await expect(superagent.get(urlOf(peer))).rejects.toMatchObject({ status: 500, response: { text: 'broken' } });
});

it('tries again when a connection breaks', async () => {
  const peer = await serveRaw((socket, index) => {
    socket.once('data', () => {
      if (index < 2) socket.resetAndDestroy();
      else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok');
    });
  });
  expect((await superagent.get(urlOf(peer)).agent(newAgent()).retry(3)).text).toBe('ok');
  expect(peer.accepted.length).toBe(3);
});

it('gives up after its timeouts', async () => {
  const agent = newAgent({ keepAlive: true });
  const silent = await serve(() => {});
  await expect(superagent.get(urlOf(silent)).agent(agent).timeout({ response: 50 })).rejects.toMatchObject({
    code: 'ECONNABORTED', errno: 'ETIMEDOUT',
  });
  const endless = await serve((req, res) => {
    const timer = setInterval(() => res.write('x'), 5);
    res.on('close', () => clearInterval(timer));
  });
  await expect(superagent.get(urlOf(endless)).agent(agent).timeout({ deadline: 100 })).rejects.toMatchObject({
    code: 'ECONNABORTED', errno: 'ETIME',
  });
  await untilPoolIsEmpty(agent);
});

it('can be aborted', async () => {
  const asked = [];
  const peer = await serve((req) => asked.push(req.url));
  const agent = newAgent({ keepAlive: true });
  const request = superagent.get(urlOf(peer)).agent(agent);
  const aborted = expect(request).rejects.toMatchObject({ code: 'ABORTED' });
  await until(() => asked.length === 1);
  request.abort();
  await aborted;
  await untilPoolIsEmpty(agent);
});

it('rejects with the code of a connection that fails', async () => {
  const port = await unusedPort();
  await expect(superagent.get(urlOf({ port }))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
