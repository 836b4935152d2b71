'use strict';

/** request, get and Agent of https. The agent is Node's own: it makes and caches TLS sessions. */

const https = require('node:https');
const tls = require('node:tls');
const { urlToHttpOptions } = require('node:url');

const { ClientRequest } = require('./client-request');
const { isUrl } = require('./request-options');

const NodeAgent = https.Agent;

/**
 * @param {import('node:https').AgentOptions} [options]
 * @see https://nodejs.org/api/https.html#class-httpsagent
 */
function Agent(options) {
  if (!(this instanceof Agent)) return new Agent(options);
  NodeAgent.call(this, options);
}
Object.setPrototypeOf(Agent.prototype, NodeAgent.prototype);
Object.setPrototypeOf(Agent, NodeAgent);

let globalAgent = new Agent({ keepAlive: true, scheduling: 'lifo', timeout: 5000 });

/**
 * Since Node 24, a request with a checkServerIdentity of its own must not share a connection with others. The agent
 * sees that by a symbol in the request's options, which only a request to an agent that shows them reveals.
 * @type {symbol|undefined}
 */
const kOwnIdentityCheck = findIdentitySymbol();
let identityChecks = 0;

function findIdentitySymbol() {
  let found;
  const agent = {
    defaultPort: 443,
    protocol: 'https:',
    addRequest(req, options) {
      [found] = Object.getOwnPropertySymbols(options);
    },
  };
  https.request({ agent, checkServerIdentity() {} });
  return found;
}

/** Whether the agent of a request has a checkServerIdentity of its own, which then is for all its requests. */
function agentChecksIdentity({ agent, createConnection }) {
  if (agent === false) return false;
  if (agent === null || agent === undefined) {
    if (typeof createConnection === 'function') return false;
    agent = globalAgent;
  }
  return agent?.options?.checkServerIdentity !== undefined;
}

/** @see https://nodejs.org/api/https.html#httpsrequesturl-options-callback */
function request(...arguments_) {
  let options = {};
  if (typeof arguments_[0] === 'string') options = urlToHttpOptions(new URL(arguments_.shift()));
  else if (isUrl(arguments_[0])) options = urlToHttpOptions(arguments_.shift());
  if (arguments_[0] && typeof arguments_[0] !== 'function') Object.assign(options, arguments_.shift());
  const { checkServerIdentity } = options;
  if (kOwnIdentityCheck && checkServerIdentity !== undefined && checkServerIdentity !== tls.checkServerIdentity &&
      !agentChecksIdentity(options)) {
    options[kOwnIdentityCheck] = ++identityChecks;
  }
  options._defaultAgent = globalAgent;
  return new ClientRequest(options, ...arguments_);
}

/** @see https://nodejs.org/api/https.html#httpsgetoptions-callback */
function get(input, options, callback) {
  const req = request(input, options, callback);
  req.end();
  return req;
}

module.exports = {
  Agent,
  get,
  /** @returns {Agent} */
  getGlobalAgent: () => globalAgent,
  request,
  setGlobalAgent(value) {
    globalAgent = value;
  },
};
