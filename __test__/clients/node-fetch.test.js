'use strict';

/** node-fetch 2, with the module under test for what it finds as require('http'). */

const { PassThrough, Readable } = require('node:stream');
const zlib = require('node:zlib');
const {
  http, newAgent, onRequestHead, quiet, serve, serveAnswer, sendSegments, unusedPort, pseudoRandomBytes, until,
  untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');
const { https } = require('../support/tls');

jest.doMock('http', () => http);
jest.doMock('https', () => https);
const fetch = require('node-fetch');

/** Fetches from the peer with an agent that keeps connections alive. */
function fetchFrom(peer, path = '/', options = {}) {
  return fetch(`http://127.0.0.1:${peer.port}${path}`, { agent: newAgent({ keepAlive: true }), ...options });
}

it('asks for JSON by the module, and gets it', async () => {
  const { addRequest } = http.Agent.prototype;
  const classes = [];
  const agent = newAgent();
  agent.addRequest = function noting(req, ...rest) {
    classes.push(req instanceof http.ClientRequest);
    return addRequest.call(this, req, ...rest);
  };
  const peer = await serve((req, res) => res.end(JSON.stringify({ url: req.url, agent: req.headers['user-agent'] })));
  const res = await fetchFrom(peer, '/a?b', { agent });
  expect(res.ok).toBe(true);
  expect(await res.json()).toEqual({ url: '/a?b', agent: expect.stringContaining('node-fetch') });
  expect(classes).toEqual([true]);
});

it.each([
  ['a string', () => 'a body'],
  ['a Buffer', () => Buffer.from('a body')],
  ['a stream', () => Readable.from(['a ', 'body'])],
])('posts %s', async (_what, body) => {
  const peer = await serve((req, res) => req.pipe(res));
  const res = await fetchFrom(peer, '/', { method: 'POST', body: body() });
  expect(await res.text()).toBe('a body');
});

it('posts and gets five megabytes at once', async () => {
  const bytes = pseudoRandomBytes(5_000_000);
  const peer = await serve((req, res) => req.pipe(res));
  const body = Readable.from([bytes.subarray(0, 99), bytes.subarray(99)]);
  const res = await fetchFrom(peer, '/', { method: 'POST', body });
  expect((await res.buffer()).equals(bytes)).toBe(true);
});

it('decompresses gzip, deflate and brotli', async () => {
  const codings = { gzip: zlib.gzipSync, deflate: zlib.deflateSync, br: zlib.brotliCompressSync };
  const peer = await serve((req, res) => {
    const coding = req.url.slice(1);
    res.setHeader('Content-Encoding', coding);
    res.end(codings[coding]('compressed'));
  });
  for (const coding of Object.keys(codings)) {
    expect(await (await fetchFrom(peer, `/${coding}`)).text()).toBe('compressed');
  }
});

it('follows redirects', async () => {
  const peer = await serve((req, res) => {
    if (req.url === '/end') res.end(req.method);
    else res.writeHead(req.url === '/see' ? 303 : 307, { Location: '/end' }).end();
  });
  const see = await fetchFrom(peer, '/see', { method: 'POST', body: 'x' });
  expect(await see.text()).toBe('GET');
  expect(see.redirected).toBe(true);
  const keep = await fetchFrom(peer, '/keep', { method: 'POST', body: 'x' });
  expect(await keep.text()).toBe('POST');
});

it('uses a connection again, over chunked responses too', async () => {
  const peer = await serve((req, res) => {
    res.write('chunked, ');
    res.end('and whole');
  });
  const agent = newAgent({ keepAlive: true });
  for (let i = 0; i < 10; i++) expect(await (await fetchFrom(peer, '/', { agent })).text()).toBe('chunked, and whole');
  expect(peer.accepted.length).toBe(1);
});

// node-fetch tells a cut body from a whole one by the 'data' listeners of the socket when its response has closed.
describeTransports('a chunked body', (transport) => {
  const urlOf = ({ address: { host, port } }) => `${transport.isTls ? 'https' : 'http'}://${host}:${port}/`;

  it.each([[true], [false]])('is whole also when it is read after it has come (keepAlive: %p)', async (keepAlive) => {
    if (transport.isLent && !keepAlive) return;
    const sent = [];
    const peer = await transport.serve((req, res) => {
      res.write('chunked, ');
      setImmediate(() => res.end('and whole', () => sent.push(req.url)));
    });
    const agent = await transport.agentTo(peer, { keepAlive });
    for (let i = 1; i <= 4; i++) {
      const res = await fetch(urlOf(peer), { agent });
      await until(() => sent.length === i);
      await quiet(5);
      expect(await res.text()).toBe('chunked, and whole');
    }
    const all = Array.from({ length: 20 }, async () => (await fetch(urlOf(peer), { agent })).text());
    expect(new Set(await Promise.all(all))).toEqual(new Set(['chunked, and whole']));
  });

  it('that is cut short is rejected', async () => {
    const peer = await transport.serveRaw((socket) => {
      onRequestHead(socket, async () => {
        await sendSegments(socket, ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '5\r\nhello\r\n']);
        socket.end();
      });
    });
    const res = await fetch(urlOf(peer), { agent: await transport.agentTo(peer) });
    await expect(res.text()).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });
});

it('rejects with an AbortError: before the response, and in its body', async () => {
  const asked = [];
  const peer = await serve((req, res) => {
    asked.push(req.url);
    if (req.url === '/half') res.write('half');
  });
  const agent = newAgent({ keepAlive: true });
  const early = new AbortController();
  const silent = expect(fetchFrom(peer, '/silent', { agent, signal: early.signal }))
    .rejects.toMatchObject({ name: 'AbortError' });
  await until(() => asked.includes('/silent'));
  early.abort();
  await silent;

  const late = new AbortController();
  const res = await fetchFrom(peer, '/half', { agent, signal: late.signal });
  const text = expect(res.text()).rejects.toMatchObject({ name: 'AbortError' });
  late.abort();
  await text;
  await untilPoolIsEmpty(agent);
});

it('rejects with a FetchError after its timeout', async () => {
  const peer = await serve(() => {});
  const agent = newAgent({ keepAlive: true });
  await expect(fetchFrom(peer, '/', { agent, timeout: 50 }))
    .rejects.toMatchObject({ name: 'FetchError', type: 'request-timeout' });
  await untilPoolIsEmpty(agent);
});

it('rejects with the code of a connection that fails', async () => {
  const port = await unusedPort();
  await expect(fetchFrom({ port })).rejects.toMatchObject({ name: 'FetchError', type: 'system', code: 'ECONNREFUSED' });
  const garbage = await serveAnswer('not HTTP\r\n\r\n');
  await expect(fetchFrom(garbage)).rejects.toMatchObject({ code: 'HPE_INVALID_CONSTANT' });
});

it('gives its body as a stream under back-pressure', async () => {
  const bytes = pseudoRandomBytes(3_000_000);
  const peer = await serve((req, res) => res.end(bytes));
  const res = await fetchFrom(peer);
  const chunks = [];
  for await (const chunk of res.body.pipe(new PassThrough({ highWaterMark: 1000 }))) chunks.push(chunk);
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
});
