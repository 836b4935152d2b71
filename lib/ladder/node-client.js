'use strict';

/** Makes the exports of ferrequest from Node's own client, for processes in which ours cannot run. */

const { diagnose } = require('./diagnose');
const { code, mode, reason } = require('./rung');
const { accessor, method } = require('../node/descriptors');

/**
 * Lists the exports of a module with Node's own client in it, also while another copy of ferrequest is registered.
 * @param {'http'|'https'} name
 * @returns {PropertyDescriptorMap}
 */
function exportsOfNode(name) {
  const { exportsOf, kRegistered } = require('../node/modules');
  const module = require(`node:${name}`);
  const registered = require('node:http')[kRegistered];
  return {
    ...exportsOf(module),
    ...(registered && registered.before[name]),
    // Requests that name no agent take the module's.
    globalAgent: accessor(() => module.globalAgent, (agent) => { module.globalAgent = agent; }),
  };
}

/**
 * Tells which client serves requests. The counters are those of the client in Rust, and stay 0.
 * @returns {import('../..').Stats}
 */
function stats() {
  return {
    mode,
    reason,
    requests: 0,
    responses: 0,
    connectionsOpened: 0,
    connectionsReused: 0,
    staleReplaced: 0,
    bytesIn: 0,
    bytesOut: 0,
    doorbells: 0,
    direct: 0,
    tlsNative: 0,
    tlsOfNode: 0,
    drains: 0,
    recordsPerDrain: 0,
  };
}

/** @returns {typeof import('../..')} The exports of `ferrequest`. */
function makeHttp() {
  const { IncomingMessage } = require('node:http');
  return Object.defineProperties({}, {
    ...exportsOfNode('http'),
    ClientResponse: method(IncomingMessage),
    diagnose: method(diagnose),
    stats: method(stats),
  });
}

/** @returns {typeof import('../../https')} The exports of `ferrequest/https`. */
function makeHttps() {
  return Object.defineProperties({}, exportsOfNode('https'));
}

/**
 * Makes exports that load Node's module when one of them is first asked for: a startup snapshot can hold neither
 * node:http nor node:https.
 * @template {object} Exports
 * @param {() => Exports} make
 * @returns {Exports}
 */
function deferred(make) {
  let made;
  const trap = (name) => (target, ...rest) => {
    if (made === undefined) made = make();
    // A receiver, where a trap has one, is the proxy, or what inherits from it.
    return name === 'get' || name === 'set' ? Reflect[name](made, ...rest.slice(0, -1)) : Reflect[name](made, ...rest);
  };
  return new Proxy({}, new Proxy({}, { get: (_handler, name) => trap(name) }));
}

const isInSnapshot = code === 'ERR_FERREQUEST_SNAPSHOT';

module.exports = {
  http: isInSnapshot ? () => deferred(makeHttp) : makeHttp,
  https: isInSnapshot ? () => deferred(makeHttps) : makeHttps,
};
