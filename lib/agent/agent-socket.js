'use strict';

/**
 * Makes the new sockets of an agent as Node's Agent does: the same options, listeners and order. Node copies the
 * options four times, this module once. Node makes the sockets that need an override of the user's, or Node's own net.
 */

const diagnostics = require('node:diagnostics_channel');
const net = require('node:net');

const { kRace } = require('../addresses/race-marks');
const { bridge, hasIoThread } = require('../bridge/bridge');
const { kCensus } = require('./census');
const { serverNameOf } = require('./origin-names');
const { assign, bareObject } = require('../node/bare-options');
const { createSocket, hasSource } = require('../node/originals');
const { isNetworkDenied } = require('../node/permission');
const { socketProperty } = require('../node/socket-properties');
const { refuseNulInHost } = require('../node/validators');
const { NativeSocket } = require('../socket/native-socket');

/** True since Node 22, whose createSocket applies the timeout of the request while the socket connects. */
const knowsRequestTimeout = hasSource(createSocket, 'req.timeout');

const socketChannel = diagnostics.channel('net.client.socket');

/** The last value of net.Socket.prototype.connect that was found to be Node's own. */
let connectOfNode;
/** True where that function publishes the socket to diagnostics_channel, as Node's does since version 22. */
let connectPublishes = false;

/** Own property of a socket: its agent. */
const kAgent = socketProperty('agent');
/** Own property of a socket: the options of its connection; `_agentKey` in them names its row in the tables. */
const kOptions = socketProperty('options');

/** Tells whether a NativeSocket may make a connection: see `canBeOfIoThread`. Without an I/O thread none may. */
const canBeNative = hasIoThread ? canBeOfIoThread : () => false;

/**
 * Opens a connection for a request.
 * @param {import('./agent').Agent} agent
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} requestOptions
 * @param {string} name Name of the request's origin.
 * @returns {NativeSocket|undefined} Undefined if Node's own way has to make the socket.
 */
function open(agent, req, requestOptions, name) {
  const options = connectionOptions(agent, req, requestOptions, name);
  if (!canBeNative(options) || !bridge.tryStart()) return undefined;
  refuseNulInHost(options);
  // The attempts of a race are libuv's; the I/O thread takes over the one that wins.
  const socket = start(new NativeSocket(options, options[kRace] !== undefined), options, onConnect);
  socket[kAgent] = agent;
  socket[kOptions] = options;
  agent[kCensus].onNew(socket);
  socket.on('free', onFree);
  socket.on('close', onClose);
  socket.on('timeout', onTimeout);
  socket.on('agentRemove', onRemove);
  return socket;
}

/**
 * @param {import('node:net').Socket} socket
 * @param {object} options
 * @returns {boolean} True if `open` has made the socket with these options.
 */
function isOpenedWith(socket, options) {
  return socket[kOptions] === options;
}

/**
 * @param {import('node:net').Socket} socket
 * @returns {boolean} True if `open` has made the socket.
 */
function isOpened(socket) {
  return socket[kAgent] !== undefined;
}

/**
 * Merges the options of a request with those of its agent, which take precedence.
 * @param {import('./agent').Agent} agent
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} options Options of the request.
 * @returns {object}
 */
function mergeOptions(agent, req, options) {
  const merged = assign(bareObject(), options);
  assign(merged, agent.options);
  if (merged.socketPath) merged.path = merged.socketPath;
  merged.servername = serverNameOf(merged, req.getHeader('host'));
  return merged;
}

/**
 * @param {import('./agent').Agent} agent
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} requestOptions
 * @param {string} name Name of the request's origin.
 * @returns {object} Options of the connection.
 */
function connectionOptions(agent, req, requestOptions, name) {
  const options = mergeOptions(agent, req, requestOptions);
  const timeout = knowsRequestTimeout && (req.timeout || agent.options.timeout);
  if (timeout) options.timeout = timeout;
  options._agentKey = name;
  options.encoding = null;
  if (agent.keepAlive) {
    options.keepAlive = agent.keepAlive;
    options.keepAliveInitialDelay = agent.keepAliveMsecs;
  }
  return options;
}

/**
 * Connects a new NativeSocket for whoever has asked an agent for a connection. It is a socket of libuv, and the I/O
 * thread takes it over if a request gets it.
 * @param {object} options Options for which `canBeNative` holds.
 * @param {() => void} [callback] Listener of 'connect'.
 * @returns {NativeSocket}
 */
function connect(options, callback) {
  refuseNulInHost(options);
  return start(new NativeSocket(options, true), options, callback);
}

/**
 * Connects a new socket.
 * @param {NativeSocket} socket
 * @param {object} options
 * @param {() => void} [callback] Listener of 'connect'.
 * @returns {NativeSocket}
 */
function start(socket, options, callback) {
  // Where connect() does not publish it, net.createConnection() would.
  if (!connectPublishes && socketChannel.hasSubscribers) socketChannel.publish({ socket });
  if (options.timeout) socket.setTimeout(options.timeout);
  return callback ? socket.connect(options, callback) : socket.connect(options);
}

/**
 * @param {object} options Options of a connection.
 * @returns {boolean} True if no library watches the connections of net, the user gives neither buffer nor handle, and
 *   the process may use the network: Node's own socket refuses, or tells of it, by itself.
 */
function canBeOfIoThread(options) {
  return connectIsOfNode() && !options.onread && options.fd === undefined && !options.handle && !isNetworkDenied();
}

/**
 * Tells whether net.Socket.prototype.connect is Node's own. Libraries that intercept or trace connections replace it,
 * before ferrequest is loaded or after, by a function whose source differs from Node's.
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

/** Stands for the callback that Node's agent gives to createConnection(), which is a listener of 'connect' too. */
function onConnect() {}

/** Tells the agent that the request of this socket is over. */
function onFree() {
  this[kAgent].emit('free', this, this[kOptions]);
}

/** Takes a closed socket out of the tables. */
function onClose() {
  leave(this);
}

/** Takes a socket out of the tables. */
function leave(socket) {
  const { [kAgent]: agent, [kOptions]: options } = socket;
  agent.totalSocketCount--;
  agent.removeSocket(socket, options);
}

/** Closes a socket that has been idle for as long as the agent allows. */
function onTimeout() {
  const { freeSockets, [kCensus]: census } = this[kAgent];
  if (!Object.keys(freeSockets).some((name) => freeSockets[name].includes(this))) return;
  census.onTimeout();
  this.destroy();
}

/** Lets a socket leave its agent for good, as after an upgrade. */
function onRemove() {
  leave(this);
  this.removeListener('close', onClose);
  this.removeListener('free', onFree);
  this.removeListener('timeout', onTimeout);
  this.removeListener('agentRemove', onRemove);
}

module.exports = { canBeNative, connect, isOpened, isOpenedWith, mergeOptions, open };
