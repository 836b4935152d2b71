'use strict';

/**
 * Keeps the tables of an agent: names of origins, sockets in use, idle sockets, the queue, the limits. Each function is
 * one step of a request through them, or of a socket on its way back.
 *
 * The tables are those that Node's own Agent has and documents. Each step does there what Node's does, without the
 * copies of options and names that Node makes each time.
 */

const { AsyncResource } = require('node:async_hooks');

const { isOpenedWith, mergeOptions } = require('./agent-socket');
const { hasPendingRead: descriptorHasPendingRead } = require('../bridge/bridge');
const census = require('./census');
const fairQueue = require('./fair-queue');
const { hasIdledTooLong, isTooOld, restoreTimeout } = require('./keep-alive');
const { kPool } = require('./own-properties');
const { exchange } = require('../socket/stages');
const { closedBy, giveReason } = require('../node/connection-channels');
const { kQueuedOptions, kQueuedResource } = require('../node/internals');
const { getName: getNameOfHttp } = require('../node/originals');

/**
 * Finds the name of a request's origin.
 * @param {import('node:http').Agent} agent
 * @param {import('node:http').ClientRequest} req
 * @param {object} options Options of the request.
 * @returns {string|undefined} Undefined if only Node's own way finds the name, or refuses the request.
 */
function nameOf(agent, req, options) {
  const authority = req.getHeader('host');
  const { [kPool]: pool } = agent;
  if (pool === undefined || (authority && typeof authority !== 'string')) return undefined;
  pool.names ??= pool.makeNames();
  return pool.names.find(agent, options, authority);
}

/**
 * Finds the row of the sockets in use of an origin. Node makes the row at the same point: a reuseSocket or
 * createConnection of the user's finds it in the table.
 * @param {import('node:http').Agent} agent
 * @param {string} name
 * @returns {import('node:net').Socket[]}
 */
function rowInUse(agent, name) {
  const row = agent.sockets[name] ??= [];
  return row;
}

/**
 * Takes the idle socket that `scheduling` names.
 * @param {import('node:http').Agent} agent
 * @param {string} name
 * @returns {import('node:net').Socket|undefined}
 */
function takeIdle(agent, name) {
  const idle = agent.freeSockets[name];
  if (idle === undefined) return undefined;
  const isFifo = agent.scheduling === 'fifo';
  dropUnfit(idle, isFifo);
  const socket = isFifo ? idle.shift() : idle.pop();
  if (idle.length === 0) delete agent.freeSockets[name];
  return socket;
}

/** Drops the unfit sockets of every origin, for a request whose name only Node's own way finds. */
function dropAllUnfit(agent) {
  for (const name of Object.keys(agent.freeSockets)) {
    const idle = agent.freeSockets[name];
    dropUnfit(idle, agent.scheduling === 'fifo');
    if (idle.length === 0) delete agent.freeSockets[name];
  }
}

/**
 * Closes the sockets that would be used next although the peer has closed them, or has sent bytes that no request asked
 * for. Node's own way looks only whether the first one is closed, and since version 22 at unread bytes.
 * @param {import('node:net').Socket[]} idle
 * @param {boolean} isFifo
 */
function dropUnfit(idle, isFifo) {
  while (idle.length > 0 && isUnfit(isFifo ? idle[0] : idle.at(-1))) {
    // A half-open socket would stay open, and counts against the limits.
    const socket = isFifo ? idle.shift() : idle.pop();
    giveReason(socket, causeOfUnfitness(socket));
    socket.destroy();
  }
}

/** Tells whether an idle socket must not serve another request. */
function isUnfit(socket) {
  return socket.destroyed || socket.writable === false || socket.readableEnded === true ||
    // One of ours has no handle any more when it has been sent to another process.
    (socket._handle === null && socket.isNative === false) || socket._handle?.exchange === exchange.RETIRED ||
    hasIdledTooLong(socket) || hasPendingRead(socket);
}

/** @returns {string} Why a socket must not serve another request; one of `closedBy`. */
function causeOfUnfitness(socket) {
  if (hasIdledTooLong(socket)) return closedBy.IDLE_TIMEOUT;
  // What waits in the kernel may be the end of the stream too, and mostly is.
  return socket.readableLength > 0 ? closedBy.UNSOLICITED : closedBy.PEER;
}

/**
 * Tells whether a stream has brought bytes that nobody has read yet. The event loop may not have looked since they came
 * (CVE-2026-105481). The I/O thread looks at its own connections itself.
 */
function hasPendingRead(socket) {
  if (socket.isNative || socket.connecting) return false;
  if (socket.readableLength > 0) return true;
  const { _handle: handle } = socket;
  if (!handle) return false;
  if (typeof handle.hasPendingRead === 'function') return handle.hasPendingRead() === true;
  return handle.fd >= 0 && descriptorHasPendingRead !== undefined && descriptorHasPendingRead(handle.fd);
}

/**
 * Gives an idle socket to a request.
 * @param {import('node:http').Agent} agent
 * @param {import('node:net').Socket[]} used Row of the sockets in use of the origin.
 * @param {import('node:net').Socket} socket
 * @param {import('node:http').ClientRequest} req
 * @param {object} options Options of the request.
 */
function reuse(agent, used, socket, req, options) {
  // As for a new socket, what the agent says takes precedence.
  const highWaterMark = agent.options.highWaterMark ?? options.highWaterMark;
  if (highWaterMark !== undefined && highWaterMark !== null && socket.writableHighWaterMark !== highWaterMark) {
    socket._writableState.highWaterMark = highWaterMark;
  }
  resetContext(socket);
  restoreTimeout(agent, socket);
  agent.reuseSocket(socket, req);
  assign(agent, req, socket);
  used.push(socket);
}

/**
 * @param {import('node:http').Agent} agent
 * @param {import('node:net').Socket[]} used Row of the sockets in use of an origin that has no idle one.
 * @returns {boolean} True if the limits have room for a new socket.
 */
function hasRoom(agent, used) {
  return used.length < agent.maxSockets && agent.totalSocketCount < agent.maxTotalSockets;
}

/**
 * Enters a new socket among those in use.
 * @param {import('node:http').Agent} agent
 * @param {string} name
 * @param {import('node:net').Socket} socket
 */
function enter(agent, name, socket) {
  // Connecting calls functions of users, which may have changed the tables.
  rowInUse(agent, name).push(socket);
  agent.totalSocketCount++;
}

/**
 * Puts a request into the queue.
 * @param {import('node:http').Agent} agent
 * @param {string} name
 * @param {import('node:http').ClientRequest} req
 * @param {object} options Options of the request.
 */
function enqueue(agent, name, req, options) {
  // For the socket that may be made for it when another one closes. Node's own createSocket merges them itself.
  const isPlain = agent[kPool].createsPlainly(agent);
  req[kQueuedOptions] = isPlain ? options : mergeOptions(agent, req, options);
  req[kQueuedResource] = new AsyncResource('QueuedRequest');
  const queue = agent.requests[name];
  if (queue === undefined) agent.requests[name] = [req];
  else queue.push(req);
  if (agent[kPool].isFair) {
    fairQueue.noteArrival(req);
    fairQueue.makeRoom(agent, name);
  }
}

/**
 * Gives a socket to a request, with the timeout that the request asks for.
 * @param {import('node:http').Agent} agent
 * @param {import('node:http').ClientRequest} req
 * @param {import('node:net').Socket} socket
 */
function assign(agent, req, socket) {
  req.onSocket(socket);
  const { timeout } = req;
  if (timeout !== undefined && timeout !== (agent.options.timeout || 0)) socket.setTimeout(timeout);
}

/**
 * Takes back a socket whose request is over: for the next request of the queue, or to be idle.
 * @param {import('node:http').Agent} agent
 * @param {import('node:net').Socket} socket
 * @param {object} options Options of the connection.
 */
function takeBack(agent, socket, options) {
  // A library that brings a socket of its own gives options without a name.
  const name = options._agentKey ?? agent.getName(options);
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const req = socket._httpMessage;
  if (req?.res) agent[census.kCensus].requests++;
  if (agent[kPool].isFair && fairQueue.givesWay(agent, name)) {
    giveReason(socket, closedBy.GAVE_WAY);
    socket.destroy();
    return;
  }
  const queue = agent.requests[name];
  if (queue !== undefined && queue.length > 0) {
    // Its 'close' makes another connection for the request.
    if (hasPendingRead(socket) || isTooOld(socket)) {
      giveReason(socket, isTooOld(socket) ? closedBy.TOO_OLD : causeOfUnfitness(socket));
      socket.destroy();
    } else {
      serveNext(agent, name, queue, socket);
    }
    return;
  }
  const reason = reasonToClose(agent, name, socket, req);
  if (reason !== null) {
    giveReason(socket, reason);
    socket.destroy();
    return;
  }
  // Looked up again: keepSocketAlive is the user's to override, and may change the tables.
  const idle = agent.freeSockets[name] ??= [];
  socket._httpMessage = null;
  leave(agent, name, socket, options);
  idle.push(socket);
}

/**
 * Finds out why a socket whose request is over cannot be idle.
 * @param {import('node:http').Agent} agent
 * @param {string} name Of the origin.
 * @param {import('node:net').Socket} socket
 * @param {import('node:http').ClientRequest|null} req
 * @returns {string|null} One of `closedBy`; null if it can.
 */
function reasonToClose(agent, name, socket, req) {
  if (!req?.shouldKeepAlive) return closedBy.NOT_PERSISTENT;
  if (!agent.keepAlive) return closedBy.NOT_KEPT;
  if (!hasRoomForIdle(agent, name)) return closedBy.POOL_FULL;
  if (agent.keepSocketAlive(socket)) return null;
  return isTooOld(socket) ? closedBy.TOO_OLD : closedBy.NOT_KEPT;
}

/** Gives a socket to the first request of a queue, in the async context of that request. */
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

/** Gives a socket to a request whose async context is the current one. */
function assignInContext(agent, req, socket) {
  if (!socket.isNative) resetContext(socket);
  assign(agent, req, socket);
}

/** Puts the events of a socket into the current async context, that of its next request. */
function resetContext(socket) {
  socket._handle?.asyncReset?.(socket._handle);
}

/** Tells whether the limits let another socket of an origin be idle. */
function hasRoomForIdle(agent, name) {
  const idle = agent.freeSockets[name]?.length ?? 0;
  const all = idle + (agent.sockets[name]?.length ?? 0);
  return agent.totalSocketCount <= agent.maxTotalSockets && all <= agent.maxSockets && idle < agent.maxFreeSockets;
}

/** Takes a socket out of those in use. Node's own removeSocket serves the requests that wait for that. */
function leave(agent, name, socket, options) {
  if (!agent[kPool].removesPlainly(agent) || !isEmpty(agent.requests)) agent.removeSocket(socket, options);
  else removeFrom(agent.sockets, name, socket);
}

/**
 * Takes a socket out of the tables, if that is all there is to do.
 * @param {import('node:http').Agent} agent
 * @param {import('node:net').Socket} socket
 * @param {object} options Options of the connection.
 * @returns {boolean} False if a request waits that may have another connection, or the socket is not known.
 */
function remove(agent, socket, options) {
  if (agent[kPool]?.isFair) {
    removeFromRows(agent, options._agentKey ?? agent.getName(options), socket);
    connectWaiting(agent);
    return true;
  }
  if (isOpenedWith(socket, options) && agent.getName === getNameOfHttp && isEmpty(agent.requests)) {
    removeFromRows(agent, options._agentKey, socket);
    return true;
  }
  const { _agentKey: key } = options;
  // The name of its row: what a name is made of, such as the bytes of a certificate, may have changed since.
  if (key !== undefined) removeFromRows(agent, key, socket);
  const name = agent.getName(options);
  if (agent.requests[name] === undefined) return false;
  const used = agent.sockets[name] ?? [];
  const left = used.length - (used.includes(socket) ? 1 : 0);
  if (left < agent.maxSockets && agent.totalSocketCount < agent.maxTotalSockets) return false;
  removeFromRows(agent, name, socket);
  return true;
}

/** Makes connections for the requests that have waited longest, as many as the limits have room for. */
function connectWaiting(agent) {
  const { [kPool]: pool } = agent;
  // Within a call by createSocket() the count is not right yet.
  if (pool.isConnecting) return;
  pool.isConnecting = true;
  try {
    while (agent.totalSocketCount < agent.maxTotalSockets) {
      const next = fairQueue.findNext(agent);
      if (next === undefined) break;
      const queue = agent.requests[next.name];
      queue.shift();
      if (queue.length === 0) delete agent.requests[next.name];
      const resource = next.req[kQueuedResource];
      next.req[kQueuedResource] = null;
      resource.runInAsyncScope(connectFor, null, agent, next.req);
    }
  } finally {
    pool.isConnecting = false;
  }
}

/** Makes a connection for a request that has waited, in the request's async context. */
function connectFor(agent, req) {
  const options = req[kQueuedOptions];
  req[kQueuedOptions] = undefined;
  agent.createSocket(req, options, (error, socket) => {
    if (error) req.onSocket(socket, error);
    else assign(agent, req, socket);
  });
}

/** Takes a socket out of those in use, and one that has closed out of the idle ones. */
function removeFromRows(agent, name, socket) {
  removeFrom(agent.sockets, name, socket);
  if (!socket.writable) removeFrom(agent.freeSockets, name, socket);
}

/** Tells whether a table has no row. */
function isEmpty(table) {
  return Object.keys(table).length === 0;
}

/** Notes that all sockets of an agent are closed because the agent is destroyed. */
function noteDestruction(agent) {
  for (const table of [agent.sockets, agent.freeSockets]) {
    for (const row of Object.values(table)) {
      for (const socket of row) giveReason(socket, closedBy.AGENT_DESTROYED);
    }
  }
}

/** Takes a socket out of a row, and an empty row out of its table. */
function removeFrom(table, name, socket) {
  const row = table[name];
  const index = row === undefined ? -1 : row.indexOf(socket);
  if (index === -1) return;
  row.splice(index, 1);
  if (row.length === 0) delete table[name];
}

module.exports = {
  assign, dropAllUnfit, enqueue, enter, hasRoom, nameOf, noteDestruction, remove, reuse, rowInUse, takeBack,
  takeIdle,
};
