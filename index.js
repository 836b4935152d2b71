'use strict';

/** Exports all that node:http exports, with the client replaced; or with Node's own, where ours cannot run. */

const { mode } = require('./lib/ladder/rung');

/** Tells which client serves requests, and all that has decided it; the module for that is loaded then. */
function diagnose() {
  return require('./lib/ladder/diagnose').diagnose();
}

/**
 * Wires the client in Rust.
 * @returns {typeof import('.')}
 */
function ours() {
  const http = require('node:http');

  // Both ask now. A program may change its options before its first request, for its children.
  require('./lib/node/command-line');
  require('./lib/node/queue-symbols');
  const { Agent } = require('./lib/agent/agent');
  const { ClientRequest } = require('./lib/request/client-request');
  const { ClientResponse } = require('./lib/response/client-response');
  const globalAgent = require('./lib/request/global-agent');
  const { exportsOf } = require('./lib/node/modules');
  const { late, loadUnlessBundled } = require('./lib/node/late');
  const { globalProxyEnv } = require('./lib/proxy/environment');
  const { setGlobalProxyFromEnv } = require('./lib/https/proxy-global');
  const { accessor, method } = require('./lib/node/descriptors');

  /** @see https://nodejs.org/api/http.html#httpglobalagent */
  globalAgent.set(new Agent({ keepAlive: true, scheduling: 'lifo', timeout: 5000, proxyEnv: globalProxyEnv(http) }));

  /**
   * Makes a request.
   * @see https://nodejs.org/api/http.html#httprequesturl-options-callback
   */
  function request(url, options, callback) {
    return new ClientRequest(url, options, callback);
  }

  /**
   * Makes a request without a body.
   * @see https://nodejs.org/api/http.html#httpgeturl-options-callback
   */
  function get(url, options, callback) {
    const req = request(url, options, callback);
    req.end();
    return req;
  }

  const counts = late(() => require('./lib/bridge/stats'));

  /** Tells what this process has done since its start. */
  function stats() {
    return counts().stats();
  }

  loadUnlessBundled();

  // Node's own descriptors, so that a lazy export (WebSocket, ...) or a settable one (maxHeaderSize) stays so here.
  return Object.defineProperties({}, {
    ...exportsOf(http),
    Agent: method(Agent),
    ClientRequest: method(ClientRequest),
    ClientResponse: method(ClientResponse),
    diagnose: method(diagnose),
    get: method(get),
    globalAgent: accessor(globalAgent.get, globalAgent.set),
    request: method(request),
    ...(http.setGlobalProxyFromEnv && { setGlobalProxyFromEnv: method(setGlobalProxyFromEnv) }),
    stats: method(stats),
  });
}

module.exports = mode === 'node' ? require('./lib/ladder/node-client').http() : ours();
