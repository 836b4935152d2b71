'use strict';

/**
 * Starts the demo's server, one of Node's own on a free port of the loopback interface, with a path for each step of
 * the demo. The server records what it sees, so that the demo can check each step from the other end.
 */

const { createHash } = require('node:crypto');
const { EventEmitter, once } = require('node:events');
const { createServer } = require('node:http');
const { pipeline } = require('node:stream/promises');

const PIECE = 64 * 1024;

/**
 * @param {number} index
 * @returns {Buffer} bytes that differ from piece to piece and from place to place within one
 */
function piece(index) {
  const bytes = Buffer.allocUnsafe(PIECE);
  for (let i = 0; i < PIECE; i += 4) bytes.writeUInt32LE(Math.imul(index * PIECE + i, 0x9e3779b1) >>> 0, i);
  return bytes;
}

/** Sends the number of pieces that is in the path, chunked, and their SHA-256 as a trailer. */
async function sendStream(request, response) {
  const count = Number(request.url.split('/').pop());
  const hash = createHash('sha256');
  function* pieces() {
    for (let index = 0; index < count; index++) {
      const bytes = piece(index);
      hash.update(bytes);
      yield bytes;
    }
  }
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', Trailer: 'X-SHA256' });
  await pipeline(pieces, response, { end: false });
  response.addTrailers({ 'X-SHA256': hash.digest('hex') });
  response.end();
}

/** Answers with the length, the framing and the SHA-256 of the body that it gets. */
async function takeUpload(request, response) {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  response.writeHead(201, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ bytes, encoding: request.headers['transfer-encoding'], sha256: hash.digest('hex') }));
}

/** Sends for as long as the client stays. */
function sendForever(events, response) {
  response.writeHead(200);
  const bytes = piece(0);
  const send = () => {
    while (!response.destroyed && response.write(bytes));
  };
  response.on('drain', send);
  response.once('close', () => events.emit('client left'));
  send();
}

/** Sends all bytes back over the raw connection. The greeting leaves in one write with the header. */
function echo(request, socket, head) {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nwelcome');
  if (head.length > 0) socket.write(head);
  socket.pipe(socket);
  socket.on('error', () => socket.destroy());
}

/**
 * @returns {Promise<{ port: number, events: EventEmitter, connections(): number, close(): Promise<void> }>}
 *   `events` emits 'client left' when an endless response, or the silence, is cut short
 */
async function startServer() {
  const events = new EventEmitter();
  const upgraded = new Set();
  let connections = 0;
  const server = createServer((request, response) => {
    if (request.url.startsWith('/stream/')) return sendStream(request, response);
    if (request.url === '/upload') return takeUpload(request, response);
    if (request.url === '/endless') return sendForever(events, response);
    if (request.url === '/silence') return response.once('close', () => events.emit('client left'));
    if (request.url === '/connection') return response.end(String(request.socket.number));
    return response.writeHead(404).end();
  });
  server.on('connection', (socket) => { socket.number = ++connections; });
  server.on('checkContinue', (request, response) => {
    response.writeContinue();
    takeUpload(request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    upgraded.add(socket);
    echo(request, socket, head);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    events,
    connections: () => connections,
    async close() {
      server.close();
      server.closeAllConnections();
      // Upgraded sockets are no longer the server's, so it does not close them.
      for (const socket of upgraded) socket.destroy();
      if (server.listening) await once(server, 'close');
    },
  };
}

module.exports = { startServer };
