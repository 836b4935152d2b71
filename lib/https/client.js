'use strict';

/**
 * Exports request, get and Agent of https. Node's own agent makes the connections, and caches TLS sessions. Most of it
 * is loaded with the first request.
 */

const { Agent: HttpAgent } = require('../agent/agent');
const { getCurrentStatus, stats } = require('../agent/census');
const { install } = require('../agent/installation');
const { isPlainCreateSocket } = require('../agent/node-methods');
const { assign, bareObject } = require('../node/bare-options');
const { late } = require('../node/late');
const { https } = require('../node/modules');
const { Agent: NodeAgent } = require('./originals');
const { constructAgent, globalProxyEnv } = require('../proxy/environment');
const { ClientRequest } = require('../request/client-request');

/** Own property of an agent with `proxyEnv`: its proxy. Under Node's name, Node's agent would make its own tunnels. */
const kProxy = Symbol('proxy');

/** Gives what requests need. */
const parts = late(() => require('./parts'));

/**
 * Names the origin and the TLS policy of a connection: as Node's agent, with what the running Node's name lacks behind.
 * @this {import('node:https').Agent}
 * @param {object} [options] Options of a connection.
 * @returns {string}
 */
function getName(options = {}) {
  const { identity, policies } = parts();
  return NodeAgent.prototype.getName.call(this, options) + policies.restOf(options) + identity.nameOf(options);
}

/**
 * @param {import('node:https').AgentOptions} [options]
 * @see https://nodejs.org/api/https.html#class-httpsagent
 */
function Agent(options) {
  if (!(this instanceof Agent)) return new Agent(options);
  const proxy = constructAgent(NodeAgent, this, options);
  if (proxy) this[kProxy] = proxy;
  install(this, makeNames, { connectsPlainly, createsPlainly, removesPlainly });
}
Object.setPrototypeOf(Agent.prototype, NodeAgent.prototype);
Object.setPrototypeOf(Agent, NodeAgent);
Agent.prototype.getName = getName;
Agent.prototype.getCurrentStatus = getCurrentStatus;
Agent.prototype.stats = stats;

/*
 * Node's agent of https inherits these from its agent of http. A library that replaces one there, to trace or to mock,
 * sees requests by TLS too. Ours cannot have both in its chain of prototypes, and passes such calls on.
 */
inherit('addRequest', function addRequest(req, options, port, localAddress) {
  const { identity, serve } = parts();
  identity.markUnmarked(this, options);
  if (!serve(this, req, options)) NodeAgent.prototype.addRequest.call(this, req, options, port, localAddress);
});

inherit('removeSocket', function removeSocket(socket, options) {
  if (parts().pool.remove(this, socket, options)) return;
  NodeAgent.prototype.removeSocket.call(this, socket, options);
});

inherit('reuseSocket', function reuseSocket(socket, req) {
  parts().keepAlive.reuseSocket(socket, req);
});

inherit('keepSocketAlive', function keepSocketAlive(socket) {
  return parts().keepAlive.keepSocketAlive(this, socket);
});

const { keepSocketAlive: keepInheritedly } = Agent.prototype;

/** @see https://nodejs.org/api/http.html#agentkeepsocketalivesocket */
Agent.prototype.keepSocketAlive = function keepSocketAlive(socket) {
  // No other request may have it.
  return !socket[parts().identity.kOwnIdentityCheck] && keepInheritedly.call(this, socket);
};

inherit('destroy', function destroy() {
  parts().pool.noteDestruction(this);
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
  const { identity, refuseNulInHost, tunnels } = parts();
  const connectTls = NodeAgent.prototype.createConnection;
  const proxy = this[kProxy];
  // Where there is no tunnel nothing needs a copy of the options.
  const { options, callback } = !proxy && arguments_[0]?.host ? { options: arguments_[0] } :
    connectionArguments(arguments_);
  if (!proxy || !tunnels.needsTunnel(this, proxy, options)) {
    refuseNulInHost(options);
    return identity.connect(this, connectTls, arguments_);
  }
  tunnels.createConnection(this, proxy, options, (inside) => identity.connect(this, connectTls, [inside]), callback);
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
  const { isKnownToNode, nativeTls, tunnels } = parts();
  const createNodeSocket = NodeAgent.prototype.createSocket;
  if (!this[kProxy]) {
    nativeTls.forRequest(() => createNodeSocket.call(this, req, options, callback));
    return;
  }
  const tells = isKnownToNode || req instanceof ClientRequest;
  nativeTls.forRequest(() => tunnels.createSocket(this, createNodeSocket, req, options, callback, tells));
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

/** Makes the names of the origins of an agent. */
function makeNames() {
  const { HttpsOriginNames } = parts();
  return new HttpsOriginNames(getName);
}

/** Tells whether nothing overrides createConnection; here it is always Node's that makes the socket. */
function connectsPlainly() {
  return false;
}

/** The agent of requests that name none. */
let globalAgent = new Agent({
  keepAlive: true, scheduling: 'lifo', timeout: 5000, proxyEnv: globalProxyEnv(https),
});

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
  const { identity, isUrl, urlToHttpOptions } = parts();
  const options = bareObject();
  if (typeof arguments_[0] === 'string') assign(options, urlToHttpOptions(new URL(arguments_.shift())));
  else if (isUrl(arguments_[0])) assign(options, urlToHttpOptions(arguments_.shift()));
  if (arguments_[0] && typeof arguments_[0] !== 'function') Object.assign(options, arguments_.shift());
  identity.mark(options, globalAgent);
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
