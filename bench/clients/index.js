'use strict';

const path = require('node:path');

const { undiciPackage } = require('./undici-package');

const ROOT = path.join(__dirname, '..', '..');

/**
 * The clients that are compared.
 *
 * A client's module exports `open(target, module)`, which gives a session: `send(done)` makes one request and calls
 * `done(error)` once its answer has been read to the end and found right, `close()` gives everything back.
 *
 * @typedef {object} Target
 * @property {'http:' | 'https:'} protocol
 * @property {string} host
 * @property {number} port
 * @property {string} origin
 * @property {import('../workloads').RequestSpec} request
 * @property {number} connections
 * @property {boolean} newConnections
 * @property {string} [ca] the server's certificate in PEM, where the client is to be told which to trust
 * @property {import('../workloads').Workload['sessions']} sessions
 *
 * @typedef {object} Session
 * @property {(done: (error?: Error | null) => void) => void} send
 * @property {() => void} close
 *
 * @typedef {object} Client
 * @property {string} id
 * @property {string} label
 * @property {string} [file] the module that drives it; none for a program
 * @property {string} [baseline] the client that its ratios are to
 * @property {string} [module] where the implementation is loaded from, for those that share a driver
 * @property {boolean} [registered] with ferrequest in place of the client of node:http
 * @property {string} [package] the npm package whose version is reported
 * @property {boolean} [ours] ferrequest, or something on top of it
 */

/** @type {Client[]} */
const clients = [
  { id: 'node', label: 'node:http', file: 'http-api', module: 'node:http' },
  { id: 'fetch', label: 'fetch', file: 'fetch' },
  { id: 'undici-request', label: 'undici.request', file: 'undici-request', package: 'undici' },
  { id: 'undici-dispatch', label: 'undici.dispatch', file: 'undici-dispatch', package: 'undici' },
  { id: 'ferrequest', label: 'ferrequest', file: 'http-api', module: ROOT, ours: true },
  { id: 'axios', label: 'axios', file: 'axios', package: 'axios' },
  {
    id: 'axios-ferrequest',
    label: 'axios on ferrequest',
    file: 'axios',
    baseline: 'axios',
    package: 'axios',
    registered: true,
    ours: true,
  },
  { id: 'got', label: 'got', file: 'got', package: 'got' },
  {
    id: 'got-ferrequest',
    label: 'got on ferrequest',
    file: 'got',
    baseline: 'got',
    package: 'got',
    registered: true,
    ours: true,
  },
  { id: 'net-socket', label: 'net.Socket, no HTTP', file: 'net-socket' },
  { id: 'wrk', label: 'wrk (C, the limit)' },
];

/**
 * @param {string} id
 * @returns {Client}
 */
function clientById(id) {
  const found = clients.find((client) => client.id === id);
  if (!found) {
    throw new Error(`no client is called ${id}; there are ${clients.map((client) => client.id).join(', ')}`);
  }
  return found;
}

/**
 * Finds the package that a client is loaded from, which for undici depends on the Node.
 *
 * @param {Client} client
 * @param {string} nodeVersion such as `24.1.0`
 * @returns {string | undefined} Undefined for a client that no package has.
 */
function packageOf(client, nodeVersion) {
  return client.package === 'undici' ? undiciPackage(nodeVersion) : client.package;
}

/**
 * Another checkout of ferrequest, to be measured beside this one.
 *
 * @param {string} directory
 * @returns {Client}
 */
function otherCheckout(directory) {
  return {
    id: 'ferrequest-other',
    label: `ferrequest in ${path.basename(directory)}`,
    file: 'http-api',
    baseline: 'ferrequest',
    module: path.resolve(directory),
    ours: true,
  };
}

module.exports = { clients, clientById, packageOf, otherCheckout, ROOT };
