'use strict';

/** Servers that others have made, asked by node:http and by the module under test: the same must come of it. */

const nodeHttp = require('node:http');
const nodeHttps = require('node:https');
const { http, until } = require('../support');
const { sha256 } = require('../support/bytes');
const { FILE, MOST_BYTES, installed, startReal } = require('../support/real-servers');
const { certificates, https } = require('../support/tls');

const clients = { node: { http: nodeHttp, https: nodeHttps }, ours: { http, https } };

/** Ways to a server: its port, and options of TLS. */
const ways = [
  ['plain', 'plain', null],
  ['TLS 1.2', 'tls', { maxVersion: 'TLSv1.2' }],
  ['TLS 1.3', 'tls', { minVersion: 'TLSv1.3' }],
];

/** Headers that tell of the moment, and not of the server. */
const PASSING = new Set(['date', 'age']);

/**
 * Makes a request and gives all that a user sees of it.
 * @param {object} client http or https
 * @param {object} options of the request; `body`: what to end it with
 */
function outcomeOf(client, { body, ...options }) {
  return new Promise((resolve) => {
    const outcome = {};
    const req = client.request(options);
    req.on('continue', () => {
      outcome.continued = true;
      req.end(body);
    });
    req.on('response', (res) => {
      const { statusCode, statusMessage, httpVersion, rawHeaders } = res;
      const headers = rawHeaders.map((_, at) => rawHeaders.slice(at, at + 2))
        .filter(([name], at) => at % 2 === 0 && !PASSING.has(name.toLowerCase()));
      Object.assign(outcome, { statusCode, statusMessage, httpVersion, headers, reused: req.reusedSocket });
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', ({ code }) => { outcome.cut = code; });
      res.on('close', () => {
        const bytes = Buffer.concat(chunks);
        Object.assign(outcome, {
          complete: res.complete, trailers: res.trailers, length: bytes.length, digest: sha256(bytes),
        });
        // It was waiting for a word that did not come.
        if (!req.writableEnded) req.destroy();
      });
    });
    req.on('error', ({ code }) => { outcome.code = code; });
    req.on('close', () => resolve(outcome));
    if (options.headers?.Expect) req.flushHeaders();
    else req.end(body);
  });
}

const isIdle = (agent) => Object.keys(agent.sockets).length === 0;
const isEmpty = (agent) => isIdle(agent) && Object.keys(agent.freeSockets).length === 0;

/**
 * Makes requests, one after the other on an agent of their own, with each client.
 * @param {{ port: number, tls: object | null }} way
 * @param {object[]} steps options of each request
 * @param {(agent: object) => boolean} [isDue] what to wait for between two of them
 * @returns {Promise<object[]>} what came of each, which was the same for both clients
 */
async function sameOutcomes({ port, tls }, steps, isDue = isIdle) {
  const outcomes = {};
  for (const [name, modules] of Object.entries(clients)) {
    const client = tls ? modules.https : modules.http;
    const agent = new client.Agent({ keepAlive: true, ca: certificates.ca, ...tls });
    outcomes[name] = [];
    for (const step of steps) {
      outcomes[name].push(await outcomeOf(client, { host: '127.0.0.1', port, agent, ...step }));
      await until(() => isDue(agent), 'the connection to come to rest');
    }
    agent.destroy();
  }
  expect(outcomes.ours).toEqual(outcomes.node);
  return outcomes.ours;
}

// A machine may have none of them.
const describeEach = installed.length > 0 ? describe.each(installed.map((kind) => [kind.name, kind])) : describe.skip;

describeEach('%s', (_name, kind) => {
  const itProxied = kind?.hasNoOrigin ? it.skip : it;
  const digest = sha256(FILE.bytes);
  let server;
  beforeAll(async () => { server = await startReal(kind); });
  afterAll(() => server?.stop());

  describe.each(ways)('over %s', (_way, port, tls) => {
    const ask = (steps, isDue) => sameOutcomes({ port: server.ports[port], tls }, steps, isDue);

    it('gives a file on connections that it ends after some requests', async () => {
      const outcomes = await ask(Array(12).fill({ path: FILE.path }));
      for (const outcome of outcomes) expect(outcome).toMatchObject({ statusCode: 200, complete: true, digest });
    });

    it('answers HEAD, ranges, conditions and what is not there', async () => {
      const get = (headers) => ({ path: FILE.path, headers });
      const outcomes = await ask([
        { path: FILE.path, method: 'HEAD' },
        get({ Range: 'bytes=100-199' }),
        get({ 'If-Modified-Since': FILE.changed.toUTCString() }),
        get({ Range: 'bytes=9999999-' }),
        { path: '/missing' },
        { path: '/missing', method: 'HEAD' },
        { path: FILE.path, method: 'DELETE' },
        get({ Connection: 'close' }),
        get({}),
      ]);
      expect(outcomes[0]).toMatchObject({ statusCode: 200, length: 0, complete: true });
      expect(outcomes.at(-1)).toMatchObject({ statusCode: 200, digest });
    });

    itProxied('hands on chunks, trailers, 204 and 304', async () => {
      const outcomes = await ask(['chunked', 'trailers', 'empty', 'unchanged', 'early']
        .map((name) => ({ path: `/app/${name}` })));
      const [chunked, trailers, empty, unchanged, early] = outcomes;
      expect(chunked.digest).toBe(sha256(Buffer.concat([Buffer.from('first'), FILE.bytes])));
      if (!kind.breaksTrailers) expect(trailers).toMatchObject({ statusCode: 200, length: 4, complete: true });
      expect(empty).toMatchObject({ statusCode: 204, length: 0 });
      expect(unchanged).toMatchObject({ statusCode: 304, length: 0 });
      expect(early.digest).toBe(digest);
    });

    itProxied('takes bodies of known and of unknown length, also when asked first', async () => {
      const request = (headers) => ({ path: '/app/echo', method: 'POST', body: FILE.bytes, headers });
      const length = { 'Content-Length': FILE.bytes.length };
      const outcomes = await ask([
        request(length),
        request({ 'Transfer-Encoding': 'chunked' }),
        request({ ...length, Expect: '100-continue' }),
        request({ 'Transfer-Encoding': 'chunked', 'Expect': '100-continue' }),
      ]);
      for (const outcome of outcomes) expect(outcome).toMatchObject({ statusCode: 200, digest });
      expect(outcomes[2].continued).toBe(true);
    });

    itProxied('refuses a body that is too large before it is sent', async () => {
      const headers = { 'Content-Length': MOST_BYTES + 1, 'Expect': '100-continue' };
      const [refused] = await ask([{
        path: '/app/echo', method: 'POST', headers, body: Buffer.alloc(MOST_BYTES + 1),
      }], isEmpty);
      expect(refused.statusCode).toBe(413);
    });

    itProxied('refuses a body that is too large while it is sent', async () => {
      const { request, Agent } = tls ? https : http;
      const agent = new Agent({ ca: certificates.ca, ...tls });
      const outcome = await outcomeOf({ request }, {
        host: '127.0.0.1', port: server.ports[port], agent, path: '/app/echo', method: 'POST',
        body: Buffer.alloc(8 * MOST_BYTES),
      });
      agent.destroy();
      // Which of these it is the kernels decide: the server may reset the connection, because it has not read all.
      if (outcome.statusCode) expect(outcome.statusCode).toBe(413);
      else expect(['ECONNRESET', 'EPIPE']).toContain(outcome.code);
    });
  });

  it('closes connections that idle, and the next request gets another', async () => {
    const way = { port: server.ports.brief, tls: null };
    const outcomes = await sameOutcomes(way, Array(2).fill({ path: FILE.path }), isEmpty);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ statusCode: 200, digest, reused: false });
  });

  it.each(ways.slice(1))('over %s wants a certificate of its clients', async (_way, _port, tls) => {
    const port = server.ports.mutual;
    const { key, cert } = certificates.client;
    const [known] = await sameOutcomes({ port, tls: { ...tls, key, cert } }, [{ path: FILE.path }]);
    expect(known).toMatchObject({ statusCode: 200, digest });
    const [unknown] = await sameOutcomes({ port, tls }, [{ path: FILE.path }]);
    expect(unknown.digest).not.toBe(digest);
  });
});
