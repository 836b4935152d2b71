'use strict';

/** follow-redirects, which wraps any module that it is given. */

const { once } = require('node:events');
const {
  http, newAgent, serve, pseudoRandomBytes, bytesOf, unusedPort, untilPoolIsEmpty, until,
} = require('../support');

const { http: wrapped } = require('follow-redirects').wrap({ http });

/** /n leads to /n-1, with the status that the query names; /0 mirrors. */
async function redirector() {
  return serve(async (req, res) => {
    const { pathname, searchParams, search } = new URL(req.url, 'http://h');
    const left = Number(pathname.slice(1));
    const body = Buffer.concat(await req.toArray());
    const status = Number(searchParams.get('status') ?? 302);
    if (left > 0) res.writeHead(status, { Location: `/${left - 1}${search}` }).end('going on');
    else res.end(JSON.stringify({ method: req.method, length: body.length, headers: req.headers }));
  });
}

/** Makes a request by the wrapped module and gives its response with its parsed body. */
async function ask(peer, options, body) {
  const req = wrapped.request({ host: '127.0.0.1', port: peer.port, agent: newAgent({ keepAlive: true }), ...options });
  const response = once(req, 'response');
  req.end(body);
  const [res] = await response;
  return { req, res, told: JSON.parse(await bytesOf(res)) };
}

it('follows a chain of redirects', async () => {
  const peer = await redirector();
  const { req, res, told } = await ask(peer, { path: '/8' });
  expect(told.method).toBe('GET');
  expect(res.responseUrl).toBe(`http://127.0.0.1:${peer.port}/0`);
  expect(req._currentRequest).toBeInstanceOf(http.ClientRequest);
});

it.each([[301, 'GET', 0], [302, 'GET', 0], [303, 'GET', 0], [307, 'POST', 300_000], [308, 'POST', 300_000]])(
  'makes of a POST after %i a %s with %i bytes', async (status, method, length) => {
    const peer = await redirector();
    const { told } = await ask(peer, { method: 'POST', path: `/2?status=${status}` }, pseudoRandomBytes(300_000));
    expect(told).toMatchObject({ method, length });
  });

it('drops credentials on the way to another host', async () => {
  const end = await redirector();
  const peer = await serve((req, res) => res.writeHead(302, { Location: `http://localhost:${end.port}/0` }).end());
  const headers = { Authorization: 'secret', Cookie: 'a=b', X: 'y' };
  const { told } = await ask(peer, { path: '/', headers, lookup: (_host, _options, callback) => {
    callback(null, [{ address: '127.0.0.1', family: 4 }]);
  } });
  expect(told.headers).toMatchObject({ x: 'y' });
  expect(told.headers).not.toHaveProperty('authorization');
  expect(told.headers).not.toHaveProperty('cookie');
});

it('fails after too many redirects', async () => {
  const peer = await redirector();
  const agent = newAgent({ keepAlive: true });
  const req = wrapped.get({ host: '127.0.0.1', port: peer.port, path: '/5', maxRedirects: 3, agent });
  const [error] = await once(req, 'error');
  expect(error.code).toBe('ERR_FR_TOO_MANY_REDIRECTS');
});

it('fails when a body is larger than it will keep', async () => {
  const peer = await redirector();
  const req = wrapped.request({
    host: '127.0.0.1', port: peer.port, method: 'POST', maxBodyLength: 1000, agent: newAgent(),
  });
  const failed = once(req, 'error');
  req.write(Buffer.alloc(2000));
  expect((await failed)[0].code).toBe('ERR_FR_MAX_BODY_LENGTH_EXCEEDED');
});

it('can be aborted and timed out', async () => {
  const asked = [];
  const peer = await serve((req) => asked.push(req.url));
  const agent = newAgent({ keepAlive: true });
  const aborted = wrapped.get({ host: '127.0.0.1', port: peer.port, agent });
  await until(() => asked.length === 1);
  const told = once(aborted, 'abort');
  aborted.on('error', () => {});
  aborted.abort();
  await told;
  const slow = wrapped.get({ host: '127.0.0.1', port: peer.port, agent });
  slow.on('error', () => {});
  slow.setTimeout(40);
  await new Promise((resolve) => { slow.on('timeout', resolve); });
  slow.destroy();
  await untilPoolIsEmpty(agent);
});

it('has the error of a connection that fails', async () => {
  const port = await unusedPort();
  const [error] = await once(wrapped.get({ host: '127.0.0.1', port }), 'error');
  expect(error).toMatchObject({ code: 'ECONNREFUSED', port });
});
