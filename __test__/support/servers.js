'use strict';

/** Real peers on free ports, closed after the test: Node's HTTP server, and raw ones that send exact bytes. */

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { cleanUp } = require('./cleanup');
const client = require('./http');
const { peerHasReadAll } = require('./kernel');
const { turnOfEventLoop, until } = require('./wait');

/** Sockets of peers whose client reads on this thread. @type {WeakSet<net.Socket>} */
const readHere = new WeakSet();

/**
 * Starts Node's own HTTP server.
 * @param {http.RequestListener} [handler]
 * @param {http.ServerOptions & { listen?: object }} [options] listen: what to listen on instead of 127.0.0.1:0
 * @returns {Promise<Peer & { server: http.Server }>}
 */
function serve(handler, { listen, ...options } = {}) {
  return listening(http.createServer(options, handler), listen);
}

/**
 * Starts a TCP server that speaks for itself.
 * @param {(socket: net.Socket, index: number) => void} onConnection index counts connections from 0
 * @param {object} [listen] what to listen on instead of 127.0.0.1:0
 * @returns {Promise<Peer & { server: net.Server }>}
 */
function serveRaw(onConnection, listen) {
  let count = 0;
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.setNoDelay(true);
    onConnection(socket, count++);
  });
  return listening(server, listen);
}

/**
 * A raw server that answers each request head with given bytes.
 * @param {string | Buffer | (string | Buffer)[] | ((head: string, index: number) => string | Buffer)} answer
 *   an array is sent segment by segment, each only after the client has read the one before
 * @param {{ end?: boolean, serveWith?: typeof serveRaw }} [options] end: close the connection after the answer
 * @returns {Promise<Peer & { heads: string[] }>} heads: what was asked
 */
async function serveAnswer(answer, { end = false, serveWith = serveRaw } = {}) {
  const heads = [];
  const peer = await serveWith((socket) => {
    socket.on('end', () => socket.end());
    onRequestHead(socket, async (head) => {
      heads.push(head);
      const bytes = typeof answer === 'function' ? answer(head, heads.length - 1) : answer;
      await sendSegments(socket, Array.isArray(bytes) ? bytes : [bytes]);
      if (end) socket.end();
    });
  });
  return Object.assign(peer, { heads });
}

/**
 * A raw server that keeps what it is sent and answers with an empty 200 when a request is whole.
 * @param {(text: string) => boolean} [isWhole] whether that (latin1) is a whole request; by default one that ends in an
 *   empty line, as a header without a body and a chunked body without trailers do
 * @param {typeof serveRaw} [serveWith]
 * @returns {Promise<Peer & { wire: () => string }>} wire: all that came so far, as latin1
 */
async function serveWire(isWhole = (text) => text.endsWith('\r\n\r\n'), serveWith = serveRaw) {
  let all = '';
  const peer = await serveWith((socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      all += chunk.toString('latin1');
      text += chunk.toString('latin1');
      if (isWhole(text)) {
        text = '';
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      }
    });
    socket.on('end', () => socket.end());
  });
  return Object.assign(peer, { wire: () => all });
}

/**
 * Calls back with each request header block that arrives (bodies are not understood: use it for requests without one).
 * @param {net.Socket} socket
 * @param {(head: string) => void} onHead
 */
function onRequestHead(socket, onHead) {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    for (let end; (end = text.indexOf('\r\n\r\n')) !== -1;) {
      const head = text.slice(0, end + 4);
      text = text.slice(end + 4);
      onHead(head);
    }
  });
}

/**
 * Sends each chunk in a TCP segment of its own, and the next only when the client under test (in this process) has read
 * the one before, so that no two of them meet in its receive queue.
 * @param {net.Socket} socket
 * @param {(string | Buffer)[]} segments
 */
async function sendSegments(socket, segments) {
  const last = segments.length - 1;
  for (const [index, segment] of segments.entries()) {
    if (socket.destroyed || segment.length === 0) continue;
    const before = client.stats?.().bytesIn;
    await new Promise((resolve) => { socket.write(segment, 'latin1', resolve); });
    if (index < last) await untilRead(socket, before + segment.length);
  }
}

/** Waits until the client has read what was just sent to it, which brings the count of its bytes to `bytesIn`. */
async function untilRead(socket, bytesIn) {
  // A client that reads on this thread does so the next time that the event loop polls; so does Node's.
  await turnOfEventLoop();
  await turnOfEventLoop();
  if (client.stats?.().mode !== 'native' || readHere.has(socket)) return;
  // For any other stream that the I/O thread does not read there is the kernel's table, which is slow to look at.
  let looks = 0;
  const isRead = () => client.stats().bytesIn >= bytesIn || (++looks % 32 === 0 && peerHasReadAll(socket));
  await until(() => socket.destroyed || isRead(), 'the client to read a segment');
}

/**
 * @param {string | Buffer} bytes
 * @returns {Buffer[]} the same in segments of one byte
 */
function byteByByte(bytes) {
  return Array.from(Buffer.from(bytes, 'latin1'), (byte) => Buffer.from([byte]));
}

/** @returns {string} a path for a Unix domain socket, removed after the test */
function socketPath() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 's');
}

/**
 * @typedef {object} Peer
 * @property {number} port
 * @property {{ host: string, port: number } | { socketPath: string }} address options of a request to it
 * @property {Set<net.Socket>} sockets the connections that are open now
 * @property {net.Socket[]} accepted all connections there were, in order
 * @property {() => Promise<void>} close stops it and resets what is open
 */

async function listening(server, listen = { port: 0, host: '127.0.0.1' }) {
  const sockets = new Set();
  const accepted = [];
  server.on('connection', (socket) => {
    sockets.add(socket);
    accepted.push(socket);
    // A client may reset its connection in many of these tests; that is its right.
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  const close = () => new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
  cleanUp(close);
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen, resolve);
  });
  const bound = server.address();
  const address = typeof bound === 'string' ? { socketPath: bound } : { host: bound.address, port: bound.port };
  return { server, port: bound.port, address, sockets, accepted, close };
}

module.exports = {
  readHere, serve, serveRaw, serveAnswer, serveWire, onRequestHead, sendSegments, byteByByte, socketPath,
};
