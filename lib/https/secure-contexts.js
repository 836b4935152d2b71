'use strict';

/**
 * Keeps the secure contexts of connections: making one takes as long as a handshake. An agent gives connections of one
 * name the same context, because the name has all of the policy that a context is made of.
 */

const tls = require('node:tls');

/** Contexts that an agent keeps, as many as sessions (`maxCachedSessions`). */
const KEPT = 100;

/** Defaults of Node that a program may change at any time. */
const DEFAULTS = ['DEFAULT_CIPHERS', 'DEFAULT_ECDH_CURVE', 'DEFAULT_MAX_VERSION', 'DEFAULT_MIN_VERSION'];

/** @type {WeakMap<object, Map<string, { context: tls.SecureContext, defaults: unknown[] }>>} By agent and name. */
const kept = new WeakMap();

/**
 * Gives the context of a connection.
 * @param {import('node:https').Agent} agent
 * @param {object} options Options of the connection; `_agentKey` in them is its name.
 * @returns {tls.SecureContext}
 */
function contextFor(agent, options) {
  const { _agentKey: name } = options;
  if (name === undefined) return makeContext(options);
  let contexts = kept.get(agent);
  if (contexts === undefined) kept.set(agent, contexts = new Map());
  const defaults = currentDefaults(options);
  const found = contexts.get(name);
  if (found?.defaults.every((value, index) => value === defaults[index])) return found.context;
  const context = makeContext(options);
  // The oldest one goes, and the sockets that have it keep it.
  if (contexts.size >= KEPT) contexts.delete(contexts.keys().next().value);
  contexts.set(name, { context, defaults });
  return context;
}

/** Gives the values of all defaults that the context of a connection depends on. */
function currentDefaults(options) {
  const values = DEFAULTS.map((name) => tls[name]);
  // Since Node 24 a program may set other authorities; Node keeps the list until then.
  if (typeof tls.setDefaultCACertificates === 'function' && !options.ca) values.push(tls.getCACertificates('default'));
  return values;
}

/** Makes a context with the defaults of tls.connect(). */
function makeContext(options) {
  return tls.createSecureContext(options.ciphers ? options : { ...options, ciphers: tls.DEFAULT_CIPHERS });
}

module.exports = { contextFor };
