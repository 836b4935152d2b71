'use strict';

/**
 * Prepares new agents. There is one when ferrequest is loaded, the global agent, so this needs nothing of what serves
 * requests: the modules for that are loaded with the first of them.
 */

const census = require('./census');
const { TIMEOUT_BUFFER, kIdleLimit, kPool } = require('./own-properties');
const { assign, bareObject } = require('../node/bare-options');
const { late } = require('../node/late');
const { kKeepsListeners } = require('../response/agent-marks');

/** Options of agents that Node's have not, and that pool-options.js checks. */
const POOL_OPTIONS = ['fairQueue', 'freeSocketTimeout', 'retry', 'socketActiveTTL'];

/** What pool-options.js makes of options without any of those. */
const NO_POOL_OPTIONS = Object.freeze({ activeTtl: Infinity, freeTimeout: Infinity, isFair: false });

/** Gives what serves requests. */
const parts = late(() => require('./parts'));

/**
 * Prepares a new agent; our listener of 'free' takes the place of Node's. The three functions are called each time,
 * because users override methods before and after, on the agent, its class and the classes above.
 * @param {import('node:http').Agent} agent
 * @param {() => import('./origin-names').OriginNames} makeNames
 * @param {object} methods
 * @param {(agent: import('node:http').Agent) => boolean} methods.connectsPlainly True if nothing overrides
 *   createConnection.
 * @param {(agent: import('node:http').Agent) => boolean} methods.createsPlainly True if nothing overrides createSocket.
 * @param {(agent: import('node:http').Agent) => boolean} methods.removesPlainly True if nothing overrides removeSocket.
 */
function install(agent, makeNames, { connectsPlainly, createsPlainly, removesPlainly }) {
  const options = readFast(agent);
  // Throws on wrong ones.
  if (options.timeouts !== undefined) parts().limitsOf(options.timeouts);
  let { activeTtl, freeTimeout, isFair } = POOL_OPTIONS.some((name) => options[name] !== undefined) ?
    parts().poolOptionsOf(options) : NO_POOL_OPTIONS;
  // As agentkeepalive, which sees to the options of these names itself, and has other times for single sockets.
  if (agent.getCurrentStatus !== census.getCurrentStatus) activeTtl = freeTimeout = Infinity;
  const [nodeOnFree] = agent.listeners('free');
  agent.removeListener('free', nodeOnFree);
  agent[kPool] = {
    names: null, makeNames, connectsPlainly, createsPlainly, removesPlainly, isFair, isConnecting: false,
  };
  agent[kKeepsListeners] = true;
  // Set by Node's own constructor since 22.
  agent.agentKeepAliveTimeoutBuffer ??= timeoutBufferOf(options);
  agent.on('free', onFree);
  if (options.dns !== undefined || options.autoSelectFamily === 'race') parts().addressOptions.install(agent);
  census.install(agent, activeTtl);
  if (activeTtl !== Infinity || freeTimeout !== Infinity) agent[kIdleLimit] = freeTimeout;
}

/**
 * Gives an agent a copy of its options: each request reads them several times, and Node's object is a hash table. A
 * derived class may have a setter, which Node's constructor has called, and nobody else should.
 * @param {import('node:http').Agent} agent
 * @returns {object} The options.
 */
function readFast(agent) {
  const property = Object.getOwnPropertyDescriptor(agent, 'options');
  if (property?.writable) agent.options = assign(bareObject(), property.value);
  return agent.options;
}

/**
 * @param {import('node:http').AgentOptions} options
 * @returns {number} Milliseconds.
 * @see https://nodejs.org/api/http.html#new-agentoptions
 */
function timeoutBufferOf({ agentKeepAliveTimeoutBuffer: buffer }) {
  return typeof buffer === 'number' && Number.isFinite(buffer) && buffer >= 0 ? buffer : TIMEOUT_BUFFER;
}

/**
 * Takes back a socket whose request is over.
 * @this {import('node:http').Agent}
 * @param {import('node:net').Socket} socket
 * @param {object} options Options of the connection.
 */
function onFree(socket, options) {
  parts().pool.takeBack(this, socket, options);
}

module.exports = { install, parts };
