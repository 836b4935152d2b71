'use strict';

/**
 * Counts the sockets and requests of an agent, and tells its sockets by origin as `getCurrentStatus()` of
 * agentkeepalive does. A socket that `open` in agent-socket.js makes is counted there, any other when a request first
 * gets it.
 */

const { now } = require('../node/timing');
const { kMeets } = require('../response/agent-marks');

/** Own property of an agent: its Census. */
const kCensus = Symbol('census');
/** Own property of a socket whose agent has a `socketActiveTTL`: the time, by `now()`, when it is too old. */
const kExpires = Symbol('expires');
/** Own property of a socket: the Census that counts it. */
const kCounted = Symbol('counted');

class Census {
  /** @param {number} activeTtl Milliseconds after which a socket is too old; Infinity for never. */
  constructor(activeTtl) {
    this.activeTtl = activeTtl;
    this.created = 0;
    this.notCreated = 0;
    this.closed = 0;
    this.failed = 0;
    this.timedOut = 0;
    this.requests = 0;
  }

  /**
   * Counts a new socket.
   * @param {import('node:net').Socket} socket
   */
  onNew(socket) {
    this.created++;
    socket[kCounted] = this;
    if (this.activeTtl !== Infinity) socket[kExpires] = now() + this.activeTtl;
  }

  /**
   * Counts a socket that has closed.
   * @param {import('node:net').Socket} socket
   */
  onClose(socket) {
    this.closed++;
    if (socket.errored) this.failed++;
  }
}

/**
 * Prepares a new agent.
 * @param {import('node:http').Agent} agent
 * @param {number} activeTtl Milliseconds.
 */
function install(agent, activeTtl) {
  agent[kCensus] = new Census(activeTtl);
  agent[kMeets] = meet;
}

/**
 * Counts a socket that a request has been given, when that is the first one.
 * @this {import('node:http').Agent}
 * @param {import('node:stream').Duplex|null|undefined} socket None if it could not be made.
 */
function meet(socket) {
  const { [kCensus]: census } = this;
  if (!socket) {
    census.notCreated++;
  } else if (socket[kCounted] !== census && typeof socket.on === 'function') {
    census.onNew(socket);
    socket.on('close', onClose);
    socket.on('timeout', onTimeout);
    socket.once('agentRemove', onRemove);
  }
}

/** Lets a socket go that has left its agent for good. */
function onRemove() {
  this.removeListener('close', onClose);
  this.removeListener('timeout', onTimeout);
}

/** @this {import('node:stream').Duplex} */
function onClose() {
  this[kCounted].onClose(this);
}

/** @this {import('node:stream').Duplex} */
function onTimeout() {
  this[kCounted].timedOut++;
}

/** @returns {object} The counters, under the names that agentkeepalive has for them. */
function countersOf({ created, notCreated, closed, failed, timedOut, requests }) {
  return {
    createSocketCount: created,
    createSocketErrorCount: notCreated,
    closeSocketCount: closed,
    errorSocketCount: failed,
    timeoutSocketCount: timedOut,
    requestCount: requests,
  };
}

/** Counts the entries of each row of a table. */
function lengthsOf(table) {
  return Object.fromEntries(Object.entries(table).map(([name, row]) => [name, row.length]));
}

/** Counts the entries of all rows of a table. */
function sizeOf(table) {
  return Object.values(table).reduce((sum, { length }) => sum + length, 0);
}

/**
 * Tells what the agent has done, and what it has now, by origin.
 * @this {import('node:http').Agent}
 * @returns {object} As of agentkeepalive.
 */
function getCurrentStatus() {
  return {
    ...countersOf(this[kCensus]),
    freeSockets: lengthsOf(this.freeSockets),
    sockets: lengthsOf(this.sockets),
    requests: lengthsOf(this.requests),
  };
}

/**
 * Tells what the agent has done, and what it has now, over all origins.
 * @this {import('node:http').Agent}
 * @returns {object} Of numbers.
 */
function stats() {
  return {
    ...countersOf(this[kCensus]),
    freeSockets: sizeOf(this.freeSockets),
    sockets: sizeOf(this.sockets),
    requests: sizeOf(this.requests),
  };
}

module.exports = { getCurrentStatus, install, kCensus, kExpires, stats };
