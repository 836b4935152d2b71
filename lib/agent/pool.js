'use strict';

/**
 * The ways through an agent's tables that every request takes: to an idle socket, into the queue, and back.
 *
 * They do what Node's own Agent does, on the same tables, without the copies of options and names that it makes each
 * time. Everything else (new sockets, closed ones, overridden names) is left to it.
 */

const { AsyncResource } = require('node:async_hooks');

const { isEnteredWith } = require('./agent-socket');
const { kAnnouncesTimeout } = require('../response/client-response');
const counters = require('../bridge/counters');
const idleGuard = require('../response/idle-guard');
const { kQueuedOptions, kQueuedResource } = require('../node/internals');
const { http } = require('../node/modules');
const { originName } = require('./origin-names');
const { exchange } = require('../socket/stages');

const NodeAgent = http.Agent;
const { getName } = NodeAgent.prototype;

/** Own properties of an agent: the last origin that has only a host and a port, and its name. */
const kLastHost = Symbol('lastHost');
const kLastPort = Symbol('lastPort');
const kLastName = Symbol('lastName');
/** Own property of an agent: what Node's own does when a socket becomes free. */
const kNodeOnFree = Symbol('nodeOnFree');
/** Own property of an agent: tells whether its removeSocket is that of our class. */
const kRemovesPlainly = Symbol('removesPlainly');
/** Own property of an agent: its way to the name of an origin. */
const kNameOf = Symbol('nameOf');

/**
 * Puts our way back in place of Node's.
 * @param {import('./agent').Agent} agent A new one.
 * @param {(agent: object) => boolean} removesPlainly Whether its removeSocket is our own.
 * @param {(agent: object, options: object, authority: string|undefined) => string|undefined} [ownNameOf] See `nameOf`.
 */
function install(agent, removesPlainly, ownNameOf = nameOf) {
  const [nodeOnFree] = agent.listeners('free');
  agent.removeListener('free', nodeOnFree);
  agent[kNodeOnFree] = nodeOnFree;
  agent[kLastHost] = agent[kLastPort] = agent[kLastName] = undefined;
  agent[kRemovesPlainly] = removesPlainly;
  agent[kNameOf] = ownNameOf;
  agent[idleGuard.kKeepsListeners] = true;
  // Set by Node's own constructor since 22.
  agent.agentKeepAliveTimeoutBuffer ??= timeoutBufferOf(agent.options);
  agent.on('free', onFree);
}

/**
 * @param {import('./agent').Agent} agent
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} options Of the request.
 * @returns {string|undefined} The name of its origin; undefined where only Node's own way finds it, or refuses the
 *   request.
 */
function originOf(agent, req, options) {
  const authority = req.getHeader('host');
  return authority && typeof authority !== 'string' ? undefined : agent[kNameOf]?.(agent, options, authority);
}

/**
 * @param {import('./agent').Agent} agent
 * @param {object} options Of a request.
 * @param {string|undefined} authority Its Host field.
 * @returns {string|undefined} The name of its origin; undefined where only Node's own way finds it.
 */
function nameOf(agent, options, authority) {
  if (agent.getName !== getName) return undefined;
  const { host, port } = options;
  const own = agent.options;
  if (options.localAddress || options.family || options.socketPath ||
      own.host || own.port || own.localAddress || own.family || own.socketPath) {
    return originName(agent, getName, options, authority);
  }
  if (host !== agent[kLastHost] || port !== agent[kLastPort]) {
    agent[kLastHost] = host;
    agent[kLastPort] = port;
    agent[kLastName] = agent.getName(options);
  }
  return agent[kLastName];
}

/**
 * Gives a request an idle socket, or a place in the queue.
 * @param {import('./agent').Agent} agent
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} options
 * @returns {boolean} False if a new socket has to be made.
 */
function serve(agent, req, options) {
  const name = originOf(agent, req, options);
  if (name === undefined) {
    for (const key of Object.keys(agent.freeSockets)) dropEnding(agent, key);
    return false;
  }
  dropEnding(agent, name);
  const used = agent.sockets[name];
  // The first request to an origin: Node's own makes the tables.
  if (used === undefined) return false;
  const socket = takeIdle(agent, name);
  if (socket !== undefined) {
    const { highWaterMark } = options;
    if (highWaterMark !== undefined && highWaterMark !== null && socket.writableHighWaterMark !== highWaterMark) {
      socket._writableState.highWaterMark = highWaterMark;
    }
    resetContext(socket);
    agent.reuseSocket(socket, req);
    assign(agent, req, socket);
    used.push(socket);
    return true;
  }
  const idle = agent.freeSockets[name]?.length ?? 0;
  if (idle + used.length < agent.maxSockets && agent.totalSocketCount < agent.maxTotalSockets) return false;
  // For the socket that may be made for it when another one closes, and for its own async context.
  req[kQueuedOptions] = options;
  req[kQueuedResource] = new AsyncResource('QueuedRequest');
  const queue = agent.requests[name];
  if (queue === undefined) agent.requests[name] = [req];
  else queue.push(req);
  return true;
}

/**
 * @param {import('./agent').Agent} agent
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} options
 * @returns {string|undefined} The name of the origin of a request that may have a new socket.
 */
function nameOfNew(agent, req, options) {
  const name = originOf(agent, req, options);
  if (name === undefined || agent.freeSockets[name] !== undefined) return undefined;
  const used = agent.sockets[name] ??= [];
  return used.length < agent.maxSockets && agent.totalSocketCount < agent.maxTotalSockets ? name : undefined;
}

/**
 * Takes out of the idle sockets what would be used next although the peer has closed it: its end has been told, and it
 * is about to close. Node's own looks only whether the first one is closed.
 */
function dropEnding(agent, name) {
  const idle = agent.freeSockets[name];
  if (idle === undefined) return;
  const isFifo = agent.scheduling === 'fifo';
  while (idle.length > 0 && isEnding(isFifo ? idle[0] : idle.at(-1))) {
    // One that is open for half stays so: nobody else would close it, and it counts against the limits.
    (isFifo ? idle.shift() : idle.pop()).destroy();
  }
  if (idle.length === 0) delete agent.freeSockets[name];
}

function isEnding(socket) {
  return socket.destroyed || socket.writable === false || socket.readableEnded === true ||
    socket._handle?.exchange === exchange.RETIRED;
}

/** Takes the idle socket that `scheduling` says. */
function takeIdle(agent, name) {
  const idle = agent.freeSockets[name];
  if (idle === undefined) return undefined;
  const socket = agent.scheduling === 'fifo' ? idle.shift() : idle.pop();
  if (idle.length === 0) delete agent.freeSockets[name];
  return socket;
}

/** The socket's events belong to the next request's async context. */
function resetContext(socket) {
  socket._handle?.asyncReset?.(socket._handle);
}

/** Hands a socket to a request, with the timeout that the request asks for. */
function assign(agent, req, socket) {
  req.onSocket(socket);
  const { timeout } = req;
  if (timeout !== undefined && timeout !== (agent.options.timeout || 0)) socket.setTimeout(timeout);
}

/**
 * A socket has served its request.
 * @this {import('./agent').Agent}
 * @param {import('node:net').Socket} socket
 * @param {object} options With which it was made.
 */
function onFree(socket, options) {
  const name = options._agentKey;
  if (name === undefined || !socket.writable) {
    this[kNodeOnFree](socket, options);
    return;
  }
  const queue = this.requests[name];
  if (queue !== undefined && queue.length > 0) {
    serveNext(this, name, queue, socket);
    return;
  }
  const req = socket._httpMessage;
  if (!req?.shouldKeepAlive || !this.keepAlive || !hasRoom(this, name) || !this.keepSocketAlive(socket)) {
    socket.destroy();
    return;
  }
  // Looked up again: keepSocketAlive is the user's to override, and may change the tables.
  const idle = this.freeSockets[name] ??= [];
  socket._httpMessage = null;
  leave(this, name, socket, options);
  idle.push(socket);
}

function serveNext(agent, name, queue, socket) {
  const req = queue.shift();
  if (queue.length === 0) delete agent.requests[name];
  const resource = req[kQueuedResource];
  if (resource) {
    req[kQueuedResource] = null;
    if (socket.isNative) socket._handle.resource = resource;
    resource.runInAsyncScope(assignInContext, null, agent, req, socket);
  } else {
    assign(agent, req, socket);
  }
}

function assignInContext(agent, req, socket) {
  if (!socket.isNative) resetContext(socket);
  assign(agent, req, socket);
}

/** Whether the limits let another socket be idle. */
function hasRoom(agent, name) {
  const idle = agent.freeSockets[name]?.length ?? 0;
  const all = idle + (agent.sockets[name]?.length ?? 0);
  return agent.totalSocketCount <= agent.maxTotalSockets && all <= agent.maxSockets && idle < agent.maxFreeSockets;
}

/** Takes a socket out of those in use. Whoever waits for that is served by Node's own. */
function leave(agent, name, socket, options) {
  if (hasOwnRemoveSocket(agent) || !isEmpty(agent.requests)) agent.removeSocket(socket, options);
  else removeFrom(agent.sockets, name, socket);
}

/** Whether a subclass, or somebody who watches, wants to see sockets leave. */
function hasOwnRemoveSocket(agent) {
  return !agent[kRemovesPlainly](agent);
}

/**
 * Takes a socket out of the tables, if that is all there is to do.
 * @param {import('./agent').Agent} agent
 * @param {import('node:net').Socket} socket
 * @param {object} options With which it was made.
 * @returns {boolean} False if a request waits that may have another connection, or it is not known.
 */
function remove(agent, socket, options) {
  if (isEnteredWith(socket, options) && agent.getName === getName && isEmpty(agent.requests)) {
    removeFrom(agent.sockets, options._agentKey, socket);
    if (!socket.writable) removeFrom(agent.freeSockets, options._agentKey, socket);
    return true;
  }
  const name = agent.getName(options);
  if (agent.requests[name] === undefined) return false;
  const used = agent.sockets[name] ?? [];
  const left = used.length - (used.includes(socket) ? 1 : 0);
  if (left < agent.maxSockets && agent.totalSocketCount < agent.maxTotalSockets) return false;
  removeFrom(agent.sockets, name, socket);
  if (!socket.writable) removeFrom(agent.freeSockets, name, socket);
  return true;
}

function isEmpty(table) {
  return Object.keys(table).length === 0;
}

function removeFrom(table, name, socket) {
  const row = table[name];
  const index = row === undefined ? -1 : row.indexOf(socket);
  if (index === -1) return;
  row.splice(index, 1);
  if (row.length === 0) delete table[name];
}

/** How long before the announced time, in milliseconds, a connection counts as closed, unless an option says so. */
const TIMEOUT_BUFFER = 1000;

/** @see https://nodejs.org/api/http.html#new-agentoptions */
function timeoutBufferOf({ agentKeepAliveTimeoutBuffer: buffer }) {
  return typeof buffer === 'number' && Number.isFinite(buffer) && buffer >= 0 ? buffer : TIMEOUT_BUFFER;
}

/**
 * Makes a socket ready to be idle, as Node's keepSocketAlive.
 * @param {import('./agent').Agent} agent
 * @param {import('node:net').Socket} socket
 * @returns {boolean} Whether it may stay.
 */
function keepAlive(agent, socket) {
  if (socket._handle?.exchange === exchange.RETIRED) return false;
  socket.setKeepAlive(true, agent.keepAliveMsecs);
  socket.unref();
  const announced = announcedTimeout(socket._httpMessage?.res, agent.agentKeepAliveTimeoutBuffer ?? TIMEOUT_BUFFER);
  // The peer would have closed it before it could be used.
  if (announced === 0) return false;
  let timeout = agent.options.timeout || 0;
  if (announced < timeout) timeout = announced;
  if (socket.timeout !== timeout) socket.setTimeout(timeout);
  idleGuard.watch(socket);
  return true;
}

/**
 * @param {import('../response/client-response').ClientResponse|null|undefined} res
 * @param {number} buffer Milliseconds.
 * @returns {number} For how many milliseconds the peer will keep the connection, as its `Keep-Alive` says
 *   (https://datatracker.ietf.org/doc/html/rfc2068#section-19.7.1.1); Infinity if it does not say.
 */
function announcedTimeout(res, buffer) {
  // A response of somebody else's request does not say whether there is such a field.
  if (!res || res[kAnnouncesTimeout] === false) return Infinity;
  const seconds = /^timeout=(\d+)/.exec(res.headers['keep-alive'])?.[1];
  return seconds === undefined ? Infinity : Math.max(Number.parseInt(seconds, 10) * 1000 - buffer, 0);
}

/**
 * Takes an idle socket for another request, as Node's reuseSocket.
 * @param {import('node:net').Socket} socket
 * @param {import('../request/client-request').ClientRequest} req
 */
function reuse(socket, req) {
  counters.connectionsReused++;
  idleGuard.unwatch(socket);
  req.reusedSocket = true;
  socket.ref();
}

module.exports = { assign, install, keepAlive, nameOfNew, remove, reuse, serve };
