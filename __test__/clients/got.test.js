'use strict';

/**
 * got, told by its `request` option which module makes its requests. It is an ES module: it runs in a process of its
 * own.
 */

const zlib = require('node:zlib');
const { serve, serveRaw, runScript, unusedPort } = require('../support');

/**
 * Runs a function with got in a process of its own.
 * @param {(got: import('got').Got, args: any, tools: object) => Promise<unknown>} main self-contained; its tools:
 *   `http`, the `agent` of got, and `idle()`, which waits until a connection of that is free
 * @param {unknown} [args]
 * @returns {Promise<any>} what it resolves with
 */
async function withGot(main, args = null) {
  const { stdout, stderr, code } = await runScript(async (http, { source, given }) => {
    const { default: got } = await import('got');
    const agent = new http.Agent({ keepAlive: true });
    const request = (...options) => http.request(...options);
    const client = got.extend({ request, agent: { http: agent }, retry: { limit: 0 } });
    const idle = async () => {
      while (Object.keys(agent.freeSockets).length === 0) await new Promise((resolve) => { setImmediate(resolve); });
    };

    const result = await (0, eval)(`(${source})`)(client, given, { http, agent, idle });
    process.stdout.write(JSON.stringify(result ?? null));
  }, { args: { source: String(main), given: args } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

async function mirror(req, res) {
  const body = Buffer.concat(await req.toArray());
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, length: body.length }));
}

const urlOf = (peer, path = '/') => `http://127.0.0.1:${peer.port}${path}`;

it('gets JSON over one connection, and ends when it has it', async () => {
  const peer = await serve(mirror);
  const seen = await withGot(async (got, url, { idle }) => {
    const urls = [];
    for (let i = 0; i < 4; i++) {
      urls.push((await got(`${url}${i}`).json()).url);
      await idle();
    }
    return urls;
  }, urlOf(peer));
  expect(seen).toEqual(['/0', '/1', '/2', '/3']);
  expect(peer.accepted.length).toBe(1);
});

it('posts JSON, forms, buffers and streams', async () => {
  const peer = await serve(mirror);
  const seen = await withGot(async (got, url) => {
    const { Readable } = require('node:stream');
    return Promise.all([
      got.post(url, { json: { a: 1 } }).json(),
      got.put(url, { form: { a: 'b c' } }).json(),
      got.post(url, { body: Buffer.alloc(1_000_000) }).json(),
      got.post(url, { body: Readable.from(['a ', 'stream']) }).json(),
    ]);
  }, urlOf(peer));
  expect(seen.map(({ method, length }) => [method, length])).toEqual(
    [['POST', 7], ['PUT', 5], ['POST', 1_000_000], ['POST', 8]]);
  expect(seen[0].headers['content-type']).toBe('application/json');
  expect(seen[3].headers['transfer-encoding']).toBe('chunked');
});

it('streams three megabytes both ways, with progress', async () => {
  const peer = await serve((req, res) => req.pipe(res));
  const seen = await withGot(async (got, url) => {
    const { Readable } = require('node:stream');
    const { pipeline } = require('node:stream/promises');
    const stream = got.stream.post(url);
    let length = 0;
    const progress = { up: 0, down: 0 };
    stream.on('uploadProgress', ({ transferred }) => { progress.up = transferred; });
    stream.on('downloadProgress', ({ transferred }) => { progress.down = transferred; });
    const chunks = Array.from({ length: 30 }, () => Buffer.alloc(100_000, 'x'));
    await pipeline(Readable.from(chunks), stream, async (source) => {
      for await (const chunk of source) length += chunk.length;
    });
    return { length, ...progress };
  }, urlOf(peer));
  expect(seen).toEqual({ length: 3_000_000, up: 3_000_000, down: 3_000_000 });
});

it('measures the phases of a request by the events of its socket', async () => {
  const peer = await serve((req, res) => {
    res.write('x');
    setTimeout(() => res.end('y'), 20);
  });
  const seen = await withGot(async (got, url, { idle }) => {
    const all = [];
    for (let i = 0; i < 2; i++) {
      all.push((await got(url)).timings);
      await idle();
    }
    return all;
  }, urlOf(peer));
  for (const timings of seen) {
    const times = ['start', 'socket', 'connect', 'upload', 'response', 'end'].map((name) => timings[name]);
    expect(times).toEqual([...times].sort((one, other) => one - other));
    expect(timings.phases.total).toBeGreaterThanOrEqual(timings.phases.download);
  }
});

it('decompresses and follows redirects', async () => {
  const peer = await serve((req, res) => {
    if (req.url !== '/end') {
      res.writeHead(303, { Location: '/end' }).end();
      return;
    }
    res.setHeader('Content-Encoding', 'br');
    res.end(zlib.brotliCompressSync('compressed'));
  });
  expect(await withGot((got, url) => got.post(url, { body: 'x' }).text(), urlOf(peer))).toBe('compressed');
});

it('tries again when a connection breaks or the server says 503', async () => {
  const peer = await serveRaw((socket, index) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      if (index === 0) socket.resetAndDestroy();
      else if (index === 1) socket.end('HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      else socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const seen = await withGot(async (got, url) => {
    const retry = { limit: 3, calculateDelay: ({ computedValue }) => computedValue && 1 };
    const { body, retryCount } = await got(url, { retry });
    return { body, retryCount };
  }, urlOf(peer));
  expect(seen).toEqual({ body: 'ok', retryCount: 2 });
});

it.each(['response', 'request', 'read', 'socket'])('gives up after timeout.%s and closes', async (phase) => {
  const peer = await serve((req, res) => {
    if (phase === 'read') res.write('half');
  });
  const seen = await withGot(async (got, { url, event }, { agent }) => {
    const error = await got(url, { timeout: { [event]: 60 } }).catch((reason) => reason);
    while (agent.totalSocketCount > 0) await new Promise((resolve) => { setImmediate(resolve); });
    return { name: error.name, code: error.code, event: error.event };
  }, { url: urlOf(peer), event: phase });
  expect(seen).toEqual({ name: 'TimeoutError', code: 'ETIMEDOUT', event: phase });
});

it('can be cancelled and aborted', async () => {
  const peer = await serve(() => {});
  const seen = await withGot(async (got, url, { agent }) => {
    const cancelled = got(url);
    setTimeout(() => cancelled.cancel(), 20);
    const names = [(await cancelled.catch((error) => error)).name];
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    names.push((await got(url, { signal: controller.signal }).catch((error) => error)).name);
    while (agent.totalSocketCount > 0) await new Promise((resolve) => { setImmediate(resolve); });
    return names;
  }, urlOf(peer));
  expect(seen).toEqual(['CancelError', 'AbortError']);
});

it('rejects with the code of what fails', async () => {
  const cut = await serveRaw((socket) => socket.once('data', () => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
  }));
  const garbage = await serveRaw((socket) => socket.once('data', () => socket.end('not HTTP\r\n\r\n')));
  const urls = [urlOf({ port: await unusedPort() }), urlOf(cut), urlOf(garbage)];
  const codes = await withGot(async (got, given) => Promise.all(
    given.map(async (url) => (await got(url).catch((error) => error)).code)), urls);
  expect(codes).toEqual(['ECONNREFUSED', 'ECONNRESET', 'HPE_INVALID_CONSTANT']);
});

it('makes 200 requests at once over 8 connections', async () => {
  const peer = await serve(mirror);
  const seen = await withGot(async (got, url, { http }) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    const client = got.extend({ agent: { http: agent } });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => client(`${url}${index}`).json()));
    return answers.every((answer, index) => answer.url === `/${index}`);
  }, urlOf(peer));
  expect(seen).toBe(true);
  expect(peer.accepted.length).toBe(8);
});

it('has the timings of ours in its responses and errors', async () => {
  const peer = await serve((req, res) => req.url === '/' && res.end('body'));
  const seen = await withGot(async (got, url, { http }) => {
    let req;
    const request = (...options) => {
      req = http.request(...options);
      return req;
    };
    const client = got.extend({ request });
    const { timings } = await client(url);
    const isOurs = timings === req.timings;
    const error = await client(`${url}unanswered`, { timeout: { response: 20 } }).catch((failure) => failure);
    return { isOurs, phases: timings.phases, isOursInError: error.timings === req.timings, event: error.event };
  }, urlOf(peer));
  expect(seen).toMatchObject({ isOurs: true, isOursInError: true, event: 'response' });
  expect(seen.phases).toMatchObject({ wait: 0, dns: expect.any(Number), firstByte: expect.any(Number) });
});
