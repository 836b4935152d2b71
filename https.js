'use strict';

/**
 * Exports all that node:https exports, with the client replaced. TLS is Node's own: the Rust decoder reads from its
 * sockets as from any stream.
 */

const https = require('node:https');

require('./index');
const client = require('./lib/https/client');
const { exportsOf } = require('./lib/node/modules');
const { accessor, method } = require('./lib/node/descriptors');

module.exports = Object.defineProperties({}, {
  ...exportsOf(https),
  Agent: method(client.Agent),
  get: method(client.get),
  globalAgent: accessor(client.getGlobalAgent, client.setGlobalAgent),
  request: method(client.request),
});
