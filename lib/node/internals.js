'use strict';

/**
 * Collects all that ferrequest uses of Node beyond its documentation. ARCHITECTURE.md lists each with its reason;
 * `__test__/node/internals.test.js` proves on every supported Node that it is there and does what is expected.
 *
 * Each is asked for once, when it is first needed: that makes objects of Node's classes, which takes long.
 */

const diagnostics = require('node:diagnostics_channel');

const { Agent, ClientRequest, IncomingMessage, OutgoingMessage, Socket } = require('./originals');
const { kQueuedOptions, kQueuedResource, symbolOf } = require('./queue-symbols');

/** Channels whose subscribers want to hear of the program's requests, and not of those made to learn from. */
const channels = [
  'http.client.request.created', 'http.client.request.start', 'http.client.response.finish',
  'http.server.response.created',
].map((name) => diagnostics.channel(name));

/**
 * Hides requests that are made to learn from.
 * @template T
 * @param {() => T} learn Makes requests that go nowhere.
 * @returns {T}
 */
function unseen(learn) {
  for (const channel of channels) {
    Object.defineProperty(channel, 'hasSubscribers', { __proto__: null, value: false, configurable: true });
  }
  try {
    return learn();
  } finally {
    for (const channel of channels) delete channel.hasSubscribers;
  }
}

/**
 * Makes a function that remembers its answer.
 * @template T
 * @param {() => T} make
 * @returns {() => T}
 */
function once(make) {
  let made;
  return () => {
    made ??= make();
    return made;
  };
}

const message = once(() => new OutgoingMessage());
const incoming = once(() => new IncomingMessage());
const request = once(() => unseen(() => {
  const agent = { addRequest() {}, defaultPort: 80, protocol: 'http:' };
  // Without `Host`, which a setHeader of a library's would see.
  return new ClientRequest({ agent, setHost: false });
}));

/**
 * Finds the class of the requests with which net.Socket ends a writing side. Its objects have the internal fields of
 * Node's native objects, which are empty until native code uses them. So native code sees that an object of a derived
 * class is none of its own. With an ordinary object, native code may take any memory for a native object.
 */
function findShutdownRequest() {
  let ShutdownRequest;
  const shutdown = (request) => {
    ShutdownRequest = request.constructor;
    // It is done.
    return 1;
  };
  Socket.prototype._final.call({ _handle: { shutdown }, connecting: false, pending: false }, () => {});
  return ShutdownRequest;
}

/**
 * Finds the symbol of a method, also where a library has put a derived class in the place of Node's.
 * @param {Function} ofNode The class.
 * @param {string} description
 * @returns {symbol|undefined}
 */
function symbolOfMethod(ofNode, description) {
  for (let owner = ofNode.prototype; owner; owner = Object.getPrototypeOf(owner)) {
    const symbol = symbolOf(owner, description);
    if (symbol !== undefined) return symbol;
  }
  return undefined;
}

/**
 * Exports values that are asked for when they are first read.
 * @param {Record<string, () => unknown>} questions By name.
 */
function exportOnDemand(questions) {
  for (const [name, ask] of Object.entries(questions)) {
    Object.defineProperty(module.exports, name, {
      __proto__: null,
      get() {
        const value = ask();
        Object.defineProperty(module.exports, name, { __proto__: null, value, enumerable: true });
        return value;
      },
      configurable: true,
      enumerable: true,
    });
  }
}

module.exports = {
  /** Own property of a request in an agent's queue: its options. */
  kQueuedOptions,
  /** Own property of a request in an agent's queue: the AsyncResource of its context. */
  kQueuedResource,
  symbolOf,
  unseen,
};

exportOnDemand({
  ShutdownRequest: findShutdownRequest,
  /** Own property of a ClientRequest since Node 24: host and port, for the URL of its perf_hooks entry. */
  kAuthority: () => symbolOf(request(), 'kAuthority'),
  /** Own property of a ClientRequest since Node 24: true if `path` is a whole URL, for a proxy. */
  kProxyRewrittenToAbsolute: () => symbolOf(request(), 'kProxyRewrittenToAbsolute'),
  /** Own property of an http.Agent with `proxyEnv`, on a Node that has proxies: its proxy. */
  kProxyConfig: () => symbolOf(new Agent({ proxyEnv: { http_proxy: 'http://localhost' } }), 'kProxyConfig'),
  /** Own property of an OutgoingMessage: its header fields, by lower-case name, as [name, value]. */
  kOutHeaders: () => symbolOf(message(), 'kOutHeaders'),
  /** Own property of an OutgoingMessage: true if write() has answered false and 'drain' is owed. */
  kNeedDrain: () => symbolOf(message(), 'kNeedDrain'),
  /** Own property of an OutgoingMessage: bytes from which write() answers false before there is a socket. */
  kHighWaterMark: () => symbolOf(message(), 'kHighWaterMark'),
  /** Own property of a Server, ServerResponse or ClientRequest: names that must not be repeated. */
  kUniqueHeaders: () => symbolOf(request(), 'kUniqueHeaders'),
  /** Own property of an IncomingMessage: its `headers`, once they are made. */
  kHeaders: () => symbolOf(incoming(), 'kHeaders'),
  /** Own property of an IncomingMessage: the number of entries of `rawHeaders` that its `headers` are made from. */
  kHeadersCount: () => symbolOf(incoming(), 'kHeadersCount'),
  /** Method of IncomingMessage.prototype since Node 24: lets go of the listener that message.signal made. */
  kDetachAbortSignal: () => symbolOfMethod(IncomingMessage, 'kDetachAbortSignal'),
  /** Own property of a net.Socket: its handle, which `_handle` gives. */
  kHandle: () => symbolOf(new Socket(), 'kHandle'),
  /** Method of Socket.prototype: replaces the handle, used by Node between two attempts of Happy Eyeballs. */
  kReinitializeHandle: () => symbolOfMethod(Socket, 'kReinitializeHandle'),
});
