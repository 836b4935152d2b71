'use strict';

/** Opens a WebSocket through an HTTP proxy: CONNECT makes the tunnel, and the package ws speaks through it. */

const net = require('node:net');
const { createServer } = require('node:http');
const { once } = require('node:events');
const { WebSocket, WebSocketServer } = require('ws');

const http = require('ferrequest');
const { listen } = require('./support/server.js');

/** Makes a proxy that opens a tunnel for each CONNECT request. */
function createProxy() {
  return createServer().on('connect', (request, client, head) => {
    const { hostname, port } = new URL(`http://${request.url}`);
    const server = net.connect(port, hostname, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      server.write(head);
      client.pipe(server).pipe(client);
    });
    server.on('error', () => client.destroy());
    client.on('error', () => server.destroy());
  });
}

/** @returns {Promise<net.Socket>} a connection to the target, through the proxy */
async function tunnel(proxyPort, target) {
  const request = http.request({ host: '127.0.0.1', port: proxyPort, method: 'CONNECT', path: target, agent: false });
  request.end();
  const [response, socket] = await once(request, 'connect');
  if (response.statusCode !== 200) throw new Error(`The proxy answers ${response.statusCode}`);
  return socket;
}

async function main() {
  const proxy = await listen(createProxy());
  const origin = createServer();
  const sockets = new WebSocketServer({ server: origin });
  sockets.on('connection', (socket) => socket.on('message', (message) => socket.send(`echo of ${message}`)));
  const server = await listen(origin);

  const connection = await tunnel(proxy.port, `127.0.0.1:${server.port}`);
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`, { createConnection: () => connection });
  await once(socket, 'open');
  socket.send('hello');
  const [message] = await once(socket, 'message');
  console.log(String(message));
  socket.close();
  await once(socket, 'close');
  await Promise.all([server.close(), proxy.close()]);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
