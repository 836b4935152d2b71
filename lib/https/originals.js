'use strict';

/**
 * Holds classes and functions of Node that have to do with TLS, as they are when ferrequest is loaded: see
 * lib/node/originals.js.
 */

const tls = require('node:tls');

const { https } = require('../node/modules');

const { Agent, request } = https;
const { createConnection, getName } = Agent.prototype;

/** Functions of Node that make a connection with TLS, and a text that is in the source of each. */
const FUNCTIONS = [
  [Agent.prototype, 'createConnection', 'this._cacheSession(options._agentKey'],
  [tls, 'connect', 'tlssock._start'],
  [tls, 'createSecureContext', 'SecureContext('],
  [tls, 'checkServerIdentity', 'subject'],
  [tls, 'TLSSocket', 'this._wrapHandle('],
];

module.exports = {
  Agent,
  createConnection,
  /** Owner, name, text in Node's source, and value of each function that makes a connection. */
  functions: FUNCTIONS.map(([owner, name, text]) => [owner, name, text, owner[name]]),
  getName,
  /** Methods of Node's TLSSocket, by name. */
  membersOfSocket: Object.entries(Object.getOwnPropertyDescriptors(tls.TLSSocket.prototype))
    .filter(([, { value }]) => typeof value === 'function'),
  request,
};
