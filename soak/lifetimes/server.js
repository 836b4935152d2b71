'use strict';

/** A server in this process for clients that come to a sudden end. */

const { once } = require('node:events');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');

const certificates = require('../../__test__/support/certificates');

const LARGE = Buffer.alloc(2_000_000, 'large');

function onRequest(req, res) {
  req.on('error', () => {});
  if (req.url === '/never') {
    // Slowly, so that the client has to wait; without reading, the server would not learn of the client's end.
    req.on('data', () => {
      req.pause();
      setTimeout(() => req.resume(), 2);
    });
    return;
  }
  req.resume();
  if (req.url === '/half') res.write('half');
  else if (req.url === '/large') res.end(LARGE);
  else req.on('end', () => res.end('whole'));
}

/** Answers what it is sent. */
function onUpgrade(req, socket) {
  socket.on('error', () => {});
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nfirst');
  socket.pipe(socket);
}

/**
 * Starts the server.
 * @returns {Promise<{ ports: { plain: number, tls: number, silent: number }, count: () => number,
 *   close: () => Promise<void> }>} count: how many connections are open
 */
async function serve() {
  const sockets = new Set();
  const servers = {
    plain: http.createServer(onRequest).on('upgrade', onUpgrade),
    tls: https.createServer(certificates.local, onRequest).on('upgrade', onUpgrade),
    silent: net.createServer((socket) => socket.resume()),
  };
  // A process that the system has stopped for seconds would close connections whose next request it has not read.
  servers.plain.keepAliveTimeout = 0;
  servers.tls.keepAliveTimeout = 0;
  const ports = {};
  for (const [name, server] of Object.entries(servers)) {
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    });
    server.on('tlsClientError', () => {}).on('clientError', (error, socket) => socket.destroy());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    ports[name] = server.address().port;
  }
  const close = async () => {
    for (const server of Object.values(servers)) server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { ports, count: () => sockets.size, close };
}

module.exports = { serve };
