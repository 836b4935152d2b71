'use strict';

/**
 * Exports all that node:https exports, with the client replaced; or with Node's own, where ours cannot run. TLS is
 * Node's own: the Rust decoder reads from its sockets as from any stream.
 */

const { mode } = require('./lib/ladder/rung');

/**
 * Wires the client in Rust.
 * @returns {typeof import('./https')}
 */
function ours() {
  const https = require('node:https');

  require('./index');
  const client = require('./lib/https/client');
  const { loadUnlessBundled } = require('./lib/node/late');
  const { exportsOf } = require('./lib/node/modules');
  const { accessor, method } = require('./lib/node/descriptors');

  loadUnlessBundled();
  return Object.defineProperties({}, {
    ...exportsOf(https),
    Agent: method(client.Agent),
    get: method(client.get),
    globalAgent: accessor(client.getGlobalAgent, client.setGlobalAgent),
    request: method(client.request),
  });
}

module.exports = mode === 'node' ? require('./lib/ladder/node-client').https() : ours();
