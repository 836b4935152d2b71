'use strict';

/**
 * A new socket in an agent's tables, as Node's Agent makes it: the same options, entries, listeners and order, with one
 * copy of the options instead of four. Only for sockets of ours; whatever is overridden is left to Node's own.
 */

const { http } = require('../node/modules');
const { serverNameOf } = require('./origin-names');

const { createSocket: createSocketOfNode } = http.Agent.prototype;
const sourceOfNode = Function.prototype.toString.call(createSocketOfNode);

/** Whether it is Node's: a library may have replaced it before ferrequest was loaded, to see the sockets. */
const isOfNode = sourceOfNode.includes('options._agentKey = name');
/** Since Node 22 the time that a request asks for is there while it connects. */
const knowsRequestTimeout = sourceOfNode.includes('req.timeout');

/** Own properties of a socket: the agent that it is of, and the options it was made with. */
const kAgent = Symbol('agent');
const kOptions = Symbol('options');

/**
 * @param {import('./agent').Agent} agent
 * @returns {boolean} Whether nobody has a way of their own to make its sockets.
 */
function isPlain(agent) {
  return isOfNode && agent.createSocket === createSocketOfNode;
}

/**
 * @param {import('./agent').Agent} agent
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} options Of the request.
 * @param {string} name Of its origin.
 * @returns {object} Those of the connection; where both have one, the agent's counts.
 */
function connectionOptions(agent, req, options, name) {
  // As Node's it has no prototype, but has had one: V8 keeps what was made without as a hash table, which is several
  // times as large, for as long as the connection lives, and slower to make and to read.
  const merged = Object.setPrototypeOf({}, null);
  assign(merged, options);
  assign(merged, agent.options);
  if (merged.socketPath) merged.path = merged.socketPath;
  merged.servername = serverNameOf(merged, req.getHeader('host'));
  const timeout = knowsRequestTimeout && (req.timeout || agent.options.timeout);
  if (timeout) merged.timeout = timeout;
  merged._agentKey = name;
  merged.encoding = null;
  if (agent.keepAlive) {
    merged.keepAlive = agent.keepAlive;
    merged.keepAliveInitialDelay = agent.keepAliveMsecs;
  }
  return merged;
}

/** As Object.assign, which is slower for an object without prototype. */
function assign(target, source) {
  for (const key of Object.keys(source)) target[key] = source[key];
  for (const key of Object.getOwnPropertySymbols(source)) target[key] = source[key];
}

/**
 * Enters a new socket in the tables of its agent.
 * @param {import('./agent').Agent} agent
 * @param {import('../socket/native-socket').NativeSocket} socket
 * @param {object} options With which it was made.
 */
function enter(agent, socket, options) {
  const name = options._agentKey;
  (agent.sockets[name] ??= []).push(socket);
  agent.totalSocketCount++;
  socket[kAgent] = agent;
  socket[kOptions] = options;
  socket.on('free', onFree);
  socket.on('close', onClose);
  socket.on('timeout', onTimeout);
  socket.on('agentRemove', onRemove);
}

/**
 * @param {import('node:net').Socket} socket
 * @param {object} options
 * @returns {boolean} Whether it was entered with these, whose `_agentKey` is the row that it is in.
 */
function isEnteredWith(socket, options) {
  return socket[kOptions] === options;
}

function onFree() {
  this[kAgent].emit('free', this, this[kOptions]);
}

function onClose() {
  const agent = this[kAgent];
  agent.totalSocketCount--;
  agent.removeSocket(this, this[kOptions]);
}

/** An idle socket whose time is over. */
function onTimeout() {
  const { freeSockets } = this[kAgent];
  if (Object.keys(freeSockets).some((name) => freeSockets[name].includes(this))) this.destroy();
}

/** It leaves the pool for good, as after an upgrade. */
function onRemove() {
  onClose.call(this);
  this.removeListener('close', onClose);
  this.removeListener('free', onFree);
  this.removeListener('timeout', onTimeout);
  this.removeListener('agentRemove', onRemove);
}

module.exports = { connectionOptions, enter, isEnteredWith, isPlain };
