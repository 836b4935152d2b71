'use strict';

/**
 * Puts the client in place of that of node:http and node:https, for the whole process or worker:
 * `node --require ferrequest/register`, `node --import ferrequest/register`, or `require('ferrequest/register')`.
 */

const { mode } = require('./lib/ladder/rung');
const { warnOnce } = require('./lib/ladder/warnings');
const { kRegistered } = require('./lib/node/modules');

/**
 * Loads all that registering needs. Not later, because Jest gives another copy of a module then, or none at all; and
 * not for Node's own client, because a startup snapshot can hold none of it.
 * @returns {object} The modules, and a function of node:module.
 */
function loadModules() {
  return {
    ferrequest: require('./index'),
    ferrequestHttps: require('./https'),
    http: require('node:http'),
    https: require('node:https'),
    syncBuiltinESMExports: require('node:module').syncBuiltinESMExports,
  };
}

const { ferrequest, ferrequestHttps, http, https, syncBuiltinESMExports } = mode === 'node' ? {} : loadModules();

const HTTP_NAMES = ['request', 'get', 'ClientRequest', 'Agent', 'globalAgent', 'setGlobalProxyFromEnv'];
const HTTPS_NAMES = ['request', 'get', 'Agent', 'globalAgent'];

/** Descriptors that this copy has put there. @type {{ http: PropertyDescriptorMap, https: PropertyDescriptorMap }} */
let ours;

/** Replaces the client, unless it is Node's own. Doing it twice is the same as doing it once. */
function register() {
  if (mode === 'node') return;
  const registered = http[kRegistered];
  if (registered?.unregister === unregister) return;
  // Another copy of ferrequest, which would otherwise stay below this one for good.
  registered?.unregister();
  if (!isOfNode(http.request)) {
    warnOnce('FERREQUEST_REGISTERED_LATE', 'Another library has replaced http.request, for tracing or mocking. ' +
      'ferrequest/register takes its place: it sees no request from now on. Load ferrequest/register before it. ' +
      'See docs/troubleshooting.md#ferrequest_registered_late');
  }
  const httpNames = HTTP_NAMES.filter((name) => name in http);
  const before = { http: pick(http, httpNames), https: pick(https, HTTPS_NAMES) };
  ours = { http: pick(ferrequest, httpNames), https: pick(ferrequestHttps, HTTPS_NAMES) };
  Object.defineProperties(http, ours.http);
  Object.defineProperties(https, ours.https);
  Object.defineProperty(http, kRegistered, { __proto__: null, value: { before, unregister }, configurable: true });
  syncBuiltinESMExports();
}

/**
 * Tells whether `http.request` is Node's own. A wrapper around it keeps the function that it has found to itself, so
 * that nothing can be put underneath.
 * @param {Function} request
 * @returns {boolean}
 */
function isOfNode(request) {
  return Function.prototype.toString.call(request).includes('return new ClientRequest(');
}

/** Puts Node's client back, except where another library has taken our place since. */
function unregister() {
  const registered = http?.[kRegistered];
  if (registered?.unregister !== unregister) return;
  delete http[kRegistered];
  putBack(http, ours.http, registered.before.http);
  putBack(https, ours.https, registered.before.https);
  syncBuiltinESMExports();
}

/**
 * Picks descriptors of a module.
 * @param {object} module
 * @param {string[]} names
 * @returns {PropertyDescriptorMap}
 */
function pick(module, names) {
  return Object.fromEntries(names.map((name) => [name, Object.getOwnPropertyDescriptor(module, name)]));
}

/**
 * Puts descriptors back where ours are still in place.
 * @param {object} module
 * @param {PropertyDescriptorMap} installed
 * @param {PropertyDescriptorMap} before
 */
function putBack(module, installed, before) {
  for (const [name, { value, get }] of Object.entries(installed)) {
    const current = Object.getOwnPropertyDescriptor(module, name);
    if (current.value === value && current.get === get) Object.defineProperty(module, name, before[name]);
  }
}

register();

module.exports = { register, unregister };
