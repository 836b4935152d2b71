'use strict';

/** The clients, by the names of their files here. Nothing of a client is loaded before its `load()` is called. */

const { requestsOf } = require('./requests');

/**
 * @typedef {object} Client
 * @property {() => Promise<any>} load
 * @property {number[]} [node] the first version of Node that the client runs on: major and minor
 * @property {'transport' | 'agent'} [given] what the client can be given of ferrequest; with an agent, Node's client
 *   makes the requests. None: nothing
 * @property {Record<string, Scenario>} scenarios
 *
 * @typedef {object} Scenario
 * @property {(library: any, kit: object) => Promise<unknown>} act
 * @property {unknown} gives what comes of it, or a part
 * @property {boolean} [mayNotArrive] the client may give up before its request has come to the peer
 */

/**
 * Clients that share a process. Those that put themselves in the place of node:http have one each.
 * @type {string[][]}
 */
const PROCESSES = [
  [
    'axios',
    'got',
    'node-fetch-2',
    'node-fetch-3',
    'superagent',
    'supertest',
    'needle',
    'request',
    'follow-redirects',
    'gaxios',
    'ws',
    'socket.io-client',
    'agents',
    'form-data',
    'client-s3',
    'elastic-transport',
    'dockerode',
    'kubernetes',
    'stripe',
    'octokit',
    'http-proxy',
  ],
  ['nock'],
  ['msw'],
];

const CLIENTS = PROCESSES.flat();

/**
 * @param {string} name
 * @returns {Client}
 */
function clientOf(name) {
  const { adapter, scenarios, ...client } = require(`./${name}`);
  return { ...client, scenarios: { ...(adapter && requestsOf(adapter)), ...scenarios } };
}

module.exports = { CLIENTS, PROCESSES, clientOf };
