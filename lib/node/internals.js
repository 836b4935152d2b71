'use strict';

/**
 * Collects all that ferrequest uses of Node beyond its documentation. ARCHITECTURE.md lists each with its reason;
 * `__test__/node/internals.test.js` proves on every supported Node that it is there and does what is expected.
 */

const diagnostics = require('node:diagnostics_channel');
const net = require('node:net');

const { http } = require('./modules');

/**
 * Finds the symbol with a description among the own properties of an object.
 * @param {object} owner
 * @param {string} description
 * @returns {symbol|undefined}
 */
function symbolOf(owner, description) {
  return Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === description);
}

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

const message = new http.OutgoingMessage();
const incoming = new http.IncomingMessage();
const request = unseen(() => {
  const agent = { addRequest() {}, defaultPort: 80, protocol: 'http:' };
  // Without `Host`, which a setHeader of a library's would see.
  return new http.ClientRequest({ agent, setHost: false });
});

/** Makes Node's own agent queue a request, which shows the properties that it keeps there. */
function queuedRequest() {
  const agent = new http.Agent({ maxSockets: 1 });
  const queued = { getHeader() {} };
  // Without a name for the server Node would compile its patterns of addresses, which takes milliseconds.
  const options = { host: 'localhost', port: 80, servername: '' };
  // As if a socket were in use.
  agent.sockets[agent.getName(options)] = [{}];
  agent.addRequest(queued, options);
  return queued;
}

const queued = queuedRequest();

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
  net.Socket.prototype._final.call({ _handle: { shutdown }, connecting: false, pending: false }, () => {});
  return ShutdownRequest;
}

module.exports = {
  ShutdownRequest: findShutdownRequest(),
  symbolOf,
  unseen,
  /** Own property of a request in an agent's queue: its options. */
  kQueuedOptions: symbolOf(queued, 'requestOptions'),
  /** Own property of a request in an agent's queue: the AsyncResource of its context. */
  kQueuedResource: symbolOf(queued, 'requestAsyncResource'),
  /** Own property of a ClientRequest since Node 24: host and port, for the URL of its perf_hooks entry. */
  kAuthority: symbolOf(request, 'kAuthority'),
  /** Own property of a ClientRequest since Node 24: true if `path` is a whole URL, for a proxy. */
  kProxyRewrittenToAbsolute: symbolOf(request, 'kProxyRewrittenToAbsolute'),
  /** Own property of an http.Agent with `proxyEnv`, on a Node that has proxies: its proxy. */
  kProxyConfig: symbolOf(new http.Agent({ proxyEnv: { http_proxy: 'http://localhost' } }), 'kProxyConfig'),
  /** Own property of an OutgoingMessage: its header fields, by lower-case name, as [name, value]. */
  kOutHeaders: symbolOf(message, 'kOutHeaders'),
  /** Own property of an OutgoingMessage: true if write() has answered false and 'drain' is owed. */
  kNeedDrain: symbolOf(message, 'kNeedDrain'),
  /** Own property of an OutgoingMessage: bytes from which write() answers false before there is a socket. */
  kHighWaterMark: symbolOf(message, 'kHighWaterMark'),
  /** Own property of a Server, ServerResponse or ClientRequest: names that must not be repeated. */
  kUniqueHeaders: symbolOf(request, 'kUniqueHeaders'),
  /** Own property of an IncomingMessage: its `headers`, once they are made. */
  kHeaders: symbolOf(incoming, 'kHeaders'),
  /** Own property of an IncomingMessage: the number of entries of `rawHeaders` that its `headers` are made from. */
  kHeadersCount: symbolOf(incoming, 'kHeadersCount'),
  /** Method of IncomingMessage.prototype since Node 24: lets go of the listener that message.signal made. */
  kDetachAbortSignal: symbolOf(http.IncomingMessage.prototype, 'kDetachAbortSignal'),
  /** Method of Socket.prototype: replaces the handle, used by Node between two attempts of Happy Eyeballs. */
  kReinitializeHandle: symbolOf(net.Socket.prototype, 'kReinitializeHandle'),
};
