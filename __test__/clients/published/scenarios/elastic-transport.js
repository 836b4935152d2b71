'use strict';

/** The transport below Elasticsearch's client, by its connection that node:http makes. */

const { gunzipSync } = require('node:zlib');

/** As much of Elasticsearch as the scenarios ask of it. */
async function serveNode(kit) {
  let failures = 0;
  const peer = await kit.serve('elastic', async (req, res) => {
    peer.asked.push(`${req.method} ${req.url}`);
    if (req.url === '/silent') return;
    const bytes = Buffer.concat(await req.toArray());
    const body = req.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
    res.setHeader('X-Elastic-Product', 'Elasticsearch');
    res.setHeader('Content-Type', 'application/json');
    if (req.url === '/flaky' && failures++ === 0) res.writeHead(502).end('{}');
    else if (req.url === '/none') res.writeHead(404).end('{"error":"none"}');
    else
    {res.end(
      JSON.stringify({ method: req.method, url: req.url, body: String(body), type: req.headers['content-type'] }),
    );}
  });
  return peer;
}

function transportTo(library, kit, url, options) {
  const { ClusterConnectionPool, HttpConnection, Transport } = library;
  const agents = [];
  const connectionPool = new ClusterConnectionPool({ Connection: HttpConnection });
  connectionPool.addConnection({
    url: new URL(url),
    ...kit.given({
      agent: () => {
        agents.push(kit.agent({ keepAlive: true }));
        return agents.at(-1);
      },
    }),
  });
  kit.cleanUp(() => connectionPool.empty());
  return new Transport({ connectionPool, ...options });
}

module.exports = {
  load: async () => require('@elastic/transport'),
  given: 'agent',
  scenarios: {
    'asks with JSON, compressed, and in bulk': {
      act: async (library, kit) => {
        const peer = await serveNode(kit);
        const transport = transportTo(library, kit, `http://127.0.0.1:${peer.port}`, { compression: true });
        const answers = [
          await transport.request({ method: 'POST', path: '/i/_search', body: { query: 'é' } }),
          await transport.request({ method: 'POST', path: '/_bulk', bulkBody: [{ index: {} }, { a: 1 }] }),
        ];
        return { answers, connections: peer.connections };
      },
      gives: {
        answers: [
          { method: 'POST', url: '/i/_search', body: '{"query":"é"}', type: 'application/json' },
          { method: 'POST', url: '/_bulk', body: '{"index":{}}\n{"a":1}\n', type: 'application/x-ndjson' },
        ],
        connections: 1,
      },
    },
    'tries again after a status of 502': {
      act: async (library, kit) => {
        const peer = await serveNode(kit);
        const transport = transportTo(library, kit, `http://127.0.0.1:${peer.port}`, {
          maxRetries: 2,
          retryBackoff: () => 0,
        });
        const { meta, statusCode } = await transport.request({ method: 'GET', path: '/flaky' }, { meta: true });
        return { statusCode, attempts: meta.attempts, asked: peer.asked.length };
      },
      gives: { statusCode: 200, attempts: 1, asked: 2 },
    },
    'tells of a status of 404, a refusal, and an answer that does not come': {
      mayNotArrive: true,
      act: async (library, kit) => {
        const peer = await serveNode(kit);
        const url = `http://127.0.0.1:${peer.port}`;
        const transport = transportTo(library, kit, url, { maxRetries: 0 });
        const errors = [
          await kit.errorOf(transport.request({ method: 'GET', path: '/none' })),
          await kit.errorOf(transport.request({ method: 'GET', path: '/silent' }, { requestTimeout: 60 })),
          await kit.errorOf(
            transportTo(library, kit, kit.refusedUrl, { maxRetries: 0 }).request({ method: 'GET', path: '/' }),
          ),
        ];
        return errors.map(({ name }) => name);
      },
      gives: ['ResponseError', 'TimeoutError', 'ConnectionError'],
    },
    'is aborted': {
      act: async (library, kit) => {
        const peer = await serveNode(kit);
        const transport = transportTo(library, kit, `http://127.0.0.1:${peer.port}`, { maxRetries: 0 });
        const controller = new AbortController();
        const failure = kit.errorOf(
          transport.request({ method: 'GET', path: '/silent' }, { signal: controller.signal }),
        );
        await kit.until(() => peer.asked.length === 1);
        controller.abort();
        const { name } = await failure;
        await kit.untilClosed(peer);
        return name;
      },
      gives: 'RequestAbortedError',
    },
  },
};
