'use strict';

/**
 * node:http and node:https with Node's own clients in them, also while another copy of ferrequest is registered: Jest
 * loads modules anew for each test file, and all copies share one node:http. A copy that took the classes of the one
 * before for Node's would keep that alive, and have every request go through both.
 */

const http = require('node:http');

/**
 * Own property of node:http while a copy is registered: `unregister`, and the descriptors of what was there before.
 * @type {symbol}
 */
const kRegistered = Symbol.for('ferrequest.registered');

/**
 * @param {'http'|'https'} name
 * @param {object} module
 */
function withNodeClient(name, module) {
  const before = http[kRegistered]?.before[name];
  return before ? Object.create(module, before) : module;
}

/** Those of strings alone: what a registered copy leaves there is no export. */
function exportsOf(module) {
  const names = Object.getOwnPropertyNames(module);
  return Object.fromEntries(names.map((name) => [name, Object.getOwnPropertyDescriptor(module, name)]));
}

module.exports = {
  exportsOf,
  http: withNodeClient('http', http),
  /** Loaded when it is asked for, because it loads TLS. */
  get https() {
    return withNodeClient('https', require('node:https'));
  },
  kRegistered,
};
