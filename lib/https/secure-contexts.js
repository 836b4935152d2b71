'use strict';

/**
 * Keeps the secure contexts of connections: making one takes as long as a handshake. An agent gives connections of one
 * policy the same context.
 */

const tls = require('node:tls');

const { getName } = require('./originals');
const { PolicyNames } = require('./tls-policy');

const policies = new PolicyNames(getName);

/** Contexts that an agent keeps, as many as sessions (`maxCachedSessions`). */
const KEPT = 100;

/** Defaults of Node that a program may change at any time. */
const DEFAULTS = ['DEFAULT_CIPHERS', 'DEFAULT_ECDH_CURVE', 'DEFAULT_MAX_VERSION', 'DEFAULT_MIN_VERSION'];

/** Object to call getName() of Node's agent on, which reads only the options. */
const NAMELESS = {};

/** @type {WeakMap<object, Map<string, { context: tls.SecureContext, defaults: unknown[] }>>} By agent and policy. */
const kept = new WeakMap();

/**
 * Gives the context of a connection.
 * @param {import('node:https').Agent} agent
 * @param {object} options Options of the connection.
 * @returns {tls.SecureContext}
 */
function contextFor(agent, options) {
  // Not the name that the agent gives: an override of getName() may give connections of several policies the same.
  const name = getName.call(NAMELESS, options) + policies.restOf(options);
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
