'use strict';

const { once } = require('node:events');
const { ca } = require('../../../support/certificates');
const { DOWNLOAD } = require('../peers');

/** Starts a WebSocket server on an origin's; it echoes. */
function serveEchoes({ WebSocketServer }, kit, peer = kit.origin) {
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  const onUpgrade = (req, socket, head) => {
    peer.asked.push(`${req.method} ${req.url} upgrade`);
    if (req.url === '/refused') {
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!');
      return;
    }
    server.handleUpgrade(req, socket, head, (client) => {
      client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
      client.on('error', () => {});
      if (req.url === '/greeting') client.send('hello');
      if (req.url === '/bye') client.close(4001, 'bye');
    });
  };
  peer.server.on('upgrade', onUpgrade);
  kit.cleanUp(() => {
    peer.server.off('upgrade', onUpgrade);
    server.close();
  });
}

/** ws takes `createConnection` and `agent`; with an agent of ferrequest, Node's client makes the handshake. */
function connect({ WebSocket }, kit, url, options) {
  const client = new WebSocket(url, options);
  kit.cleanUp(() => client.terminate());
  client.on('error', () => {});
  return client;
}

const over = (url) => url.replace('http', 'ws');

module.exports = {
  load: async () => require('ws'),
  given: 'agent',
  scenarios: {
    'echoes text and binary messages, compressed': {
      act: async (ws, kit) => {
        serveEchoes(ws, kit);
        const client = connect(ws, kit, `${over(kit.url)}/`, { agent: kit.agent({ keepAlive: true }) });
        await once(client, 'open');
        const messages = ['text é', DOWNLOAD.subarray(0, 300_000), Buffer.from('compressible '.repeat(1000))];
        const echoes = [];
        for (const message of messages) {
          client.send(message);
          const [data, isBinary] = await once(client, 'message');
          echoes.push([isBinary, Buffer.from(message).equals(data)]);
        }
        return { extensions: client.extensions, echoes };
      },
      gives: { extensions: 'permessage-deflate', echoes: [[false, true], [true, true], [true, true]] },
    },
    'hears what comes right behind the handshake': {
      act: async (ws, kit) => {
        serveEchoes(ws, kit);
        const client = connect(ws, kit, `${over(kit.url)}/greeting`, { agent: kit.agent() });
        const [data] = await once(client, 'message');
        return String(data);
      },
      gives: 'hello',
    },
    'is told of a close, and of a refusal': {
      act: async (ws, kit) => {
        serveEchoes(ws, kit);
        const [code, reason] = await once(connect(ws, kit, `${over(kit.url)}/bye`, { agent: kit.agent() }), 'close');
        const refused = connect(ws, kit, `${over(kit.url)}/refused`, { agent: kit.agent() });
        const [, response] = await once(refused, 'unexpected-response');
        return { code, reason: String(reason), status: response.statusCode };
      },
      gives: { code: 4001, reason: 'bye', status: 401 },
    },
    'connects over TLS, and through a proxy': {
      act: async (ws, kit) => {
        const { HttpsProxyAgent } = await import('https-proxy-agent');
        serveEchoes(ws, kit, kit.secure);
        const answers = [];
        const proxied = kit.kept(new HttpsProxyAgent(kit.proxyUrl));
        for (const agent of [kit.secureAgent({ ca }), proxied]) {
          const client = connect(ws, kit, `${over(kit.secureUrl)}/greeting`, { agent, ca });
          const [data] = await once(client, 'message');
          answers.push(String(data));
        }
        return { answers, asked: kit.proxy.asked };
      },
      gives: { answers: ['hello', 'hello'], asked: ['CONNECT 127.0.0.1:SECURE'] },
    },
    'gives up when the handshake is not answered, and tells that nobody listens': {
      act: async (ws, kit) => {
        const silent = await kit.serve('mute', () => {});
        silent.server.on('upgrade', () => {});
        const errors = [];
        for (const [url, handshakeTimeout] of [[`ws://127.0.0.1:${silent.port}/`, 60], [over(kit.refusedUrl)]]) {
          const client = connect(ws, kit, url, { agent: kit.agent(), handshakeTimeout });
          const [{ code, message }] = await once(client, 'error');
          errors.push(code ?? message);
        }
        return errors;
      },
      gives: ['Opening handshake has timed out', 'ECONNREFUSED'],
    },
  },
};
