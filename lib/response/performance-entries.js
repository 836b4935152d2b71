'use strict';

/**
 * Makes `HttpClient` entries of perf_hooks (https://nodejs.org/api/perf_hooks.html#performanceentrydetail), and
 * `http.client.request` trace events (https://nodejs.org/api/tracing.html).
 *
 * Node gives no way to make an entry of type `http`. `_finish` of Node's request starts an entry, in a property of the
 * request. `_finish` of a server's response ends the entry in a property of that response. Both properties are found by
 * letting Node make them once, with an observer that is gone again at once.
 *
 * Nor does Node give a way to end a trace event. The function that its client gives its parser ends one, among much
 * else.
 */

const { Duplex } = require('node:stream');

const { symbolOf, unseen } = require('../node/internals');
const { ClientRequest, ServerResponse, finishRequest, finishResponse } = require('../node/originals');
const { isMadeByNode, kAuthority, kProxyRewrittenToAbsolute } = require('../node/request-url');

/** Properties of Node's, which are learnt when the first request is out. */
let properties = null;

/** The function that Node's client gives its parser; null until a trace event has begun. */
let onIncoming = null;

/** Lets Node make both entries. */
function learn() {
  const { PerformanceObserver } = require('node:perf_hooks');
  const observer = new PerformanceObserver(() => {});
  observer.observe({ entryTypes: ['http'] });
  try {
    const agent = { addRequest() {}, defaultPort: 80, protocol: 'http:' };
    const req = new ClientRequest({ agent, setHost: false });
    const res = Object.create(ServerResponse.prototype);
    req.socket = {};
    return {
      kRequestEntry: symbolSet(req, 'ClientRequestStatistics', (watched) => finishRequest.call(watched)),
      kResponseEntry: symbolSet(res, 'ServerResponseStatistics', (watched) => {
        ServerResponse.call(watched, { method: 'GET' });
      }),
      kSocket: symbolOf(req, 'kSocket'),
    };
  } finally {
    observer.disconnect();
  }
}

/**
 * Finds the symbol of a property that Node sets. Node gets no further: behind the entry, it begins a trace event.
 * @param {object} target
 * @param {string} description
 * @param {(watched: object) => void} set Makes Node set the property of an object that stands for the target.
 * @returns {symbol|undefined}
 */
function symbolSet(target, description, set) {
  let found;
  const watched = new Proxy(target, {
    set(object, key, value) {
      if (typeof key === 'symbol' && key.description === description) found = key;
      // Node's code is strict: a property that is refused throws.
      return found === undefined && Reflect.set(object, key, value);
    },
  });
  try {
    set(watched);
  } catch (error) {
    if (found === undefined) throw error;
  }
  return found;
}

/** Learns, from a request that goes nowhere, what Node's client gives its parser in the next tick. */
function learnToEndTraces() {
  onIncoming = () => {};
  const stream = new Duplex({ read() {} });
  const req = unseen(() => new ClientRequest({ createConnection: () => stream }));
  req.once('socket', () => { onIncoming = req.parser.onIncoming; });
}

/**
 * Tells diagnostics_channel, perf_hooks and trace events that a request is out.
 * @param {import('../request/client-request').ClientRequest} req
 */
function start(req) {
  properties ??= unseen(learn);
  const { kRequestEntry } = properties;
  finishRequest.call(req);
  if (!isMadeByNode && req[kRequestEntry] !== undefined) correctUrl(req, req[kRequestEntry]);
  if (onIncoming === null && req._traceEventId !== undefined) learnToEndTraces();
}

/** Gives the entry a URL with the port, and only one for a proxy: Node's has neither before Node 24.20. */
function correctUrl(req, { detail }) {
  detail.req.url = req[kProxyRewrittenToAbsolute] ? req.path : `${req.protocol}//${req[kAuthority]}${req.path}`;
}

/**
 * Ends the entry and the trace event of a request whose response has come.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {import('./client-response').ClientResponse} res
 */
function stop(req, res) {
  if (req._traceEventId !== undefined) endTrace(req, res);
  // A response that comes before its request is out ends none.
  const entry = properties === null ? undefined : req[properties.kRequestEntry];
  if (entry === undefined) return;
  const { kResponseEntry, kSocket } = properties;
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

/** Ends a trace event, by as much of a request and a response as Node's client looks at. */
function endTrace({ path, _traceEventId }, { statusCode }) {
  const request = { _traceEventId, path, emit: () => true, on() {} };
  unseen(() => onIncoming.call({ socket: { _httpMessage: request, on() {} } }, { statusCode, on() {} }, true));
}

module.exports = { start, stop };
