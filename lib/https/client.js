'use strict';

/** Exports request, get and Agent of https. Node's own agent makes the connections, and caches TLS sessions. */

const tls = require('node:tls');
const { urlToHttpOptions } = require('node:url');

const { Agent: HttpAgent, serve } = require('../agent/agent');
const { isPlainCreateSocket } = require('../agent/agent-socket');
const keepAlive = require('../agent/keep-alive');
const { OriginNames } = require('../agent/origin-names');
const pool = require('../agent/pool');
const { assign, bareObject } = require('../node/bare-options');
const { unseen } = require('../node/internals');
const { https } = require('../node/modules');
const { constructAgent, globalProxyEnv, isKnownToNode } = require('../proxy/config');
const tunnels = require('./proxy-tunnel');
const { refuseNulInHost } = require('../node/validators');
const { ClientRequest } = require('../request/client-request');
const { isUrl } = require('../request/request-options');

const NodeAgent = https.Agent;
const { getName } = NodeAgent.prototype;

/** Own property of an agent with `proxyEnv`: its proxy. Under Node's name, Node's agent would make its own tunnels. */
const kProxy = Symbol('proxy');

/**
 * Own property of a request's options, since Node 24: the request has a checkServerIdentity of its own and must not
 * share a connection with others. Only a request to an agent that shows its options reveals the symbol.
 * @type {symbol|undefined}
 */
const kOwnIdentityCheck = unseen(findIdentitySymbol);
let identityChecks = 0;

/** @returns {symbol|undefined} Undefined before Node 24. */
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

/** Names of the origins of one agent for https. */
class HttpsOriginNames extends OriginNames {
  /** @override */
  find(agent, options, authority) {
    // The name of a request that must not share a connection is another one each time.
    if (kOwnIdentityCheck && options[kOwnIdentityCheck]) return undefined;
    return super.find(agent, options, authority);
  }
}

/**
 * @param {import('node:https').AgentOptions} [options]
 * @see https://nodejs.org/api/https.html#class-httpsagent
 */
function Agent(options) {
  if (!(this instanceof Agent)) return new Agent(options);
  const proxy = constructAgent(NodeAgent, this, options);
  if (proxy) this[kProxy] = proxy;
  pool.install(this, new HttpsOriginNames(getName), createsPlainly, removesPlainly);
}
Object.setPrototypeOf(Agent.prototype, NodeAgent.prototype);
Object.setPrototypeOf(Agent, NodeAgent);

/*
 * Node's agent of https inherits these from its agent of http. A library that replaces one there, to trace or to mock,
 * sees requests by TLS too. Ours cannot have both in its chain of prototypes, and passes such calls on.
 */
inherit('addRequest', function addRequest(req, options, port, localAddress) {
  if (!serve(this, req, options)) NodeAgent.prototype.addRequest.call(this, req, options, port, localAddress);
});

inherit('removeSocket', function removeSocket(socket, options) {
  if (pool.remove(this, socket, options)) return;
  NodeAgent.prototype.removeSocket.call(this, socket, options);
});

inherit('reuseSocket', function reuseSocket(socket, req) {
  keepAlive.reuseSocket(socket, req);
});

inherit('keepSocketAlive', function keepSocketAlive(socket) {
  return keepAlive.keepSocketAlive(this, socket);
});

inherit('destroy', function destroy() {
  NodeAgent.prototype.destroy.call(this);
});

/**
 * Gives Agent a method that calls ours, or the one that a library has put in place of http.Agent's.
 * @param {string} name
 * @param {Function} own
 */
function inherit(name, own) {
  const plain = HttpAgent.prototype[name];
  const { [name]: method } = {
    [name](...arguments_) {
      const current = HttpAgent.prototype[name];
      return (current === plain ? own : current).apply(this, arguments_);
    },
  };
  Object.defineProperty(method, 'length', { value: own.length });
  Agent.prototype[name] = method;
}

/**
 * Makes a connection. One through a proxy is not returned, but given to the callback when TLS is established.
 * @param {object} options
 * @param {(error: Error|null, socket?: tls.TLSSocket) => void} [callback]
 * @returns {tls.TLSSocket|undefined}
 */
Agent.prototype.createConnection = function createConnection(...arguments_) {
  const connectTls = NodeAgent.prototype.createConnection;
  const proxy = this[kProxy];
  // Where there is no tunnel nothing needs a copy of the options.
  const { options, callback } = !proxy && arguments_[0]?.host ? { options: arguments_[0] } :
    connectionArguments(arguments_);
  if (!proxy || !tunnels.needsTunnel(this, proxy, options)) {
    refuseNulInHost(options);
    return connectTls.apply(this, arguments_);
  }
  tunnels.createConnection(this, proxy, options, (inside) => connectTls.call(this, inside), callback);
  return undefined;
};

/** Sorts out `(options[, callback])` and `(port[, host][, options][, callback])`. */
function connectionArguments(arguments_) {
  const given = arguments_.slice(0, 3).find((argument) => typeof argument === 'object' && argument !== null);
  const options = { __proto__: null, ...given };
  if (typeof arguments_[0] === 'number') [options.port] = arguments_;
  if (typeof arguments_[1] === 'string') [, options.host] = arguments_;
  const last = arguments_.at(-1);
  return { options, callback: typeof last === 'function' ? last : undefined };
}

inherit('createSocket', function createSocket(req, options, callback) {
  const createNodeSocket = NodeAgent.prototype.createSocket;
  if (!this[kProxy]) {
    createNodeSocket.call(this, req, options, callback);
    return;
  }
  const tells = isKnownToNode || req instanceof ClientRequest;
  tunnels.createSocket(this, createNodeSocket, req, options, callback, tells);
});

const { createSocket: plainCreateSocket, removeSocket: plainRemoveSocket } = Agent.prototype;
const { removeSocket: httpRemoveSocket } = HttpAgent.prototype;

/** Tells whether no class, http.Agent included, nor the agent itself overrides createSocket. */
function createsPlainly(agent) {
  return agent.createSocket === plainCreateSocket && isPlainCreateSocket(HttpAgent.prototype.createSocket);
}

/** Tells whether no class, http.Agent included, nor the agent itself overrides removeSocket. */
function removesPlainly(agent) {
  return agent.removeSocket === plainRemoveSocket && HttpAgent.prototype.removeSocket === httpRemoveSocket;
}

/** The agent of requests that name none. */
let globalAgent = new Agent({
  keepAlive: true, scheduling: 'lifo', timeout: 5000, proxyEnv: globalProxyEnv(https),
});

/** Tells whether the agent of a request has a checkServerIdentity, which then is for all its requests. */
function agentChecksIdentity({ agent, createConnection }) {
  if (agent === false) return false;
  if (agent === null || agent === undefined) {
    if (typeof createConnection === 'function') return false;
    agent = globalAgent;
  }
  return agent?.options?.checkServerIdentity !== undefined;
}

/**
 * Makes a request, in a function that is named after Node's file. Agents built on agent-base (https-proxy-agent and
 * many more) look for that name on the stack, to learn whether https made the request.
 */
const { 'node:https:request': construct } = {
  'node:https:request'(options, others) {
    return new ClientRequest(options, ...others);
  },
};

/**
 * Makes a request over TLS.
 * @see https://nodejs.org/api/https.html#httpsrequesturl-options-callback
 */
function request(...arguments_) {
  const options = bareObject();
  if (typeof arguments_[0] === 'string') assign(options, urlToHttpOptions(new URL(arguments_.shift())));
  else if (isUrl(arguments_[0])) assign(options, urlToHttpOptions(arguments_.shift()));
  if (arguments_[0] && typeof arguments_[0] !== 'function') Object.assign(options, arguments_.shift());
  const { checkServerIdentity } = options;
  if (kOwnIdentityCheck && checkServerIdentity !== undefined && checkServerIdentity !== tls.checkServerIdentity &&
      !agentChecksIdentity(options)) {
    options[kOwnIdentityCheck] = ++identityChecks;
  }
  options._defaultAgent = globalAgent;
  return construct(options, arguments_);
}

/**
 * Makes a request without a body over TLS.
 * @see https://nodejs.org/api/https.html#httpsgetoptions-callback
 */
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
  /** @param {Agent} value */
  setGlobalAgent(value) {
    globalAgent = value;
  },
};
