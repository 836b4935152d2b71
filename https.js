'use strict';

/**
 * ferrequest/https: everything that node:https exports, with the client replaced. TLS stays Node's own: its sockets
 * are foreign ones, from which the Rust decoder reads.
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
