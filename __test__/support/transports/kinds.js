'use strict';

/**
 * The ways by which bytes travel between a request and its peer. Needs nothing of Jest: child processes use it too.
 */

const net = require('node:net');
const tls = require('node:tls');
const certificates = require('../certificates');

/**
 * @typedef {object} Kind
 * @property {string} title
 * @property {(modules: { http: object, https: object }, options: object) => import('node:http').Agent} makeAgent
 * @property {boolean} isStream JavaScript reads from the connection, and feeds the decoder
 * @property {boolean} isLent the connection is lent to the JavaScript thread before the exchange under test begins
 * @property {boolean} isTls the peer speaks TLS
 */

/** @type {Kind[]} */
const KINDS = [
  {
    title: 'a connection',
    makeAgent: ({ http }, options) => new http.Agent(options),
    isStream: false,
    isLent: false,
    isTls: false,
  },
  {
    title: 'a stream',
    makeAgent: ({ http }, options) => Object.assign(new http.Agent(options), {
      createConnection: (...args) => net.createConnection(...args),
    }),
    isStream: true,
    isLent: false,
    isTls: false,
  },
  {
    title: 'a lent connection',
    makeAgent: ({ http }, options) => new http.Agent(options),
    isStream: false,
    isLent: true,
    isTls: false,
  },
  {
    title: 'TLS',
    makeAgent: ({ https }, options) => new https.Agent({ ca: certificates.ca, ...options }),
    isStream: false,
    isLent: false,
    isTls: true,
  },
  {
    title: 'lent TLS',
    makeAgent: ({ https }, options) => new https.Agent({ ca: certificates.ca, ...options }),
    isStream: false,
    isLent: true,
    isTls: true,
  },
  {
    title: "Node's TLS",
    // A context of the user's keeps a connection with Node.
    makeAgent: ({ https }, options) => {
      return new https.Agent({ secureContext: tls.createSecureContext({ ca: certificates.ca }), ...options });
    },
    isStream: true,
    isLent: false,
    isTls: true,
  },
];

/**
 * Lists the kinds that there are where a client serves requests.
 * @param {import('../../..').Mode|undefined} mode of the module under test; undefined for node:http
 * @returns {Kind[]}
 */
function kindsIn(mode) {
  if (mode !== 'stream') return KINDS;
  // All connections are streams then, and nothing is lent.
  return KINDS.filter(({ isLent }) => !isLent).map((kind) => ({ ...kind, isStream: true }));
}

/** Titles of the kinds that tests run over, where the environment says them: scripts/test-nodes.mjs. */
const titles = process.env.FERREQUEST_TEST_TRANSPORTS?.split(',');

/**
 * Chooses the kinds that tests run over: those that FERREQUEST_TEST_TRANSPORTS names, or all if it names none of them.
 * So no test is left out.
 * @param {Kind[]} kinds those for which there is something to test
 * @returns {Kind[]}
 */
function chosenOf(kinds) {
  const chosen = kinds.filter(({ title }) => titles?.includes(title));
  return chosen.length > 0 ? chosen : kinds;
}

module.exports = { KINDS, chosenOf, kindsIn };
