'use strict';

/**
 * The peers of the scenarios, in the process of the client: two origins, one with TLS, one on a Unix domain socket, and
 * a proxy. They are Node's own servers.
 */

const { createHash } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const zlib = require('node:zlib');
const certificates = require('../../support/certificates');

/** Bytes of a download, of which no two pieces are alike. */
const DOWNLOAD = createHash('shake256', { outputLength: 3_000_000 }).update('download').digest();

/** Request headers that `/mirror` tells of. */
const MIRRORED = ['authorization', 'content-type', 'content-length', 'transfer-encoding', 'cookie', 'expect'];

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/**
 * Handlers by the first part of a path.
 * @type {Record<string, (req: http.IncomingMessage, res: http.ServerResponse, rest: string[]) => void>}
 */
const ROUTES = {
  mirror,
  download: (req, res) => res.end(DOWNLOAD),
  status: (req, res, [code]) => res.writeHead(Number(code), { 'Content-Type': 'text/plain' }).end(`status ${code}`),
  redirect: (req, res, [code, ...target]) => {
    req.resume();
    res
      .writeHead(Number(code), { Location: decodeURIComponent(target.join('/')), 'Set-Cookie': 'a=b; Path=/' })
      .end();
  },
  compressed: (req, res, [encoding]) => {
    const compress = { gzip: zlib.gzipSync, deflate: zlib.deflateSync, br: zlib.brotliCompressSync }[encoding];
    res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Encoding': encoding });
    res.end(compress('compressed '.repeat(20_000)));
  },
  // Neither an answer nor an end.
  silent: (req) => req.resume(),
  half: (req, res) => res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 10 }).write('hello'),
  cut: (req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 10 });
    res.write('hello', () => res.socket.end());
  },
  hangup: (req) => req.socket.end(),
  reset: (req) => req.socket.resetAndDestroy(),
  malformed: (req, res) => res.socket.end('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n'),
  early: (req, res) => {
    // A refusal while the request is being sent.
    res.writeHead(413, { 'Content-Type': 'text/plain', Connection: 'close' }).end('too large');
  },
};

/** Answers with what was asked, as JSON; what differs from one run to the next is replaced. */
async function mirror(req, res) {
  const bytes = Buffer.concat(await req.toArray());
  const headers = Object.fromEntries(
    MIRRORED.filter((name) => name in req.headers).map((name) => [name, req.headers[name]]),
  );
  let body = bytes.toString('latin1');
  const boundary = /boundary="?([^";]+)/.exec(headers['content-type'])?.[1];
  if (boundary) {
    body = body.replaceAll(boundary, 'BOUNDARY');
    headers['content-type'] = headers['content-type'].replace(boundary, 'BOUNDARY');
  }
  const told = body.length > 2000 ? { length: bytes.length, sha256: sha256(boundary ? body : bytes) } : { body };
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ method: req.method, url: req.url, headers, ...told }));
}

/** A peer that counts what it gets. */
class Peer {
  asked = [];
  connections = 0;
  #sockets = new Set();

  constructor(name, server) {
    this.name = name;
    this.server = server;
    server.on('connection', (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    });
  }

  async listen(where = { port: 0, host: '127.0.0.1' }) {
    this.server.listen(where);
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    return this;
  }

  get openConnections() {
    return this.#sockets.size;
  }

  close() {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function route(req, res) {
  const [, name, ...rest] = req.url.split('?')[0].split('/');
  if (Object.hasOwn(ROUTES, name)) ROUTES[name](req, res, rest);
  else res.writeHead(404).end(`no route ${name}`);
}

function serveOrigin(name, createServer = http.createServer, options = {}) {
  const peer = new Peer(
    name,
    createServer(options, (req, res) => {
      peer.asked.push(`${req.method} ${req.url}`);
      route(req, res);
    }),
  );
  return peer;
}

function noteAsked(peer, { method, url, headers }) {
  const credentials = headers['proxy-authorization'];
  peer.asked.push(`${method} ${url}${credentials ? ` by ${credentials}` : ''}`);
}

/** A proxy, for CONNECT and for requests in absolute form (RFC 9112 section 3.2.2), which it answers itself. */
function serveProxy() {
  const peer = new Peer(
    'proxy',
    http.createServer((req, res) => {
      noteAsked(peer, req);
      const { pathname, search } = new URL(req.url);
      req.url = pathname + search;
      route(req, res);
    }),
  );
  peer.server.on('connect', (req, socket, head) => {
    noteAsked(peer, req);
    if (req.url.startsWith('refused.test:')) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nwho?');
      return;
    }
    const onward = net.connect(new URL(`http://${req.url}`).port || 80, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [socket, onward])
    {end.on('error', () => {
      socket.destroy();
      onward.destroy();
    });}
    socket.on('close', () => onward.destroy());
  });
  return peer;
}

/** @returns {Promise<number>} a port of 127.0.0.1 on which no process listens */
async function unusedPort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts all of them. */
async function startPeers() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
  const socketPath = path.join(folder, 's');
  const [origin, other, secure, unix, proxy, refused] = await Promise.all([
    serveOrigin('origin').listen(),
    serveOrigin('other').listen(),
    serveOrigin('secure', https.createServer, certificates.local).listen(),
    serveOrigin('unix').listen(socketPath),
    serveProxy().listen(),
    unusedPort(),
  ]);
  const peers = [origin, other, secure, unix, proxy];
  const names = new Map(peers.filter(({ port }) => port).map(({ name, port }) => [port, name]));
  names.set(refused, 'refused');
  return {
    origin,
    other,
    secure,
    unix,
    proxy,
    peers,
    socketPath,
    url: `http://127.0.0.1:${origin.port}`,
    otherUrl: `http://localhost:${other.port}`,
    secureUrl: `https://127.0.0.1:${secure.port}`,
    refusedUrl: `http://127.0.0.1:${refused}`,
    proxyUrl: `http://127.0.0.1:${proxy.port}`,
    /** Replaces what differs from one run to the next. */
    normalize(text) {
      let result = text.replaceAll(socketPath, 'SOCKET');
      for (const [port, name] of names)
      {result = result.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), name.toUpperCase());}
      return result;
    },
    name(port, name) {
      names.set(port, name);
    },
    close() {
      for (const peer of peers) peer.close();
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

module.exports = { DOWNLOAD, Peer, sha256, startPeers };
