'use strict';

/**
 * What all clients are used for: one scenario each, acted by the adapter of a client. An adapter has
 * `ask(library, request, kit)`, which gives `{ status, body }`; see Request.
 *
 * @typedef {object} Request
 * @property {string} url
 * @property {string} [method] GET by default
 * @property {Record<string, string>} [headers]
 * @property {string | import('node:stream').Readable} [body]
 * @property {Record<string, string | Buffer>} [form] to be sent as multipart/form-data; a Buffer is a file
 * @property {import('node:http').Agent} agent
 * @property {AbortSignal} [signal]
 * @property {number} [timeout] milliseconds without an answer
 * @property {string} [ca]
 * @property {string} [socketPath]
 */

const { Readable } = require('node:stream');
const { ca } = require('../../../support/certificates');
const { DOWNLOAD, sha256 } = require('../peers');

const COMPRESSED = 'compressed '.repeat(20_000);
const AUTHORIZATION = { Authorization: 'Basic dXNlcjpwYXNz' };

/** A mirrored request. */
const mirrored = ({ status, body }) => ({ status, ...JSON.parse(body) });

/** What node:http's own errors are, by the `error` of scenarios. */
const ERRORS = {
  untrusted: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
  refused: { code: 'ECONNREFUSED' },
  hangup: { code: 'ECONNRESET', message: 'socket hang up' },
  reset: { code: 'ECONNRESET' },
  cut: { code: 'ECONNRESET' },
  malformed: { code: 'HPE_INVALID_CONTENT_LENGTH' },
};

/** @type {Record<string, import('.').Scenario & { needs?: string, error?: string }>} */
const REQUESTS = {
  'gets, with a query and credentials': {
    act: async (ask, kit) => {
      const { status, method, url, headers } = mirrored(
        await ask({ url: `${kit.url}/mirror?a=b&c=%20d`, headers: { ...AUTHORIZATION } }),
      );
      return { status, method, url, authorization: headers.authorization };
    },
    gives: { status: 200, method: 'GET', url: '/mirror?a=b&c=%20d', authorization: AUTHORIZATION.Authorization },
  },
  'posts text': {
    act: async (ask, kit) => {
      const { method, headers, body } = mirrored(
        await ask({
          url: `${kit.url}/mirror`,
          method: 'POST',
          headers: { 'Content-Type': 'text/plain' },
          body: 'sent é',
        }),
      );
      return { method, length: headers['content-length'], body };
    },
    gives: { method: 'POST', length: '7', body: 'sent Ã©' },
  },
  'uploads a stream': {
    act: async (ask, kit) => {
      const pieces = Array.from({ length: 30 }, (_, index) =>
        DOWNLOAD.subarray(index * 50_000, (index + 1) * 50_000),
      );
      const {
        method,
        headers,
        sha256: hash,
      } = mirrored(
        await ask({
          url: `${kit.url}/mirror`,
          method: 'PUT',
          headers: { 'Content-Type': 'application/octet-stream' },
          body: Readable.from(pieces),
        }),
      );
      return { method, encoding: headers['transfer-encoding'], hash };
    },
    gives: { method: 'PUT', encoding: 'chunked', hash: sha256(DOWNLOAD.subarray(0, 1_500_000)) },
  },
  'uploads a form with a file': {
    needs: 'form',
    act: async (ask, kit) => {
      const { method, headers, body } = mirrored(
        await ask({
          url: `${kit.url}/mirror`,
          method: 'POST',
          form: { field: 'value', file: Buffer.from('content of the file') },
        }),
      );
      return {
        method,
        type: headers['content-type'].replaceAll('"', '').replace(';b', '; b'),
        parts: [
          'name="field"',
          '\r\nvalue\r\n',
          'name="file"; filename="f.txt"',
          '\r\ncontent of the file\r\n',
        ].filter((part) => body.includes(part)).length,
      };
    },
    gives: { method: 'POST', type: 'multipart/form-data; boundary=BOUNDARY', parts: 4 },
  },
  'downloads three megabytes': {
    act: async (ask, kit) => sha256((await ask({ url: `${kit.url}/download` })).body),
    gives: sha256(DOWNLOAD),
  },
  'decompresses gzip, deflate and br': {
    needs: 'decompress',
    act: async (ask, kit) => {
      const bodies = [];
      for (const encoding of ['gzip', 'deflate', 'br']) {
        bodies.push((await ask({ url: `${kit.url}/compressed/${encoding}` })).body.toString());
      }
      return bodies.map((body) => body === COMPRESSED);
    },
    gives: [true, true, true],
  },
  'follows redirects, also with a body': {
    needs: 'redirects',
    act: async (ask, kit) => {
      const results = [];
      for (const [method, code, body] of [
        ['GET', 302],
        ['POST', 303, 'once'],
        ['POST', 307, 'again'],
      ]) {
        const answer = mirrored(await ask({ url: `${kit.url}/redirect/${code}/%2Fmirror`, method, body }));
        results.push(`${code}: ${answer.method} ${answer.body}`);
      }
      return results;
    },
    gives: ['302: GET ', '303: GET ', '307: POST again'],
  },
  'tells no other host its credentials': {
    needs: 'redirects',
    act: async (ask, kit) => {
      const target = encodeURIComponent(`${kit.otherUrl}/mirror`);
      const answer = mirrored(await ask({ url: `${kit.url}/redirect/302/${target}`, headers: { ...AUTHORIZATION } }));
      return { headers: answer.headers, other: kit.other.asked.length };
    },
    gives: { headers: {}, other: 1 },
  },
  'tells a status of 404 and 503': {
    act: async (ask, kit) => {
      const answers = [];
      for (const code of [404, 503]) {
        const { status, body } = await ask({ url: `${kit.url}/status/${code}` });
        answers.push([status, body.toString()]);
      }
      return answers;
    },
    gives: [
      [404, 'status 404'],
      [503, 'status 503'],
    ],
  },
  'keeps a connection for one request after another': {
    act: async (ask, kit) => {
      const agent = kit.agent({ keepAlive: true });
      for (let i = 0; i < 4; i++) await ask({ url: `${kit.url}/mirror`, method: 'POST', body: String(i), agent });
      return kit.origin.connections;
    },
    gives: 1,
  },
  'makes 20 requests over 4 connections': {
    act: async (ask, kit) => {
      const agent = kit.agent({ keepAlive: true, maxSockets: 4 });
      const urls = Array.from({ length: 20 }, (_, index) => `/mirror?${index}`);
      const answers = await Promise.all(urls.map((url) => ask({ url: kit.url + url, agent })));
      return [answers.every((answer, index) => mirrored(answer).url === urls[index]), kit.origin.connections];
    },
    gives: [true, 4],
  },
  'asks over TLS, trusting an authority': {
    act: async (ask, kit) => {
      const answer = await ask({
        url: `${kit.secureUrl}/mirror`,
        method: 'POST',
        body: 'secret',
        agent: kit.secureAgent({ ca }),
        ca,
      });
      return mirrored(answer).body;
    },
    gives: 'secret',
  },
  'refuses a certificate of an authority it does not know': {
    error: 'untrusted',
    act: (ask, kit) => kit.errorOf(ask({ url: `${kit.secureUrl}/mirror`, agent: kit.secureAgent() })),
  },
  'asks over a Unix domain socket': {
    needs: 'unix',
    act: async (ask, kit) => {
      const { socketPath } = kit;
      return mirrored(await ask({ url: 'http://localhost/mirror', socketPath, agent: kit.agent({ socketPath }) }))
        .url;
    },
    gives: '/mirror',
  },
  'asks through a proxy': {
    needs: 'proxy',
    act: async (ask, kit) => {
      const { HttpProxyAgent } = await import('http-proxy-agent');
      const agent = kit.kept(new HttpProxyAgent(kit.proxyUrl.replace('//', '//user:pass@'), { keepAlive: true }));
      const url = `${kit.url}/mirror`;
      const bodies = [];
      for (const body of ['one', 'two']) bodies.push(mirrored(await ask({ url, method: 'POST', body, agent })).body);
      return { bodies, asked: kit.proxy.asked, connections: kit.proxy.connections };
    },
    gives: {
      bodies: ['one', 'two'],
      asked: Array(2).fill('POST http://127.0.0.1:ORIGIN/mirror by Basic dXNlcjpwYXNz'),
      connections: 1,
    },
  },
  'asks over TLS through a proxy': {
    act: async (ask, kit) => {
      const { HttpsProxyAgent } = await import('https-proxy-agent');
      const agent = kit.kept(new HttpsProxyAgent(kit.proxyUrl, { keepAlive: true }));
      // What the constructor takes is for the proxy; the origin's come with a request, or so.
      agent.options.ca = ca;
      const url = `${kit.secureUrl}/mirror`;
      const bodies = [];
      for (const body of ['one', 'two'])
      {bodies.push(mirrored(await ask({ url, method: 'POST', body, agent, ca })).body);}
      return { bodies, asked: kit.proxy.asked };
    },
    gives: { bodies: ['one', 'two'], asked: ['CONNECT 127.0.0.1:SECURE'] },
  },
  'tells that nobody listens': {
    error: 'refused',
    act: (ask, kit) => kit.errorOf(ask({ url: kit.refusedUrl })),
  },
  'tells of a connection that ends without an answer': {
    error: 'hangup',
    act: (ask, kit) => kit.errorOf(ask({ url: `${kit.url}/hangup` })),
  },
  'tells of a connection that is reset': {
    error: 'reset',
    act: (ask, kit) => kit.errorOf(ask({ url: `${kit.url}/reset` })),
  },
  'tells of a body that is cut short': {
    error: 'cut',
    act: (ask, kit) => kit.errorOf(ask({ url: `${kit.url}/cut` })),
  },
  'tells of an answer that is malformed': {
    error: 'malformed',
    act: (ask, kit) => kit.errorOf(ask({ url: `${kit.url}/malformed` })),
  },
  'gives up after its timeout': {
    needs: 'timeout',
    mayNotArrive: true,
    error: 'timeout',
    act: async (ask, kit) => {
      const error = await kit.errorOf(
        ask({ url: `${kit.url}/silent`, timeout: 60, agent: kit.agent({ keepAlive: true }) }),
      );
      await kit.untilClosed();
      return error;
    },
  },
  'is aborted before the answer': {
    error: 'aborted',
    act: (ask, kit) => abort(ask, kit, '/silent'),
  },
  'is aborted in the answer': {
    error: 'aborted',
    act: (ask, kit) => abort(ask, kit, '/half'),
  },
};

async function abort(ask, kit, path) {
  const controller = new AbortController();
  const failure = kit.errorOf(
    ask({ url: kit.url + path, signal: controller.signal, agent: kit.agent({ keepAlive: true }) }),
  );
  await kit.until(() => kit.origin.asked.length === 1);
  if (path === '/half') await kit.untilAnswered();
  controller.abort();
  const error = await failure;
  await kit.untilClosed();
  return error;
}

/**
 * @param {object} adapter of a client
 * @param {(library: any, request: Request, kit: object) => Promise<{ status: number, body: Buffer }>} adapter.ask
 * @param {string[]} [adapter.lacks] what of the `needs` of scenarios the client has not
 * @param {Record<string, unknown>} adapter.errors what it is rejected with, by the `error` of scenarios, where that is
 *   not the error of node:http; `aborted` stands for both abortions
 * @param {Record<string, unknown>} [adapter.gives] what differs from the other clients, by scenario
 * @returns the scenarios of that client
 */
function requestsOf({ ask, lacks = [], errors, gives = {} }) {
  const entries = Object.entries(REQUESTS).filter(
    ([, { needs, error }]) => !lacks.includes(needs) && !lacks.includes(error),
  );
  return Object.fromEntries(
    entries.map(([name, scenario]) => [
      name,
      {
        act: (library, kit) => {
          const agentOf = (url) => (url.startsWith('https') ? kit.secureAgent() : kit.agent());
          return scenario.act(
            (request) => ask(library, { method: 'GET', agent: agentOf(request.url), ...request }, kit),
            kit,
          );
        },
        mayNotArrive: scenario.mayNotArrive,
        gives: gives[name] ?? (scenario.error ? { ...ERRORS, ...errors }[scenario.error] : scenario.gives),
      },
    ]),
  );
}

module.exports = { requestsOf };
