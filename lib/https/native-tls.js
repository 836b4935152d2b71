'use strict';

/**
 * Decides which connections of https the I/O thread gets. Node's own createConnection makes each socket; the I/O thread
 * gets it where all that has to do with TLS is Node's own and known to be the same there. docs/https.md lists the rest.
 */

const tls = require('node:tls');

const { kRace } = require('../addresses/race');
const { canBeNative } = require('../agent/agent-socket');
const { TlsConnection, unwatchTls, watchTls } = require('../bridge/bridge');
const counters = require('../bridge/counters');
const { listOptions } = require('../node/command-line');
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
  const isOfNode = ([, , text, value]) => isSourceOf(value, text);
  const { _start, _wrapHandle, _init } = Object.fromEntries(membersOfSocket.map(([name, { value }]) => [name, value]));
  const areMembersOfNode = isSourceOf(_start, '_handle.start()') && isSourceOf(_wrapHandle, 'tls_wrap.wrap(') &&
    isSourceOf(_init, 'onhandshakedone');
  return functions.every(isOfNode) && areMembersOfNode ? functions : null;
}

/**
 * @param {unknown} value
 * @param {string} text
 * @returns {boolean} True for a function whose source has the text.
 */
function isSourceOf(value, text) {
  return typeof value === 'function' && Function.prototype.toString.call(value).includes(text);
}

/** Tells whether everything that makes a connection with TLS is still Node's own. Libraries replace it to intercept. */
function isAllOfNode() {
  return functionsOfNode !== null && functionsOfNode.every(([owner, name, , value]) => owner[name] === value) &&
    membersOfSocket.every(([name, { value }]) => tls.TLSSocket.prototype[name] === value);
}

/** True where Node was told to write what TLS says, or its secrets, of every connection. */
const tellsAll = listOptions().some((argument) => /^--(trace-tls|tls-keylog)/.test(argument));

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
    isAllOfNode();
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
  try {
    socket = connectTls.apply(agent, [{ ...options, secureContext }, ...arguments_.slice(1)]);
    if (canTakeOver(socket)) connection = TlsConnection.capture();
  } finally {
    // A lookup may make a connection within the call of another one, which must not get its `SSL`.
    if (connection === null) unwatchTls();
  }
  if (connection === null) {
    counters.tlsOfNode++;
    leaveToNode(socket, options);
  } else {
    takeOver(socket, connection);
    counters.tlsNative++;
  }
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
