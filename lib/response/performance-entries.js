'use strict';

/**
 * Makes `HttpClient` entries of perf_hooks (https://nodejs.org/api/perf_hooks.html#performanceentrydetail).
 *
 * Node gives no way to make an entry of type `http`. `_finish` of Node's request starts an entry, in a property of the
 * request. `_finish` of a server's response ends the entry in a property of that response. Both properties are found by
 * letting Node make them once, with an observer that is gone again at once.
 */

const { PerformanceObserver } = require('node:perf_hooks');

const { symbolOf, unseen } = require('../node/internals');
const { http } = require('../node/modules');
const { isMadeByNode, kAuthority, kProxyRewrittenToAbsolute } = require('../node/request-url');

/** Node's own functions and properties, as they are before a library replaces them. */
const { finishRequest, kRequestEntry, kResponseEntry, kSocket } = unseen(learn);
const finishResponse = http.ServerResponse.prototype._finish;

/** Lets Node make both entries. */
function learn() {
  const finish = http.ClientRequest.prototype._finish;
  const observer = new PerformanceObserver(() => {});
  observer.observe({ entryTypes: ['http'] });
  try {
    const agent = { addRequest() {}, defaultPort: 80, protocol: 'http:' };
    const req = new http.ClientRequest({ agent, setHost: false });
    const res = new http.ServerResponse({ method: 'GET' });
    req.socket = {};
    finish.call(req);
    return {
      finishRequest: finish,
      kRequestEntry: symbolOf(req, 'ClientRequestStatistics'),
      kResponseEntry: symbolOf(res, 'ServerResponseStatistics'),
      kSocket: symbolOf(req, 'kSocket'),
    };
  } finally {
    observer.disconnect();
  }
}

/**
 * Tells diagnostics_channel, perf_hooks and trace events that a request is out.
 * @param {import('../request/client-request').ClientRequest} req
 */
function start(req) {
  finishRequest.call(req);
  if (!isMadeByNode && req[kRequestEntry] !== undefined) correctUrl(req);
}

/** Gives the entry a URL with the port, and only one for a proxy: Node's has neither before Node 24.20. */
function correctUrl(req) {
  const { detail } = req[kRequestEntry];
  detail.req.url = req[kProxyRewrittenToAbsolute] ? req.path : `${req.protocol}//${req[kAuthority]}${req.path}`;
}

/**
 * Ends the entry of a request whose response has come.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {import('./client-response').ClientResponse} res
 */
function stop(req, res) {
  const entry = req[kRequestEntry];
  if (entry === undefined) return;
  const socket = {};
  // As much of a server's response as `_finish` looks at.
  finishResponse.call({
    [kResponseEntry]: entry,
    [kSocket ?? 'socket']: socket,
    socket,
    statusCode: res.statusCode,
    statusMessage: res.statusMessage,
    getHeaders: () => res.headers,
    emit() {},
  });
}

module.exports = { start, stop };
