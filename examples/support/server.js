'use strict';

/** Starts the servers of the examples, on a free port of the loopback interface. */

const { once } = require('node:events');

/**
 * @param {import('node:net').Server} server
 * @param {string} [path] of a Unix domain socket
 * @returns {Promise<{ port: number, url: string, close(): Promise<void> }>}
 */
async function listen(server, path) {
  await once(path ? server.listen(path) : server.listen(0, '127.0.0.1'), 'listening');
  const port = path ? 0 : server.address().port;
  const close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections?.();
  });
  return { port, url: `http://127.0.0.1:${port}/`, close };
}

module.exports = { listen };
