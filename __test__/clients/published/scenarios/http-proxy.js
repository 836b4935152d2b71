'use strict';

/** A reverse proxy: its requests to what is behind it are the client's. */

const { once } = require('node:events');
const { ca } = require('../../../support/certificates');
const { DOWNLOAD, sha256 } = require('../peers');

/** Starts a proxy, and gives `ask`, which asks it by fetch: that is undici's. */
async function serveProxy(httpProxy, kit, options) {
  const proxy = httpProxy.createProxyServer({ agent: kit.agent({ keepAlive: true }), ...options });
  const front = await kit.serve('front', (req, res) => proxy.web(req, res));
  front.server.on('upgrade', (req, socket, head) => proxy.ws(req, socket, head));
  const errors = [];
  proxy.on('error', (error, req, res) => {
    errors.push(error.code);
    if (res.writeHead) res.writeHead(502).end('bad gateway');
    else res.destroy();
  });
  kit.cleanUp(() => proxy.close());
  return { front, errors, url: `http://127.0.0.1:${front.port}`, proxy };
}

module.exports = {
  load: async () => ({ httpProxy: require('http-proxy'), ...require('ws') }),
  given: 'agent',
  scenarios: {
    'forwards requests and answers of any size': {
      act: async ({ httpProxy }, kit) => {
        const { url } = await serveProxy(httpProxy, kit, { target: kit.url, xfwd: true });
        const body = DOWNLOAD.subarray(0, 1_000_000);
        const sent = await (await fetch(`${url}/mirror`, { method: 'POST', body })).json();
        const got = Buffer.from(await (await fetch(`${url}/download`)).arrayBuffer());
        const { status } = await fetch(`${url}/status/404`);
        return { sent: sent.sha256, got: sha256(got), status };
      },
      gives: { sent: sha256(DOWNLOAD.subarray(0, 1_000_000)), got: sha256(DOWNLOAD), status: 404 },
    },
    'forwards to TLS, trusting an authority': {
      act: async ({ httpProxy }, kit) => {
        const { url } = await serveProxy(httpProxy, kit, {
          target: { protocol: 'https:', host: '127.0.0.1', port: kit.secure.port, ca },
          agent: kit.secureAgent(),
        });
        return (await (await fetch(`${url}/mirror`, { method: 'POST', body: 'secret' })).json()).body;
      },
      gives: 'secret',
    },
    'forwards WebSockets': {
      act: async ({ httpProxy, WebSocket, WebSocketServer }, kit) => {
        const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
        await once(server, 'listening');
        server.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${data}`)));
        kit.cleanUp(() => server.close());
        const { front } = await serveProxy(httpProxy, kit, {
          target: `ws://127.0.0.1:${server.address().port}`,
          ws: true,
        });
        const agent = new (require('node:http').Agent)();
        const client = new WebSocket(`ws://127.0.0.1:${front.port}/`, { agent });
        await once(client, 'open');
        client.send('here');
        const [data] = await once(client, 'message');
        client.close();
        await once(client, 'close');
        return String(data);
      },
      gives: 'echo here',
    },
    'tells of a peer that refuses, or hangs up': {
      act: async ({ httpProxy }, kit) => {
        const refused = await serveProxy(httpProxy, kit, { target: kit.refusedUrl });
        const hangup = await serveProxy(httpProxy, kit, { target: kit.url });
        const statuses = [(await fetch(refused.url)).status, (await fetch(`${hangup.url}/hangup`)).status];
        return { statuses, errors: [...refused.errors, ...hangup.errors] };
      },
      gives: { statuses: [502, 502], errors: ['ECONNREFUSED', 'ECONNRESET'] },
    },
  },
};
