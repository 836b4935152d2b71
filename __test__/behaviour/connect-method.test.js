'use strict';

/** CONNECT and its event 'connect': a tunnel through a proxy. */

const nodeHttp = require('node:http');
const net = require('node:net');
const tls = require('node:tls');
const nodeHttps = require('node:https');
const { once } = require('node:events');
const {
  bytesOf, certificate, cleanUp, http, onRequestHead, pseudoRandomBytes, record, responseTo, serve, serveAnswer,
  serveRaw, until, untilNoConnections, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

/** A proxy that does what CONNECT asks. */
async function serveProxy() {
  const peer = await serve((req, res) => res.writeHead(405).end());
  peer.server.on('connect', (req, client, head) => {
    const { hostname, port } = new URL(`http://${req.url}`);
    const target = net.connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      target.write(head);
      target.pipe(client).pipe(target);
    });
    for (const [one, other] of [[client, target], [target, client]]) {
      one.on('error', () => {}).on('close', () => other.destroy());
    }
  });
  return peer;
}

/** A TLS server that answers HTTP. */
async function serveTls() {
  const server = nodeHttps.createServer(certificate, (req, res) => req.pipe(res));
  server.on('connection', (socket) => cleanUp(() => socket.destroy()));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  cleanUp(() => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  }));
  return server.address().port;
}

function connectTo(proxy, authority, options) {
  const req = http.request({ ...proxy.address, method: 'CONNECT', path: authority, ...options });
  req.end();
  return req;
}

/**
 * Has all requests to a peer verify its name as that of localhost. Newer releases of Node take the name from `Host`,
 * which is the target's in CONNECT.
 */
function named(peer) {
  peer.address.servername = 'localhost';
  return peer;
}

describeTransports("'connect'", (transport) => {
  it.each([
    ['200', 'HTTP/1.1 200 Connection Established\r\n\r\n', 200],
    ['204 ', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
    ['200 with Content-Length, which has no meaning', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', 200],
    ['200 with Transfer-Encoding, which has no meaning', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 200],
    ['407', 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\n', 407],
  ])('comes for %s, with the response, the socket and the head', async (_, answer, statusCode) => {
    for (const bytes of ['', 'x', 'the first bytes']) {
      const peer = named(await transport.serveAnswer(answer + bytes));
      const agent = await transport.agentTo(peer);
      const req = connectTo(peer, 'target.test:443', { agent });
      const { events } = record(req);
      const [res, socket, head] = await once(req, 'connect');
      expect(res.statusCode).toBe(statusCode);
      expect(res.upgrade).toBe(true);
      expect(socket).toBe(req.socket);
      expect(socket).toBeInstanceOf(net.Socket);
      expect(head.toString()).toBe(bytes);
      await until(() => req.closed);
      expect(events).toEqual(['req socket', 'req finish', 'req connect', 'req close']);
      await untilPoolIsEmpty(agent);
      socket.destroy();
    }
  });

  it('is asked for with the authority as the target, and no body', async () => {
    const peer = named(await transport.serveAnswer('HTTP/1.1 200 OK\r\n\r\n'));
    const agent = await transport.agentTo(peer);
    const headers = { 'Proxy-Authorization': 'Basic x' };
    const req = connectTo(peer, 'target.test:443', { agent, headers });
    const [, socket] = await once(req, 'connect');
    expect(peer.heads[0]).toMatch(/^CONNECT target\.test:443 HTTP\/1\.1\r\nProxy-Authorization: Basic x\r\nHost: /);
    expect(peer.heads[0]).not.toMatch(/content-length|transfer-encoding/i);
    socket.destroy();
  });

  it('is not needed: without a listener the connection is closed', async () => {
    const peer = named(await transport.serveAnswer('HTTP/1.1 200 OK\r\n\r\nhead'));
    const agent = await transport.agentTo(peer);
    const req = connectTo(peer, 'target.test:443', { agent });
    const { events } = record(req);
    await until(() => req.closed);
    expect(events).toEqual(['req socket', 'req finish', 'req close']);
    await untilNoConnections(peer);
    await untilPoolIsEmpty(agent);
  });
});

describe('a tunnel', () => {
  it('carries bytes both ways', async () => {
    const target = net.createServer((socket) => socket.pipe(socket));
    await new Promise((resolve) => { target.listen(0, '127.0.0.1', resolve); });
    cleanUp(() => new Promise((resolve) => { target.close(resolve); }));
    const req = connectTo(await serveProxy(), `127.0.0.1:${target.address().port}`);
    const [, socket] = await once(req, 'connect');
    const bytes = pseudoRandomBytes(3 << 20);
    const received = bytesOf(socket);
    socket.end(bytes);
    expect((await received).equals(bytes)).toBe(true);
  });

  it('carries TLS over the same socket', async () => {
    const port = await serveTls();
    const [, socket] = await once(connectTo(await serveProxy(), `127.0.0.1:${port}`), 'connect');
    const secure = tls.connect({ socket, ca: certificate.cert, servername: 'localhost' });
    await once(secure, 'secureConnect');
    expect(secure.authorized).toBe(true);
    secure.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect((await bytesOf(secure)).toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it.each([[0], [1], [2 << 20]])('carries an HTTPS request of %i bytes and its response', async (size) => {
    const port = await serveTls();
    const body = pseudoRandomBytes(size);
    const [, socket] = await once(connectTo(await serveProxy(), `127.0.0.1:${port}`), 'connect');
    const req = nodeHttps.request({
      method: 'POST',
      host: 'localhost',
      createConnection: () => tls.connect({ socket, ca: certificate.cert, servername: 'localhost' }),
    });
    const response = responseTo(req);
    req.end(body);
    expect((await bytesOf(await response)).equals(body)).toBe(true);
  });

  it('ends when the proxy refuses and closes, also where nobody reads', async () => {
    const proxy = await serveRaw((socket) => onRequestHead(socket, () => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')));
    const [res, socket, head] = await once(connectTo(proxy, 'localhost:1'), 'connect');
    expect(res.statusCode).toBe(403);
    socket.unshift(head);
    await once(socket, 'close');
    expect(socket.destroyed).toBe(true);
  });

  it('ends when the proxy does', async () => {
    const port = await serveTls();
    const proxy = await serveProxy();
    const [, socket] = await once(connectTo(proxy, `127.0.0.1:${port}`), 'connect');
    socket.on('error', () => {});
    const closed = new Promise((resolve) => { socket.once('close', resolve); });
    socket.resume();
    proxy.accepted[0].destroy();
    await closed;
    expect(socket.destroyed).toBe(true);
  });
});

describe('the target of a CONNECT whose proxy is a URL', () => {
  /** Asks with this client, and gives the path of the request and the head that came, with PORT in it. */
  async function askWith(client, pathOfUrl, options) {
    const peer = await serveAnswer('HTTP/1.1 407 No\r\n\r\n', { end: true });
    const { host, port } = peer.address;
    const req = client.request(`http://${host}:${port}${pathOfUrl}`, { agent: false, ...options });
    req.end();
    await Promise.race([once(req, 'connect').then(([, socket]) => socket.destroy()), once(req, 'response')]);
    return [req.path, ...peer.heads].map((text) => text.replaceAll(String(port), 'PORT'));
  }

  it.each([
    ['/origin.test:443', { method: 'CONNECT' }],
    ['/origin.test:443', { method: 'connect' }],
    ['//origin.test:443', { method: 'CONNECT' }],
    ['/origin.test:443?query', { method: 'CONNECT' }],
    ['', { method: 'CONNECT' }],
    ['/', { method: 'CONNECT' }],
    ['/origin.test:443', { method: 'CONNECT', path: '/other.test:1' }],
    ['/origin.test:443', { method: 'CONNECT', path: undefined }],
    ['/origin.test:443', { method: 'CONNECT', headers: { Host: 'mine' } }],
    ['/origin.test:443', { method: 'CONNECT', headers: ['Name', 'value'] }],
    ['/origin.test:443', { method: 'CONNECT', setHost: false }],
    ['/origin.test:443', { method: 'GET' }],
  ])('is that of Node for %s and %j', async (pathOfUrl, options) => {
    expect(await askWith(http, pathOfUrl, options)).toEqual(await askWith(nodeHttp, pathOfUrl, options));
  });
});
