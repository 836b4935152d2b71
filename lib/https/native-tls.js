'use strict';

/**
 * Decides which connections of https the I/O thread gets. Node's own createConnection makes each socket. The I/O thread
 * gets the socket if its TLS is all Node's own, and is known to behave the same there. docs/https.md lists the others.
 */

const tls = require('node:tls');

const { kRace } = require('../addresses/race-marks');
const { canBeNative } = require('../agent/agent-socket');
const { TlsConnection, bridge, unwatchTls, watchTls } = require('../bridge/bridge');
const counters = require('../bridge/counters');
const { isOptionGiven, isOptionSet } = require('../node/command-line');
const { hasSource } = require('../node/originals');
const { canTakeOver, takeOver } = require('../socket/native-tls-socket');
const { keepSecrets } = require('../socket/tls-handle');
const { createConnection: createConnectionOfNode, functions, membersOfSocket } = require('./originals');
const { contextFor } = require('./secure-contexts');

/** Options with which a connection is Node's, because JavaScript has a part in the handshake or in what is read. */
const NODES_OPTIONS = [
  'ALPNCallback', 'SNICallback', 'clientCertEngine', 'enableTrace', 'isServer', 'onread', 'path', 'pauseOnConnect',
  'pipe', 'privateKeyEngine', 'privateKeyIdentifier', 'pskCallback', 'requestOCSP', 'secureContext', 'socket',
  'socketPath',
];

/** The functions that make a connection with TLS; null where a library had replaced one when ferrequest was loaded. */
const functionsOfNode = findFunctions();

/** @returns {typeof functions|null} */
function findFunctions() {
  const isOfNode = ([, , text, value]) => hasSource(value, text);
  const { _start, _wrapHandle, _init } = Object.fromEntries(membersOfSocket.map(([name, { value }]) => [name, value]));
  const areMembersOfNode = hasSource(_start, '_handle.start()') && hasSource(_wrapHandle, 'tls_wrap.wrap(') &&
    hasSource(_init, 'onhandshakedone');
  return functions.every(isOfNode) && areMembersOfNode ? functions : null;
}

/** Tells whether everything that makes a connection with TLS is still Node's own. Libraries replace it to intercept. */
function isAllOfNode() {
  return functionsOfNode !== null && functionsOfNode.every(([owner, name, , value]) => owner[name] === value) &&
    membersOfSocket.every(([name, { value }]) => tls.TLSSocket.prototype[name] === value);
}

/** True where Node was told to write what TLS says, or its secrets, of every connection. */
const tellsAll = isOptionSet('trace-tls') || isOptionGiven('tls-keylog');

/**
 * Lookups of users that leave no time for a takeover, because they call back at once or make connections themselves.
 * @type {WeakSet<Function>}
 */
const hastyLookups = new WeakSet();

/** True while an agent makes a connection for a request: a user who asks for one may do anything with it. */
let isForRequest = false;

/**
 * Calls a function by which an agent makes a connection for a request.
 * @param {() => void} create
 */
function forRequest(create) {
  const outer = isForRequest;
  isForRequest = true;
  try {
    create();
  } finally {
    isForRequest = outer;
  }
}

/**
 * Tells whether the I/O thread may have a connection.
 * @param {Function} connectTls The createConnection that makes it.
 * @param {object} options
 * @returns {boolean}
 */
function isEligible(connectTls, options) {
  // The attempts of a race are libuv's.
  return isForRequest && watchTls !== undefined && !options[kRace] &&
    connectTls === createConnectionOfNode && !tellsAll &&
    !hastyLookups.has(options.lookup) && NODES_OPTIONS.every((name) => !options[name]) && canBeNative(options) &&
    isAllOfNode() && bridge.tryStart();
}

/**
 * Tells whether Node's own function will check the identity of a server.
 * @param {object} options
 * @returns {boolean}
 */
function isIdentityForNode(options) {
  return !('checkServerIdentity' in options) || options.checkServerIdentity === tls.checkServerIdentity;
}

/** Keeps the session that an agent has for a connection until the socket has its handle. */
class SessionAsker {
  /**
   * @param {import('node:https').Agent} agent
   * @param {object} options
   */
  constructor(agent, options) {
    /** @type {Uint8Array|undefined} */
    this.session = undefined;
    /** The agent as Node's createConnection sees it: it has no session. */
    this.receiver = {
      __proto__: agent,
      _getSession: (key) => {
        const session = agent._getSession(key);
        // Node prefers an option of this name, whatever its value. It also refuses what is no session.
        if (Object.hasOwn(options, 'session') || !(session instanceof Uint8Array)) return session;
        this.session = session;
        return undefined;
      },
      _cacheSession: (key, session) => agent._cacheSession(key, session),
      _evictSession: (key) => agent._evictSession(key),
    };
  }
}

/**
 * Connects by Node's own createConnection, and gives the connection to the I/O thread if that may have it.
 * @param {import('node:https').Agent} agent
 * @param {Function} connectTls Node's own, or what a library has put in its place.
 * @param {unknown[]} arguments_ Options are the first of them, unless the connection has to be Node's.
 * @returns {tls.TLSSocket}
 */
function connect(agent, connectTls, arguments_) {
  const [options] = arguments_;
  if (typeof options !== 'object' || options === null || !isEligible(connectTls, options)) {
    return connectOfNode(agent, connectTls, arguments_);
  }
  const secureContext = contextFor(agent, options);
  if (!watchTls()) return connectOfNode(agent, connectTls, arguments_);
  let connection = null;
  let socket;
  const asker = new SessionAsker(agent, options);
  try {
    socket = connectTls.apply(asker.receiver, [{ ...options, secureContext }, ...arguments_.slice(1)]);
    if (canTakeOver(socket)) connection = TlsConnection.capture();
  } finally {
    // A lookup may make a connection within the call of another one, which must not get its `SSL`.
    if (connection === null) unwatchTls();
  }
  if (connection === null) {
    counters.tlsOfNode++;
    leaveToNode(socket, options);
  } else {
    takeOver(socket, connection, isIdentityForNode(options));
    counters.tlsNative++;
  }
  // Node looks whether it is a session of this peer. Of a connection that the I/O thread has, that thread decodes it.
  if (asker.session && !socket.destroyed) socket.setSession(asker.session);
  return socket;
}

/**
 * Leaves Node a connection that has a context in common with those of the I/O thread.
 * @param {tls.TLSSocket} socket
 * @param {object} options
 */
function leaveToNode(socket, options) {
  if (socket.destroyed) return;
  if (typeof options.lookup === 'function') hastyLookups.add(options.lookup);
  keepSecrets(socket._handle);
}

/** Has Node make a connection that stays its own. */
function connectOfNode(agent, connectTls, arguments_) {
  counters.tlsOfNode++;
  return connectTls.apply(agent, arguments_);
}

module.exports = { connect, forRequest };
