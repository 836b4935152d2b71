'use strict';

/**
 * Agent: gives each request an idle socket, a new socket, or a place in the queue, in that order.
 *
 * The tables, limits, queue and events are those of Node's own Agent, on every version. The class is there when
 * ferrequest is loaded; serving.js and the modules below it, which decide, are loaded with the first request.
 */

const { getCurrentStatus, stats } = require('./census');
const { install, parts } = require('./installation');
const { isPlainCreateSocket } = require('./node-methods');
const { Agent: NodeAgent, getName } = require('../node/originals');
const { constructAgent } = require('../proxy/environment');

/**
 * @param {import('node:http').AgentOptions} [options]
 * @see https://nodejs.org/api/http.html#class-httpagent
 */
function Agent(options) {
  if (!(this instanceof Agent)) return new Agent(options);
  const proxy = constructAgent(NodeAgent, this, options);
  if (proxy) this[parts().kProxyConfig] = proxy;
  install(this, makeNames, { connectsPlainly, createsPlainly, removesPlainly });
}
Object.setPrototypeOf(Agent.prototype, NodeAgent.prototype);
Object.setPrototypeOf(Agent, NodeAgent);

/** Agents that Node, or a class derived from Node's, has made are agents too. */
Object.defineProperty(Agent, Symbol.hasInstance, {
  __proto__: null,
  value(value) {
    return Function.prototype[Symbol.hasInstance].call(this === Agent ? NodeAgent : this, value);
  },
});

/** Node's agents read the same value from Node's own class. */
Object.defineProperty(Agent, 'defaultMaxSockets', {
  __proto__: null,
  get: () => NodeAgent.defaultMaxSockets,
  set(value) {
    NodeAgent.defaultMaxSockets = value;
  },
  configurable: true,
  enumerable: true,
});

/** Tells whether no class, nor the agent itself, overrides createConnection of ours. */
function connectsPlainly(agent) {
  return agent.createConnection === createConnection;
}

/** Tells whether no class, nor the agent itself, overrides createSocket of Node. */
function createsPlainly(agent) {
  return isPlainCreateSocket(agent.createSocket);
}

/**
 * Serves a request.
 * @param {import('node:http').ClientRequest} req
 * @param {object|string} options Options of the request, or a host.
 * @param {number} [port] With a host.
 * @param {string} [localAddress] With a host.
 */
Agent.prototype.addRequest = function addRequest(req, options, port, localAddress) {
  if (!parts().serve(this, req, options)) NodeAgent.prototype.addRequest.call(this, req, options, port, localAddress);
};

/**
 * Makes a connection.
 * @param {object} options
 * @param {(error: Error|null, socket?: import('node:stream').Duplex) => void} [callback]
 * @returns {import('node:net').Socket}
 */
function createConnection(...arguments_) {
  return parts().createConnection(this, arguments_);
}
Agent.prototype.createConnection = createConnection;

/**
 * Takes a socket out of the tables.
 * @param {import('node:net').Socket} socket
 * @param {object} options Options of the connection.
 */
function removeSocket(socket, options) {
  // Node's own makes another connection for the first request that waits, also where the limits have no room for it.
  if (parts().pool.remove(this, socket, options)) return;
  NodeAgent.prototype.removeSocket.call(this, socket, options);
}
Agent.prototype.removeSocket = removeSocket;

/** Tells whether no class, nor the agent itself, overrides removeSocket of ours. */
function removesPlainly(agent) {
  return agent.removeSocket === removeSocket;
}

/** Makes the names of the origins of an agent. */
function makeNames() {
  const { HttpOriginNames } = parts();
  return new HttpOriginNames(getName);
}

/** @see https://nodejs.org/api/http.html#agentreusesocketsocket-request */
Agent.prototype.reuseSocket = function reuseSocket(socket, req) {
  parts().keepAlive.reuseSocket(socket, req);
};

/** @see https://nodejs.org/api/http.html#agentkeepsocketalivesocket */
Agent.prototype.keepSocketAlive = function keepSocketAlive(socket) {
  return parts().keepAlive.keepSocketAlive(this, socket);
};

/** @see https://nodejs.org/api/http.html#agentdestroy */
Agent.prototype.destroy = function destroy() {
  parts().pool.noteDestruction(this);
  NodeAgent.prototype.destroy.call(this);
};

Agent.prototype.getCurrentStatus = getCurrentStatus;
Agent.prototype.stats = stats;

module.exports = { Agent };
