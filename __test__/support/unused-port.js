'use strict';

const net = require('node:net');

/** @returns {Promise<number>} a port of 127.0.0.1 on which no process listens */
async function unusedPort() {
  const server = net.createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

module.exports = { unusedPort };
