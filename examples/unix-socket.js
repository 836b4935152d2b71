'use strict';

/**
 * Asks a server behind a Unix domain socket, such as Docker's daemon: `node examples/unix-socket.js [SOCKET PATH]`.
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { createServer } = require('node:http');
const { once } = require('node:events');
const { text } = require('node:stream/consumers');

const http = require('ferrequest');
const { listen } = require('./support/server.js');

async function ask(socketPath, target) {
  const [response] = await once(http.get({ socketPath, path: target, headers: { Host: 'localhost' } }), 'response');
  console.log(response.statusCode, await text(response));
}

async function main([socketPath, target = '/_ping']) {
  if (socketPath) {
    await ask(socketPath, target);
    return;
  }
  const folder = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'ferrequest-'));
  const own = path.join(folder, 'http.sock');
  const server = await listen(createServer((request, response) => response.end(`${request.url} was asked`)), own);
  await ask(own, target);
  await server.close();
  await fs.promises.rm(folder, { recursive: true });
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
