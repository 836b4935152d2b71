'use strict';

/** Sets the proxies of Node's clients, fetch among them, and of ours, where Node has http.setGlobalProxyFromEnv(). */

const { Agent } = require('../agent/agent');
const globalAgent = require('../request/global-agent');
const { late } = require('../node/late');
const { http } = require('../node/modules');

/** Gives the module for proxies. */
const config = late(() => require('../proxy/config'));

const setGlobalProxyOfNode = http.setGlobalProxyFromEnv;

/**
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {() => void} A function that puts everything back.
 * @see https://nodejs.org/api/http.html#httpsetglobalproxyfromenvproxyenv
 */
function setGlobalProxyFromEnv(env = process.env) {
  const clients = clientsOf(env);
  // Where ours is registered, Node's function reads and sets its global agents; so ours are set after.
  const restoreNode = setProxyOfNode(env);
  for (const client of clients) {
    client.set(new client.Agent({ keepAlive: true, scheduling: 'lifo', timeout: 5000, proxyEnv: env }));
  }
  return function restore() {
    restoreNode();
    for (const { before, set } of clients) set(before);
  };
}

/** Calls Node's function, whose errors show the credentials of a proxy before Node 24.22.3, and in Node 26.12. */
function setProxyOfNode(env) {
  try {
    return setGlobalProxyOfNode(env);
  } catch (error) {
    const { proxyUrlOf, redactError } = config();
    redactError(error, ['http:', 'https:'].map((protocol) => proxyUrlOf(Object(env), protocol)));
    throw error;
  }
}

/** Lists those of our clients for which the environment names a proxy. */
function clientsOf(env) {
  const clients = [];
  if (typeof env !== 'object' || env === null) return clients;
  const { proxyUrlOf } = config();
  if (proxyUrlOf(env, 'http:')) clients.push({ Agent, before: globalAgent.get(), set: globalAgent.set });
  if (proxyUrlOf(env, 'https:') && process.versions.openssl) {
    // Not before it is needed: it loads TLS.
    const https = require('./client');
    clients.push({ Agent: https.Agent, before: https.getGlobalAgent(), set: https.setGlobalAgent });
  }
  return clients;
}

module.exports = { setGlobalProxyFromEnv };
