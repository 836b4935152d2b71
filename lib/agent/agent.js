'use strict';

/**
 * Agent: who gets which socket.
 *
 * The tables, limits, queue and events are those of Node's own Agent, on every version. What differs is the socket
 * that createConnection makes, and what happens to a connection that the peer touched while it was idle.
 */

const diagnostics = require('node:diagnostics_channel');
const net = require('node:net');

const agentSocket = require('./agent-socket');
const { NativeSocket } = require('../socket/native-socket');
const { http } = require('../node/modules');
const pool = require('./pool');
const { connectionOptionsOf, constructAgent, kProxyConfig, usesProxy } = require('../proxy/config');

const NodeAgent = http.Agent;

const socketChannel = diagnostics.channel('net.client.socket');

/** A connect() of net.Socket that is known to be Node's own. */
let connectOfNode;
/** Whether it tells diagnostics_channel of the socket, as Node's does since 22. */
let connectPublishes = false;

/**
 * @param {import('node:http').AgentOptions} [options]
 * @see https://nodejs.org/api/http.html#class-httpagent
 */
function Agent(options) {
  if (!(this instanceof Agent)) return new Agent(options);
  const proxy = constructAgent(NodeAgent, this, options);
  if (proxy) this[kProxyConfig] = proxy;
  pool.install(this, removesPlainly);
}
Object.setPrototypeOf(Agent.prototype, NodeAgent.prototype);
Object.setPrototypeOf(Agent, NodeAgent);

/** Agents that Node, or a class derived from its own, has made are agents too. */
Object.defineProperty(Agent, Symbol.hasInstance, {
  __proto__: null,
  value(value) {
    return Function.prototype[Symbol.hasInstance].call(this === Agent ? NodeAgent : this, value);
  },
});

/** Shared with Node's own, which reads its own. */
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
 * Makes a connection.
 * @param {object} options
 * @param {(error: Error|null, socket?: import('node:stream').Duplex) => void} [callback]
 * @returns {import('node:net').Socket}
 */
function createConnection(...arguments_) {
  const [options, callback] = net._normalizeArgs(arguments_);
  const proxy = this[kProxyConfig];
  if (proxy && usesProxy(proxy, options)) return connectToProxy(proxy, options, callback);
  if (!isOrdinary(options)) return NodeAgent.prototype.createConnection.apply(this, arguments_);
  return connect(options, callback);
}
Agent.prototype.createConnection = createConnection;

function connect(options, callback) {
  const socket = new NativeSocket(options);
  // Where connect() does not say it, net.createConnection() would.
  if (!connectPublishes && socketChannel.hasSubscribers) socketChannel.publish({ socket });
  if (options.timeout) socket.setTimeout(options.timeout);
  return callback ? socket.connect(options, callback) : socket.connect(options);
}

/** The request that gets this connection is one to the proxy: see proxy/request.js. */
function connectToProxy(proxy, originOptions, callback) {
  const options = connectionOptionsOf(proxy, originOptions);
  if (proxy.protocol === 'https:') return require('node:tls').connect(options, callback);
  return isOrdinary(options) ? connect(options, callback) : net.createConnection(options, callback);
}

/** Whether a connection can be ours: nobody wants to see those of net, and no buffer is given. */
function isOrdinary(options) {
  return connectIsOfNode() && !options.onread && !options.fd && !options.handle;
}

/**
 * Whether net.Socket.prototype.connect is Node's own. Libraries that intercept or trace connections replace it, before
 * ferrequest is loaded or after, and their own does not say what Node's says in its source.
 */
function connectIsOfNode() {
  const { connect: current } = net.Socket.prototype;
  if (current === connectOfNode) return true;
  const source = Function.prototype.toString.call(current);
  if (!source.includes('normalizeArgs(args)')) return false;
  connectPublishes = source.includes('netClientSocketChannel');
  connectOfNode = current;
  return true;
}

Agent.prototype.addRequest = function addRequest(req, options, port, localAddress) {
  if (typeof options === 'object' && (pool.serve(this, req, options) || open(this, req, options))) return;
  NodeAgent.prototype.addRequest.call(this, req, options, port, localAddress);
};

/** Stands for the callback that Node's agent gives to createConnection(), which is a listener of 'connect' too. */
function onConnect() {}

/**
 * Gives a request a new socket, where nothing that somebody has overridden would see it being made.
 * @param {Agent} agent
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} requestOptions
 * @returns {boolean} False if it is Node's own that has to make it, or to refuse.
 */
function open(agent, req, requestOptions) {
  if (agent.createConnection !== createConnection || agent[kProxyConfig]) return false;
  if (!agentSocket.isPlain(agent)) return false;
  const name = pool.nameOfNew(agent, req, requestOptions);
  if (name === undefined) return false;
  const options = agentSocket.connectionOptions(agent, req, requestOptions, name);
  if (!isOrdinary(options)) return false;
  const socket = connect(options, onConnect);
  agentSocket.enter(agent, socket, options);
  pool.assign(agent, req, socket);
  return true;
}

function removeSocket(socket, options) {
  // Node's own makes another connection for the first request that waits, also where the limits have no room for it.
  if (pool.remove(this, socket, options)) return;
  NodeAgent.prototype.removeSocket.call(this, socket, options);
}
Agent.prototype.removeSocket = removeSocket;

/** Also before an agent is made, somebody may have replaced the method for all of them. */
function removesPlainly(agent) {
  return agent.removeSocket === removeSocket;
}

Agent.prototype.reuseSocket = function reuseSocket(socket, req) {
  pool.reuse(socket, req);
};

Agent.prototype.keepSocketAlive = function keepSocketAlive(socket) {
  return pool.keepAlive(this, socket);
};

module.exports = { Agent };
