'use strict';

/**
 * Agent: gives each request an idle socket, a new socket, or a place in the queue, in that order.
 *
 * The tables, limits, queue and events are those of Node's own Agent, on every version. `serve` decides, pool.js keeps
 * the tables, agent-socket.js makes the sockets. A request that only Node's own methods can serve goes to them.
 */

const net = require('node:net');

const { apply: applyAddressOptions, kAddresses } = require('./address-options');
const agentSocket = require('./agent-socket');
const { getCurrentStatus, stats } = require('./census');
const keepAlive = require('./keep-alive');
const { HttpOriginNames } = require('./origin-names');
const pool = require('./pool');
const { http } = require('../node/modules');
const { refuseNulInHost } = require('../node/validators');
const { connectionOptionsOf, constructAgent, kProxyConfig, usesProxy } = require('../proxy/config');

const NodeAgent = http.Agent;
const { getName } = NodeAgent.prototype;

/**
 * @param {import('node:http').AgentOptions} [options]
 * @see https://nodejs.org/api/http.html#class-httpagent
 */
function Agent(options) {
  if (!(this instanceof Agent)) return new Agent(options);
  const proxy = constructAgent(NodeAgent, this, options);
  if (proxy) this[kProxyConfig] = proxy;
  pool.install(this, new HttpOriginNames(getName), createsPlainly, removesPlainly);
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

/**
 * Serves a request as Node's addRequest would: every step is Node's, in Node's order, on the same tables.
 * @param {import('node:http').Agent} agent
 * @param {import('node:http').ClientRequest} req
 * @param {object|string} options Options of the request, or a host in the old form of `addRequest`.
 * @returns {boolean} False if Node's own addRequest has to serve the request, or to refuse it.
 */
function serve(agent, req, options) {
  if (typeof options !== 'object') return false;
  if (agent[kAddresses] !== undefined) applyAddressOptions(agent, req, options);
  const name = pool.nameOf(agent, req, options);
  if (name === undefined) {
    pool.dropAllUnfit(agent);
    return false;
  }
  const used = pool.rowInUse(agent, name);
  const idle = pool.takeIdle(agent, name);
  if (idle !== undefined) {
    pool.reuse(agent, used, idle, req, options);
    return true;
  }
  if (!pool.hasRoom(agent, used)) {
    pool.enqueue(agent, name, req, options);
    return true;
  }
  const socket = connectsPlainly(agent) ? agentSocket.open(agent, req, options, name) : undefined;
  if (socket === undefined) return false;
  pool.enter(agent, name, socket);
  pool.assign(agent, req, socket);
  return true;
}

/** Tells whether neither a method that overrides ours or Node's, nor a proxy, takes part in making a socket. */
function connectsPlainly(agent) {
  return agent.createConnection === createConnection && !agent[kProxyConfig] && createsPlainly(agent);
}

/** Tells whether no class, nor the agent itself, overrides createSocket of Node. */
function createsPlainly(agent) {
  return agentSocket.isPlainCreateSocket(agent.createSocket);
}

/**
 * Serves a request.
 * @param {import('node:http').ClientRequest} req
 * @param {object|string} options Options of the request, or a host.
 * @param {number} [port] With a host.
 * @param {string} [localAddress] With a host.
 */
Agent.prototype.addRequest = function addRequest(req, options, port, localAddress) {
  if (!serve(this, req, options)) NodeAgent.prototype.addRequest.call(this, req, options, port, localAddress);
};

/**
 * Makes a connection.
 * @param {object} options
 * @param {(error: Error|null, socket?: import('node:stream').Duplex) => void} [callback]
 * @returns {import('node:net').Socket}
 */
function createConnection(...arguments_) {
  const [options, callback] = net._normalizeArgs(arguments_);
  const proxy = this[kProxyConfig];
  if (proxy && usesProxy(proxy, options)) return connectToProxy(proxy, options, callback);
  if (!agentSocket.canBeNative(options)) {
    refuseNulInHost(options);
    return NodeAgent.prototype.createConnection.apply(this, arguments_);
  }
  return agentSocket.connect(options, callback);
}
Agent.prototype.createConnection = createConnection;

/** Connects to a proxy; the request that gets the connection is written for a proxy: see proxy/request.js. */
function connectToProxy(proxy, originOptions, callback) {
  const options = connectionOptionsOf(proxy, originOptions);
  if (proxy.protocol === 'https:') return require('node:tls').connect(options, callback);
  return agentSocket.canBeNative(options) ?
    agentSocket.connect(options, callback) : net.createConnection(options, callback);
}

/**
 * Takes a socket out of the tables.
 * @param {import('node:net').Socket} socket
 * @param {object} options Options of the connection.
 */
function removeSocket(socket, options) {
  // Node's own makes another connection for the first request that waits, also where the limits have no room for it.
  if (pool.remove(this, socket, options)) return;
  NodeAgent.prototype.removeSocket.call(this, socket, options);
}
Agent.prototype.removeSocket = removeSocket;

/** Tells whether no class, nor the agent itself, overrides removeSocket of ours. */
function removesPlainly(agent) {
  return agent.removeSocket === removeSocket;
}

/** @see https://nodejs.org/api/http.html#agentreusesocketsocket-request */
Agent.prototype.reuseSocket = function reuseSocket(socket, req) {
  keepAlive.reuseSocket(socket, req);
};

/** @see https://nodejs.org/api/http.html#agentkeepsocketalivesocket */
Agent.prototype.keepSocketAlive = function keepSocketAlive(socket) {
  return keepAlive.keepSocketAlive(this, socket);
};

/** @see https://nodejs.org/api/http.html#agentdestroy */
Agent.prototype.destroy = function destroy() {
  pool.noteDestruction(this);
  NodeAgent.prototype.destroy.call(this);
};

Agent.prototype.getCurrentStatus = getCurrentStatus;
Agent.prototype.stats = stats;

module.exports = { Agent, serve };
