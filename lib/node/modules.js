'use strict';

/**
 * Gives node:http and node:https with Node's own clients in them, also while another copy of ferrequest is registered.
 *
 * Jest loads modules anew for each test file, and all copies share one node:http. A copy that took the classes of the
 * copy before for Node's would keep that alive, and every request would go through both.
 */

/**
 * Own property of node:http while a copy is registered: `unregister`, and the descriptors of what was there before.
 * @type {symbol}
 */
const kRegistered = Symbol.for('ferrequest.registered');

/**
 * Puts Node's own client back into a module, for the reader alone.
 * @param {'http'|'https'} name
 * @param {object} module
 * @returns {object}
 */
function withNodeClient(name, module) {
  const before = require('node:http')[kRegistered]?.before[name];
  return before ? Object.create(module, before) : module;
}

/**
 * Lists the exports of a module. Only strings name one: a registered copy leaves a symbol there.
 * @param {object} module
 * @returns {PropertyDescriptorMap}
 */
function exportsOf(module) {
  const names = Object.getOwnPropertyNames(module);
  return Object.fromEntries(names.map((name) => [name, Object.getOwnPropertyDescriptor(module, name)]));
}

module.exports = {
  exportsOf,
  // Each is loaded at its first use: https loads TLS, and a startup snapshot can hold neither.
  get http() {
    return withNodeClient('http', require('node:http'));
  },
  get https() {
    return withNodeClient('https', require('node:https'));
  },
  kRegistered,
};
