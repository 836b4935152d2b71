'use strict';

/**
 * Serves the requests of an agent: each gets an idle socket, a new socket, or a place in the queue, in that order.
 * pool.js keeps the tables, agent-socket.js makes the sockets. A request that only Node's own methods can serve goes to
 * them.
 */

const net = require('node:net');

const { apply: applyAddressOptions, kAddresses } = require('./address-options');
const agentSocket = require('./agent-socket');
const { kPool } = require('./own-properties');
const pool = require('./pool');
const { Agent: NodeAgent } = require('../node/originals');
const { refuseNulInHost } = require('../node/validators');
const { connectionOptionsOf, kProxyConfig, usesProxy } = require('../proxy/config');

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
  const { [kPool]: methods } = agent;
  return methods.connectsPlainly(agent) && !agent[kProxyConfig] && methods.createsPlainly(agent);
}

/**
 * Makes a connection for an agent of http.
 * @param {import('node:http').Agent} agent
 * @param {unknown[]} arguments_ Options and callback, as net.createConnection() takes them.
 * @returns {import('node:net').Socket}
 */
function createConnection(agent, arguments_) {
  const [options, callback] = net._normalizeArgs(arguments_);
  const proxy = agent[kProxyConfig];
  if (proxy && usesProxy(proxy, options)) return connectToProxy(proxy, options, callback);
  if (!agentSocket.canBeNative(options)) {
    refuseNulInHost(options);
    return NodeAgent.prototype.createConnection.apply(agent, arguments_);
  }
  return agentSocket.connect(options, callback);
}

/** Connects to a proxy; the request that gets the connection is written for a proxy: see proxy/request.js. */
function connectToProxy(proxy, originOptions, callback) {
  const options = connectionOptionsOf(proxy, originOptions);
  if (proxy.protocol === 'https:') return require('node:tls').connect(options, callback);
  return agentSocket.canBeNative(options) ?
    agentSocket.connect(options, callback) : net.createConnection(options, callback);
}

module.exports = { createConnection, serve };
