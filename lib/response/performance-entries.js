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
    // The class may be that of a library, whose requests go on by themselves.
    req.on('error', () => {});
    const res = Object.create(ServerResponse.prototype);
    req.socket = {};
    return {
      kRequestEntry: symbolSet(req, 'ClientRequestStatistics', (begin) => {
        req.getHeaders = begin;
        finishRequest.call(req);
      }),
      kResponseEntry: symbolSet(res, 'ServerResponseStatistics', (begin) => {
        ServerResponse.call(res, { method: 'GET', get headers() { return begin(); } });
      }),
      kSocket: symbolOf(req, 'kSocket'),
    };
  } finally {
    observer.disconnect();
  }
}

/**
 * Finds the symbol of a property that Node sets. Node gets no further: behind the entry, it begins a trace event.
 *
 * A Proxy sees the symbol. It comes in only when Node asks for the header fields that an entry shows: the functions of
 * Node that have met one are slow from then on, for every request.
 * @param {object} target
 * @param {string} description
 * @param {(begin: () => object) => void} set Makes Node set the property, and call `begin` just before that.
 * @returns {symbol|undefined}
 */
function symbolSet(target, description, set) {
  const prototype = Object.getPrototypeOf(target);
  let found;
  const watch = {
    set(object, key, value, receiver) {
      if (typeof key === 'symbol' && key.description === description) found = key;
      // Node's code is strict: a property that is refused throws.
      return found === undefined && Reflect.set(object, key, value, receiver);
    },
  };
  try {
    set(() => {
      Object.setPrototypeOf(target, new Proxy(prototype, watch));
      return {};
    });
  } catch (error) {
    if (found === undefined) throw error;
  } finally {
    Object.setPrototypeOf(target, prototype);
  }
  return found;
}

/** Learns what it can. Where a library has replaced what Node makes entries with, requests go on without. */
function tryLearn() {
  try {
    return unseen(learn);
  } catch (_error) {
    return {};
  }
}

/**
 * Properties of Node's. They are learnt before there are requests that V8 optimizes functions of Node for: it would do
 * that for these objects too, and less well.
 */
const {
  kRequestEntry = Symbol('requestEntry'),
  kResponseEntry = Symbol('responseEntry'),
  kSocket,
} = tryLearn();

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

/** Ends a trace event, by as much of a request and a response as Node's client looks at. */
function endTrace({ path, _traceEventId }, { statusCode }) {
  const request = { _traceEventId, path, emit: () => true, on() {} };
  unseen(() => onIncoming.call({ socket: { _httpMessage: request, on() {} } }, { statusCode, on() {} }, true));
}

module.exports = { start, stop };
