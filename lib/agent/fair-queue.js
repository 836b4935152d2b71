'use strict';

/**
 * Serves the requests that wait in an agent with `fairQueue` in the order in which they came, over all origins. Node's
 * agent serves the origin whose socket gets free before all others.
 */

/** Own property of a request that waits: its number in the order of arrival. */
const kArrival = Symbol('arrival');

let lastArrival = 0;

/**
 * Notes that a request has come.
 * @param {import('node:http').ClientRequest} req
 */
function noteArrival(req) {
  req[kArrival] = ++lastArrival;
}

/**
 * Finds the request that has waited longest of those that another connection would help.
 * @param {import('node:http').Agent} agent
 * @returns {{ name: string, req: import('node:http').ClientRequest }|undefined}
 */
function findNext(agent) {
  let found;
  for (const [name, [req]] of Object.entries(agent.requests)) {
    if (!mayConnect(agent, name)) continue;
    if (found === undefined || req[kArrival] < found.req[kArrival]) found = { name, req };
  }
  return found;
}

/** Tells whether `maxSockets` lets an origin have another connection. */
function mayConnect(agent, name) {
  return (agent.sockets[name]?.length ?? 0) < agent.maxSockets;
}

/**
 * Tells whether a socket that is free has to give way to a connection for another origin, whose request came earlier.
 * @param {import('node:http').Agent} agent
 * @param {string} name Name of the socket's origin.
 * @returns {boolean}
 */
function givesWay(agent, name) {
  const next = findNext(agent);
  const own = agent.requests[name]?.[0];
  return next !== undefined && next.name !== name && (own === undefined || next.req[kArrival] < own[kArrival]);
}

/**
 * Closes the idle socket that stands in the way of a request that has just been put into the queue, if there is one.
 * @param {import('node:http').Agent} agent
 * @param {string} name Name of the request's origin.
 */
function makeRoom(agent, name) {
  if (agent.totalSocketCount < agent.maxTotalSockets || !mayConnect(agent, name)) return;
  for (const row of Object.values(agent.freeSockets)) {
    const socket = row.find(({ destroyed }) => !destroyed);
    if (socket !== undefined) {
      socket.destroy();
      return;
    }
  }
}

module.exports = { findNext, givesWay, makeRoom, noteArrival };
