'use strict';

/** Decides whether an agent has a proxy; few have one, and the module for proxies is loaded with the first of those. */

const { late } = require('../node/late');

/** Gives the module for proxies. */
const config = late(() => require('./config'));

/**
 * Runs the constructor of Node's agent without `proxyEnv`, from which a newer Node would make connections of its own,
 * and reads the proxy.
 * @param {Function} NodeAgent
 * @param {import('node:http').Agent} agent
 * @param {import('node:http').AgentOptions} [options]
 * @returns {import('./config').ProxyConfig|undefined}
 */
function constructAgent(NodeAgent, agent, options) {
  const proxyEnv = options && Object.hasOwn(options, 'proxyEnv') ? options.proxyEnv : undefined;
  if (typeof proxyEnv !== 'object' || proxyEnv === null) {
    NodeAgent.call(agent, options);
    return undefined;
  }
  NodeAgent.call(agent, { __proto__: null, ...options, proxyEnv: undefined });
  agent.options.proxyEnv = proxyEnv;
  return config().readConfig(proxyEnv, agent.protocol);
}

/**
 * Finds `proxyEnv` for our global agent: that of Node's, which looks at NODE_USE_ENV_PROXY and --use-env-proxy.
 * @param {{ globalAgent: import('node:http').Agent }} module node:http or node:https
 * @returns {NodeJS.ProcessEnv|undefined}
 */
function globalProxyEnv({ globalAgent }) {
  const proxyEnv = globalAgent?.options?.proxyEnv;
  if (proxyEnv !== undefined || process.env.NODE_USE_ENV_PROXY !== '1') return proxyEnv;
  return config().isKnownToNode ? undefined : process.env;
}

module.exports = { constructAgent, globalProxyEnv };
