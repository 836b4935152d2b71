'use strict';

const http = require('./http');
const { cleanUp } = require('./cleanup');
const { until } = require('./wait');

/**
 * @param {import('node:http').AgentOptions} [options]
 * @returns {import('node:http').Agent} an agent destroyed after the test
 */
function newAgent(options) {
  const agent = new http.Agent(options);
  cleanUp(() => agent.destroy());
  return agent;
}

/**
 * @param {import('node:http').Agent} agent
 * @returns {{ sockets: number, freeSockets: number, requests: number }} how many of each its tables hold
 */
function poolOf(agent) {
  const count = (table) => Object.values(table).reduce((sum, list) => sum + list.length, 0);
  return { sockets: count(agent.sockets), freeSockets: count(agent.freeSockets), requests: count(agent.requests) };
}

/** Waits until the agent has no socket in use and no request waiting; idle sockets may stay. */
async function untilIdle(agent) {
  await until(() => poolOf(agent).sockets === 0 && poolOf(agent).requests === 0,
    () => `an idle pool, which is ${JSON.stringify(poolOf(agent))}`);
}

/**
 * Waits until the agent's tables are empty, without even a key left, and its count of sockets is 0.
 * @param {import('node:http').Agent} agent
 */
async function untilPoolIsEmpty(agent) {
  const tables = () => [agent.sockets, agent.freeSockets, agent.requests];
  await until(() => tables().every((table) => Object.keys(table).length === 0) && agent.totalSocketCount === 0,
    () => `an empty pool, which is ${JSON.stringify(poolOf(agent))}, ${agent.totalSocketCount} sockets counted`);
}

/**
 * Waits until the server has no connection left: no socket has leaked.
 * @param {import('./servers').Peer} peer
 */
async function untilNoConnections(peer) {
  await until(() => peer.sockets.size === 0, () => `no open connections, of which there are ${peer.sockets.size}`);
}

// Sockets that wait in the global agent would hold on to the servers of the next test.
afterEach(() => http.globalAgent.destroy());

module.exports = { newAgent, poolOf, untilIdle, untilPoolIsEmpty, untilNoConnections };
