'use strict';

/** axios, told by its `transport` or by what it finds for require('http') which module makes its requests. */

const { Readable } = require('node:stream');
const zlib = require('node:zlib');
const {
  http, newAgent, serve, serveRaw, serveAnswer, socketPath, unusedPort, bytesOf, pseudoRandomBytes, until,
  untilPoolIsEmpty,
  poolOf,
} = require('../support');

jest.doMock('http', () => http);
const axios = require('axios');
const FormData = require('form-data');

/** Mirrors a request as JSON. */
async function mirror(req, res) {
  const body = Buffer.concat(await req.toArray()).toString('latin1');
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, body }));
}

describe.each([
  ['with transport', { transport: http, maxRedirects: 0 }],
  ['with follow-redirects', {}],
])('axios %s', (_name, options) => {
  /** @returns an axios instance whose requests go to the peer */
  function clientFor(peer, more) {
    return axios.create({
      baseURL: `http://127.0.0.1:${peer.port}`, httpAgent: newAgent({ keepAlive: true }), proxy: false, ...options, ...more,
    });
  }

  it('makes its requests by the module', async () => {
    const client = clientFor(await serve(mirror));
    const { data, request } = await client.get('/a?b=c');
    expect(data).toMatchObject({ method: 'GET', url: '/a?b=c' });
    expect(request).toBeInstanceOf(http.ClientRequest);
  });

  it('posts JSON', async () => {
    const { data, status } = await clientFor(await serve(mirror)).post('/', { a: [1, 'é'] });
    expect(status).toBe(200);
    expect(Buffer.from(data.body, 'latin1').toString()).toBe('{"a":[1,"é"]}');
    expect(data.headers['content-type']).toBe('application/json');
  });

  it('uploads a stream and a form', async () => {
    const client = clientFor(await serve(mirror));
    const chunks = ['one ', 'two ', 'three'];
    const streamed = await client.put('/', Readable.from(chunks), { headers: { 'Content-Type': 'text/plain' } });
    expect(streamed.data).toMatchObject({ body: 'one two three', headers: { 'transfer-encoding': 'chunked' } });
    const form = new FormData();
    form.append('field', 'value');
    form.append('file', Buffer.alloc(100_000, 'x'), { filename: 'x.txt' });
    const { data } = await client.post('/', form);
    expect(data.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
    expect(data.body).toContain('name="file"; filename="x.txt"');
    expect(data.body.length).toBeGreaterThan(100_000);
  });

  it('downloads a buffer and a stream of five megabytes', async () => {
    const bytes = pseudoRandomBytes(5_000_000);
    const client = clientFor(await serve((req, res) => res.end(bytes)));
    const { data } = await client.get('/', { responseType: 'arraybuffer' });
    expect(data.equals(bytes)).toBe(true);
    const streamed = await client.get('/', { responseType: 'stream' });
    expect((await bytesOf(streamed.data)).equals(bytes)).toBe(true);
  });

  it('decompresses', async () => {
    const peer = await serve((req, res) => {
      res.setHeader('Content-Encoding', 'gzip');
      res.end(zlib.gzipSync('compressed'));
    });
    expect((await clientFor(peer).get('/')).data).toBe('compressed');
  });

  it('uses its connection again', async () => {
    const peer = await serve(mirror);
    const client = clientFor(peer);
    for (let i = 0; i < 5; i++) await client.post('/', { i });
    expect(peer.accepted.length).toBe(1);
  });

  it('makes 100 requests at once over 10 connections', async () => {
    const peer = await serve(mirror);
    const client = clientFor(peer, { httpAgent: newAgent({ keepAlive: true, maxSockets: 10 }) });
    const urls = Array.from({ length: 100 }, (_, index) => `/${index}`);
    const answers = await Promise.all(urls.map((url) => client.get(url)));
    expect(answers.map(({ data }) => data.url)).toEqual(urls);
    expect(peer.accepted.length).toBe(10);
  });

  it('rejects for a status of 4xx, with the response', async () => {
    const client = clientFor(await serve((req, res) => res.writeHead(404).end('not here')));
    await expect(client.get('/')).rejects.toMatchObject({
      code: 'ERR_BAD_REQUEST', response: expect.objectContaining({ status: 404, data: 'not here' }),
    });
  });

  it('rejects with ECONNABORTED after its timeout, and closes the connection', async () => {
    const peer = await serve(() => {});
    const agent = newAgent({ keepAlive: true });
    await expect(clientFor(peer, { httpAgent: agent }).get('/', { timeout: 60 })).rejects.toMatchObject({
      code: 'ECONNABORTED', message: 'timeout of 60ms exceeded',
    });
    await untilPoolIsEmpty(agent);
  });

  it('rejects with ERR_CANCELED when aborted: before the response and in it', async () => {
    const agent = newAgent({ keepAlive: true });
    const asked = [];
    const peer = await serve((req, res) => {
      asked.push(req.url);
      if (req.url === '/half') res.write('half');
    });
    for (const url of ['/silent', '/half']) {
      const controller = new AbortController();
      const canceled = expect(clientFor(peer, { httpAgent: agent }).get(url, { signal: controller.signal }))
        .rejects.toMatchObject({ code: 'ERR_CANCELED' });
      await until(() => asked.includes(url));
      controller.abort();
      await canceled;
      await untilPoolIsEmpty(agent);
    }
  });

  it('rejects with the error of the connection', async () => {
    const port = await unusedPort();
    await expect(clientFor({ port }).get('/')).rejects.toMatchObject({ code: 'ECONNREFUSED', cause: { port } });
    const peer = await serveRaw((socket) => socket.once('data', () => socket.end()));
    await expect(clientFor(peer).get('/')).rejects.toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });
  });

  it('rejects for a body that is cut short or too long', async () => {
    const cut = await serveAnswer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', { end: true });
    await expect(clientFor(cut).get('/')).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|ERR_BAD_RESPONSE/) });
    const long = await serve((req, res) => res.end(Buffer.alloc(100_000)));
    await expect(clientFor(long).get('/', { maxContentLength: 1000 })).rejects.toMatchObject({
      message: 'maxContentLength size of 1000 exceeded',
    });
  });

  it('tells the progress of upload and download', async () => {
    const peer = await serve((req, res) => req.pipe(res));
    const seen = { up: 0, down: 0 };
    const { data } = await clientFor(peer).post('/', Buffer.alloc(3_000_000), {
      responseType: 'arraybuffer',
      onUploadProgress: ({ loaded }) => { seen.up = loaded; },
      onDownloadProgress: ({ loaded }) => { seen.down = loaded; },
    });
    expect(data).toHaveLength(3_000_000);
    expect(seen).toEqual({ up: 3_000_000, down: 3_000_000 });
  });

  it('asks over a Unix domain socket', async () => {
    const path = socketPath();
    await serve(mirror, { listen: { path } });
    const { data } = await clientFor({ port: 1 }, { socketPath: path }).get('/unix');
    expect(data.url).toBe('/unix');
  });
});

it('axios follows redirects, also with a body', async () => {
  const peer = await serve((req, res) => {
    if (req.url === '/end') mirror(req, res);
    else res.writeHead(req.url === '/keep' ? 307 : 302, { Location: '/end' }).end();
  });
  const agent = newAgent({ keepAlive: true });
  const client = axios.create({ baseURL: `http://127.0.0.1:${peer.port}`, httpAgent: agent, proxy: false });
  expect((await client.get('/')).data).toMatchObject({ method: 'GET', url: '/end' });
  expect((await client.post('/keep', 'sent again')).data).toMatchObject({ method: 'POST', body: 'sent again' });
  expect(poolOf(agent).freeSockets).toBe(1);
});
