'use strict';

/**
 * Guards the check of a server's identity. A connection or TLS session that passed the check of one request must not
 * spare another request its own (CVE-2026-58040). A session of one host must not open another (CVE-2026-48934). Newer
 * releases of Node do most of that, older ones nothing.
 */

const { X509Certificate } = require('node:crypto');
const tls = require('node:tls');

const { unseen } = require('../node/internals');
const nativeTls = require('./native-tls');
const { request } = require('./originals');

/** Node's own property of the options of such a request. Only a request to an agent that shows them reveals it. */
const kOfNode = unseen(findIdentitySymbol);

/**
 * Own property of a request's options, and of its socket: the request has a checkServerIdentity of its own. Its
 * connection serves no other request.
 */
const kOwnIdentityCheck = kOfNode ?? Symbol('ownIdentityCheck');

/** Number of requests with a check of their own; no two of them have one name. */
let identityChecks = 0;

/** @returns {symbol|undefined} Undefined where Node does not tell such requests from others. */
function findIdentitySymbol() {
  let found;
  const agent = {
    defaultPort: 443,
    protocol: 'https:',
    addRequest(req, options) {
      [found] = Object.getOwnPropertySymbols(options);
    },
  };
  request({ agent, checkServerIdentity() {}, setHost: false });
  return found;
}

/** True where Node refuses a session without the name of the host that it was got from. Found when it is needed. */
let bindsSessions;

/** Tells whether the running Node binds TLS sessions to hosts, by giving it one that has no host. */
function nodeBindsSessions() {
  if (bindsSessions === undefined) {
    bindsSessions = true;
    const handle = {
      setSession() {
        bindsSessions = false;
      },
    };
    tls.TLSSocket.prototype.setSession.call({ _handle: handle, _tlsOptions: {} }, Buffer.from('session'));
  }
  return bindsSessions;
}

/** Tells whether options have a check that is not Node's. */
function hasOwnCheck({ checkServerIdentity }) {
  return checkServerIdentity !== undefined && checkServerIdentity !== tls.checkServerIdentity;
}

/**
 * Marks the options of a request that has a check of its own. The check of an agent is for all its requests.
 * @param {object} options Options of the request.
 * @param {import('node:https').Agent} globalAgent
 */
function mark(options, globalAgent) {
  if (!hasOwnCheck(options) || agentChecksIdentity(options, globalAgent)) return;
  options[kOwnIdentityCheck] = ++identityChecks;
}

/**
 * Marks the options of a request that has not come by https.request of ours, or of a Node that marks them.
 * @param {import('node:https').Agent} agent
 * @param {object|string} options Options of the request, or a host.
 */
function markUnmarked(agent, options) {
  if (options[kOwnIdentityCheck] || !hasOwnCheck(options) || agent.options.checkServerIdentity !== undefined) return;
  options[kOwnIdentityCheck] = ++identityChecks;
}

/** Tells whether the agent of a request has a checkServerIdentity. */
function agentChecksIdentity({ agent, createConnection }, globalAgent) {
  if (agent === false) return false;
  if (agent === null || agent === undefined) {
    if (typeof createConnection === 'function') return false;
    agent = globalAgent;
  }
  return agent?.options?.checkServerIdentity !== undefined;
}

/**
 * Gives the part of a name that keeps a request with a check of its own apart from all others.
 * @param {object} options Options of a connection.
 * @returns {string} Empty if there is no such check, or Node's own name has the part.
 */
function nameOf(options) {
  return kOfNode === undefined && options[kOwnIdentityCheck] ? `:${options[kOwnIdentityCheck]}` : '';
}

/**
 * Connects by Node's own createConnection.
 * @param {import('node:https').Agent} agent
 * @param {Function} connectTls Node's own, or what a library has put in its place.
 * @param {Array<unknown>} arguments_
 * @returns {tls.TLSSocket}
 */
function connect(agent, connectTls, arguments_) {
  const index = arguments_.findIndex((argument) => typeof argument === 'object' && argument !== null);
  const given = arguments_[index];
  if (given === undefined) return nativeTls.connect(agent, connectTls, arguments_);
  const options = withoutForeignSession(given);
  const socket = nativeTls.connect(agent, connectTls, options === given ? arguments_ : arguments_.with(index, options));
  if (given[kOwnIdentityCheck]) socket[kOwnIdentityCheck] = true;
  return socket;
}

/**
 * Leaves out the session that would spare a server the check that a request asks for. Node then shakes hands in full.
 * @param {object} options Options of a connection.
 * @returns {object} The same options if there is nothing to leave out.
 */
function withoutForeignSession(options) {
  if (kOfNode === undefined && options[kOwnIdentityCheck]) {
    // Without a key, Node's agent neither uses one of its sessions nor keeps the new one.
    return { ...options, _agentKey: undefined, session: undefined };
  }
  if (!options.session || options.rejectUnauthorized === false || mayResume(options)) return options;
  const others = { ...options };
  delete others.session;
  return others;
}

/**
 * Tells whether the server of a session has the identity that a request asks for. The user may have the session from
 * another host, or from a connection that was not checked.
 * @param {object} options Options of a connection.
 */
function mayResume(options) {
  if (hasOwnCheck(options)) return nodeBindsSessions();
  const session = bytesOf(options.session);
  // Node refuses what is neither text nor bytes.
  if (session === undefined) return true;
  const certificate = certificateIn(session);
  if (certificate === undefined) return nodeBindsSessions();
  const name = options.servername || options.host || 'localhost';
  return tls.checkServerIdentity(name, certificate.toLegacyObject()) === undefined;
}

/** Tag of the certificate of the peer in the ASN.1 of a session (OpenSSL, SSL_SESSION_ASN1). */
const PEER = 0xa3;
/** Tag of a sequence in ASN.1. */
const SEQUENCE = 0x30;

/** @returns {Buffer|undefined} The bytes of a session; undefined if it is neither text nor bytes. */
function bytesOf(session) {
  if (typeof session === 'string') return Buffer.from(session, 'latin1');
  if (!ArrayBuffer.isView(session)) return undefined;
  return Buffer.from(session.buffer, session.byteOffset, session.byteLength);
}

/**
 * Finds the certificate of the server in a session. Newer releases of Node put a head of their own before the session.
 * @param {Buffer} bytes The session.
 * @returns {X509Certificate|undefined} Undefined if there is none, or the session cannot be read.
 */
function certificateIn(bytes) {
  for (let at = bytes.indexOf(SEQUENCE); at !== -1; at = bytes.indexOf(SEQUENCE, at + 1)) {
    const whole = elementAt(bytes, at);
    if (whole?.end !== bytes.length) continue;
    let element;
    for (let next = whole.start; (element = elementAt(bytes, next)) !== undefined; next = element.end) {
      if (bytes[next] === PEER) return certificateOf(bytes.subarray(element.start, element.end));
    }
    return undefined;
  }
  return undefined;
}

/** @returns {X509Certificate|undefined} Undefined for bytes that are no certificate. */
function certificateOf(bytes) {
  try {
    return new X509Certificate(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Reads the head of an element of DER (ITU-T X.690, section 8.1).
 * @returns {{ start: number, end: number }|undefined} Where its contents are; undefined if they do not fit.
 */
function elementAt(bytes, at) {
  if (at + 2 > bytes.length) return undefined;
  let start = at + 2;
  let length = bytes[at + 1];
  if (length > 0x7f) {
    const size = length & 0x7f;
    if (size === 0 || size > 4 || start + size > bytes.length) return undefined;
    length = bytes.readUIntBE(start, size);
    start += size;
  }
  return start + length > bytes.length ? undefined : { start, end: start + length };
}

module.exports = { connect, kOwnIdentityCheck, mark, markUnmarked, nameOf };
