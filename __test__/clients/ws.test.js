'use strict';

/** A real WebSocket client, ws, whose http module is the one under test. */

const { once } = require('node:events');
const { Readable } = require('node:stream');
const { createHash } = require('node:crypto');
const {
  http, newAgent, serve, serveRaw, serveAnswer, socketPath, until, cleanUp, poolOf, untilPoolIsEmpty, pseudoRandomBytes,
  bytesOf,
} = require('../support');

// ws asks for its http module when it is loaded.
jest.doMock('http', () => http);
const WebSocket = require('ws');

const MIB = 1024 * 1024;
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Without an agent ws makes its connections itself, by net.connect(); an agent makes its own. */
const TRANSPORTS = [
  ['a connection of the agent', () => ({ agent: newAgent() })],
  ['a connection of ws', () => ({})],
];

/** Starts a WebSocket server; its connections echo unless told otherwise. */
async function serveWebSocket(onConnection = echo, options = {}, listen = undefined) {
  const peer = await serve((req, res) => res.writeHead(426).end(), { listen });
  const server = new WebSocket.Server({ server: peer.server, maxPayload: 64 * MIB, ...options });
  server.on('connection', onConnection);
  cleanUp(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { ...peer, url: `ws://127.0.0.1:${peer.port}/`, clients: server.clients };
}

function echo(socket) {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('error', () => {});
}

/** @returns {Promise<WebSocket>} an open one, closed after the test */
async function connect(url, options) {
  const client = new WebSocket(url, options);
  cleanUp(() => client.terminate());
  await once(client, 'open');
  return client;
}

/** @returns {Promise<Buffer>} what comes back for a message */
async function echoOf(client, message) {
  const answer = once(client, 'message');
  client.send(message);
  return (await answer)[0];
}

describe.each(TRANSPORTS)('ws over %s', (_name, transport) => {
  it.each([0, 1, 125, 126, 65_535, 65_536, MIB])('gets a message of %i bytes back', async (size) => {
    const { url } = await serveWebSocket();
    const client = await connect(url, transport());
    const message = pseudoRandomBytes(size);
    for (let i = 0; i < 3; i++) expect((await echoOf(client, message)).equals(message)).toBe(true);
  });

  it('gets a message of 24 MiB back', async () => {
    const { url } = await serveWebSocket();
    const client = await connect(url, { ...transport(), maxPayload: 64 * MIB });
    const message = pseudoRandomBytes(24 * MIB);
    const answer = echoOf(client, message);
    expect(client.bufferedAmount).toBeGreaterThan(16 * MIB);
    expect(sha256(await answer)).toBe(sha256(message));
    expect(client.bufferedAmount).toBe(0);
  });

  it('gets compressed messages back', async () => {
    const { url } = await serveWebSocket(echo, { perMessageDeflate: { threshold: 0 } });
    const client = await connect(url, { ...transport(), perMessageDeflate: { threshold: 0 } });
    expect(client.extensions).toBe('permessage-deflate');
    const message = Buffer.from('to be compressed, '.repeat(50_000));
    expect((await echoOf(client, message)).equals(message)).toBe(true);
  });

  it('gets 500 messages back in order', async () => {
    const { url } = await serveWebSocket();
    const client = await connect(url, transport());
    const seen = [];
    client.on('message', (data) => seen.push(Number(data)));
    for (let i = 0; i < 500; i++) client.send(String(i));
    await until(() => seen.length === 500);
    expect(seen).toEqual(Array.from({ length: 500 }, (_, index) => index));
  });

  it('is one of 30 at once, each with its own messages', async () => {
    const peer = await serveWebSocket();
    const options = transport();
    const clients = await Promise.all(Array.from({ length: 30 }, () => connect(peer.url, options)));
    const answers = await Promise.all(clients.map(async (client, index) => {
      const texts = [];
      for (let i = 0; i < 5; i++) texts.push((await echoOf(client, `${index}/${i}`)).toString());
      return texts;
    }));
    expect(answers).toEqual(clients.map((_, index) => Array.from({ length: 5 }, (__, i) => `${index}/${i}`)));
  });

  it('carries a stream of 8 MiB each way at once', async () => {
    const { url } = await serveWebSocket((socket) => {
      const duplex = WebSocket.createWebSocketStream(socket);
      duplex.on('error', () => {});
      duplex.pipe(duplex);
    });
    const client = await connect(url, transport());
    const duplex = WebSocket.createWebSocketStream(client);
    const sent = pseudoRandomBytes(8 * MIB);
    const pieces = Array.from({ length: 128 }, (_, index) => sent.subarray(index * 65_536, (index + 1) * 65_536));
    const echoed = bytesOf(duplex);
    Readable.from(pieces).pipe(duplex);
    expect(sha256(await echoed)).toBe(sha256(sent));
  });

  it('understands a message that came in the segment of the handshake', async () => {
    const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
    const peer = await serveRaw((socket) => {
      socket.on('error', () => {});
      socket.once('data', (request) => {
        const key = /sec-websocket-key: (.*)\r\n/i.exec(request.toString())[1];
        const accept = createHash('sha1').update(key + GUID).digest('base64');
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
          `Sec-WebSocket-Accept: ${accept}\r\n\r\n\x81\x05hello`, 'latin1');
      });
    });
    const client = new WebSocket(`ws://127.0.0.1:${peer.port}/`, transport());
    cleanUp(() => client.terminate());
    const [data] = await once(client, 'message');
    expect(data.toString()).toBe('hello');
  });

  it('has ping and pong, and the code and reason of a close', async () => {
    const { url, clients } = await serveWebSocket();
    const client = await connect(url, transport());
    client.ping('here?');
    expect((await once(client, 'pong'))[0].toString()).toBe('here?');
    const [server] = clients;
    const seen = once(server, 'close');
    client.close(4001, 'enough');
    const [code, reason] = await seen;
    expect([code, reason.toString()]).toEqual([4001, 'enough']);
    await once(client, 'close');
  });

  it('is told of a close by the server, orderly and not', async () => {
    const closes = [];
    for (const end of [(socket) => socket.close(4002, 'bye'), (socket) => socket.terminate()]) {
      const { url } = await serveWebSocket((socket) => socket.once('message', () => end(socket)));
      const client = await connect(url, transport());
      const closed = once(client, 'close');
      client.send('x');
      const [code, reason] = await closed;
      closes.push([code, reason.toString()]);
    }
    expect(closes).toEqual([[4002, 'bye'], [1006, '']]);
  });

  it("has 'unexpected-response' when the server refuses", async () => {
    const peer = await serve((req, res) => res.end());
    peer.server.on('upgrade', (req, socket) => {
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\nConnection: close\r\n\r\nnever');
    });
    const client = new WebSocket(`ws://127.0.0.1:${peer.port}/`, transport());
    const [req, res] = await once(client, 'unexpected-response');
    expect(res.statusCode).toBe(401);
    expect((await bytesOf(res)).toString()).toBe('never');
    expect(req).toBeInstanceOf(http.ClientRequest);
    // ws leaves it to the listener to end the request.
    client.on('error', () => {});
    client.terminate();
  });

  it('follows a redirect to where it is answered', async () => {
    const { url } = await serveWebSocket();
    const peer = await serveAnswer(`HTTP/1.1 302 Found\r\nLocation: ${url}\r\nContent-Length: 0\r\n\r\n`);
    const client = await connect(`ws://127.0.0.1:${peer.port}/`, { ...transport(), followRedirects: true });
    expect((await echoOf(client, 'there')).toString()).toBe('there');
  });

  it('gives up after its handshakeTimeout', async () => {
    const peer = await serveRaw(() => {});
    const client = new WebSocket(`ws://127.0.0.1:${peer.port}/`, { ...transport(), handshakeTimeout: 40 });
    const [error] = await once(client, 'error');
    expect(error.message).toBe('Opening handshake has timed out');
  });

  it('has the error of a connection that fails', async () => {
    const peer = await serve();
    await peer.close();
    const client = new WebSocket(`ws://127.0.0.1:${peer.port}/`, transport());
    const [error] = await once(client, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED', port: peer.port });
  });
});

it('an agent forgets a connection that has become a WebSocket', async () => {
  const { url } = await serveWebSocket();
  const agent = newAgent({ keepAlive: true, maxSockets: 1 });
  const clients = [];
  // maxSockets does not count them, as they are not in the pool any more.
  for (let i = 0; i < 3; i++) clients.push(await connect(url, { agent }));
  expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 0, requests: 0 });
  for (const client of clients) expect((await echoOf(client, 'x')).toString()).toBe('x');
  await untilPoolIsEmpty(agent);
});

it('ws connects over a Unix domain socket', async () => {
  const path = socketPath();
  await serveWebSocket(echo, {}, { path });
  const client = await connect(`ws+unix://${path}:/`);
  expect((await echoOf(client, 'x')).toString()).toBe('x');
});
