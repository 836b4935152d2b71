'use strict';

/**
 * TlsHandle: one Rust connection with TLS, in the shape that tls.TLSSocket expects of its `_handle`.
 *
 * Node makes the TLSSocket and the handle for it, as always: with the user's options, on Node's own OpenSSL. The I/O
 * thread shakes hands, encrypts and decrypts on the `SSL` of that handle. Node's handle answers every question (about
 * certificates, the cipher, the session), and its listeners hear what happens, so that Node verifies the peer.
 */

const { constants: { errno: { ECONNRESET, EPROTO } } } = require('node:os');
const { TLSSocket: { prototype: { getPeerCertificate } } } = require('node:tls');

const { TlsConnection, bridge, hasPendingRead, staging, watchTls } = require('../bridge/bridge');
const { command, event } = require('../bridge/records');
const { onReplaced } = require('../node/connection-channels');
const { systemError, tlsError } = require('../node/errors');
const { copyToOwnMemory } = require('../node/own-memory');
const { setImmediate } = require('../node/timing');
const { stampsOf } = require('../phases/connecting');
const { NativeHandle } = require('./native-handle');

/** Members of Node's handle that say which object it wraps, and by which context. */
const REFERENCES = ['_parent', '_parentWrap', '_secureContext'];

/** Name that net.Socket gives to the callback of a connect which tries one of several addresses. */
const ONE_OF_SEVERAL = 'afterConnectMultiple';

class TlsHandle extends NativeHandle {
  /**
   * @param {InstanceType<import('../../binding').TlsConnection>} tls The `SSL`, which the I/O thread uses.
   * @param {object} ofNode Node's handle of it.
   * @param {boolean} isIdentityForNode Node's own function checks the identity of the server.
   */
  constructor(tls, ofNode, isIdentityForNode) {
    super();
    this.isIdentityForNode = isIdentityForNode;
    this.isCostly = true;
    /** Node's next question for the certificate of the peer is that of its check of the identity. */
    this.isIdentityDue = false;
    /** Node's check has got a certificate without those of its chain. */
    this.isWithoutChain = false;
    /** Null when Node has its `SSL` back, or another handle has it. */
    this.tls = tls;
    this.ofNode = ofNode;
    /** The I/O thread may begin the handshake as soon as the connection stands. */
    this.shakesHands = false;
    /** The connection takes the place of one that had died. */
    this.isAgain = false;
    /** Node asks a question. */
    this.isAsking = false;
    for (const name of REFERENCES) this[name] = ofNode[name];
    delegate(ofNode);
  }

  /** @override */
  get connection() {
    if (this.id === -1) {
      this.id = bridge.attach(this);
      bridge.secure(this.id, this.tls);
    }
    return this.id;
  }

  /**
   * Calls a method of Node's handle while the I/O thread does not use the `SSL`.
   * @param {string} name
   * @param {unknown[]} arguments_
   * @returns {unknown}
   */
  ask(name, arguments_) {
    const { ofNode, tls } = this;
    if (tls === null || this.isAsking) return ofNode[name](...arguments_);
    this.isAsking = true;
    try {
      return tls.ask(() => ofNode[name](...arguments_));
    } finally {
      this.isAsking = false;
    }
  }

  // --- What net.Socket and TLSSocket call ---

  /** @override */
  connect(request, address, port) {
    const error = super.connect(request, address, port);
    // One of several attempts may be given up while the I/O thread makes it: then the handshake waits for `start`.
    if (error === 0 && request.oncomplete.name !== ONE_OF_SEVERAL) this.start();
    return error;
  }

  /** Begins the handshake; TLSSocket calls this when it is connected. */
  start() {
    if (this.shakesHands) return;
    this.shakesHands = true;
    staging.send(command.SHAKE_HANDS, this.connection);
    // The JavaScript thread works long for the next connection, and the I/O thread for a handshake. The user, who has
    // just heard of the socket, may still choose a session, or the name of the server.
    staging.hurry(true);
  }

  /**
   * Looks for bytes in the kernel that the I/O thread has not read. Node's own handle, which newer releases would ask,
   * has no descriptor.
   * @returns {boolean}
   */
  hasPendingRead() {
    return hasPendingRead !== undefined && hasPendingRead(this.fd);
  }

  /**
   * Has the handshake resume a session. The I/O thread may have begun it before a user hears of the connection.
   * @param {unknown} session In DER, as Node has it.
   */
  setSession(session) {
    if (this.tls !== null && this.socket.secureConnecting && session instanceof Uint8Array) this.tls.resume(session);
    else this.ask('setSession', [session]);
  }

  /**
   * Gives what is wrong with the chain of the peer. Node asks this just before it checks the identity.
   * @returns {Error|null}
   */
  verifyError() {
    const error = this.ask('verifyError', []);
    this.isIdentityDue = this.isIdentityForNode && !error;
    return error;
  }

  /** Begins another handshake, which TLS before 1.3 has. */
  renegotiate() {
    this.ask('renegotiate', []);
    if (this.tls !== null) staging.send(command.SHAKE_HANDS, this.connection);
  }

  /** Has the I/O thread tell of new sessions. */
  enableSessionCallbacks() {
    this.tls?.tellSessions();
  }

  /** Has the I/O thread tell of secrets. */
  enableKeylogCallback() {
    this.tls?.tellSecrets();
  }

  /** Ends the `SSL`; the connection is closed. */
  destroySSL() {
    const { ofNode, tls } = this;
    if (tls === null) return;
    this.tls = null;
    tls.giveBack(false);
    ofNode.destroySSL();
    // Its handle of TCP has never had a connection.
    ofNode._parent.close();
  }

  /** @override */
  end(flags, callback) {
    if (this.isClosed()) return;
    if (this.tls !== null) this.socket.ssl = null;
    super.end(flags, callback);
    // Of a connection that the I/O thread has, it says when it is done with it.
    if (this.id === -1) setImmediate(destroySsl, this);
  }

  // --- What NativeTlsSocket calls ---

  /** @override */
  successor() {
    const next = new TlsHandle(this.tls, this.ofNode, this.isIdentityForNode);
    next.socket = this.socket;
    this.tls = null;
    return next;
  }

  /** @override A write waits until the peer is verified. */
  holdsBack(isVector, data, encoding, callback) {
    if (!this.socket.secureConnecting) return super.holdsBack(isVector, data, encoding, callback);
    this.held = { isVector, data, encoding, callback };
    return true;
  }

  /**
   * Gives Node its `SSL` back, with the connection.
   * @param {number} descriptor
   * @returns {{ handle: object, rest: Buffer }} Node's handle, and bytes that have been decrypted and not been read.
   */
  giveBack(descriptor) {
    const { ofNode, socket, tls } = this;
    this.tls = null;
    keepSecrets(ofNode);
    ofNode._parent.open(descriptor);
    const { onhandshakedone } = ofNode;
    ofNode.onhandshakedone = noop;
    const rest = tls.giveBack(socket._secureEstablished);
    ofNode.onhandshakedone = onhandshakedone;
    if (socket.listenerCount('session') > 0) ofNode.enableSessionCallbacks();
    return { handle: ofNode, rest };
  }

  // --- What users call ---

  /**
   * Gives JSON.stringify() what it writes of Node's handle: sockets and agents, whose `ssl` this is, are often logged.
   * @returns {object}
   */
  toJSON() {
    return this.ofNode;
  }

  // --- What the bridge calls ---

  /** @override */
  onRecord(opcode, flags, slab, words, start, end) {
    if (opcode === event.CLOSED) this.destroySSL();
    return super.onRecord(opcode, flags, slab, words, start, end);
  }

  /** @override */
  onTlsRecord(opcode, flags, slab, words, start, end) {
    switch (opcode) {
      case event.SECURED:
        return this.onSecured();
      case event.SESSION: {
        const idEnd = start + 4 + words[start >> 2];
        return this.ofNode.onnewsession(copyToOwnMemory(slab, start + 4, idEnd), copyToOwnMemory(slab, idEnd, end));
      }
      case event.SECRET:
        return this.ofNode.onkeylog(Buffer.from(`${slab.latin1Slice(start, end)}\n`, 'latin1'));
      case event.STALE:
        return this.onStale();
      case event.TLS_ERROR:
        return this.onTlsError(flags, tlsError(slab, words, start, end));
      default:
        return super.onTlsRecord(opcode, flags, slab, words, start, end);
    }
  }

  /** A handshake is complete: Node verifies the peer. */
  onSecured() {
    const { socket } = this;
    const { isAgain } = this;
    this.isAgain = false;
    // Until the peer is verified, also the one of another handshake: a check that throws must not count as passed.
    socket.secureConnecting = true;
    try {
      if (isAgain) quietly(socket, () => this.ofNode.onhandshakedone());
      else this.ofNode.onhandshakedone();
    } finally {
      this.isIdentityDue = false;
      if (this.isWithoutChain) this.completeError();
      if (!this.isClosed()) {
        // The check of the user's has thrown.
        if (socket.secureConnecting) {
          socket.destroy();
        } else {
          stampsOf(socket)?.onSecureConnect();
          if (isAgain) onReplaced(socket);
          this.goOn();
        }
      }
    }
  }

  /**
   * Tells whether Node's check of the identity asks for the certificate of the peer. All later questions are others.
   * @returns {boolean}
   */
  takeIdentityCheck() {
    // Node says that the socket is secure where it does not check: a user who hears of that may want the chain.
    const isDue = this.isIdentityDue && this.socket.secureConnecting;
    this.isIdentityDue = false;
    this.isWithoutChain ||= isDue;
    return isDue;
  }

  /** Gives the user the chain of a certificate that Node's check has refused: the error has the certificate. */
  completeError() {
    this.isWithoutChain = false;
    const { errored } = this.socket;
    if (errored?.cert) errored.cert = getPeerCertificate.call({ _handle: this }, true);
  }

  /**
   * The connection has died while it was idle, and nothing of the next request is out: the I/O thread makes another one
   * underneath, with TLS that Node makes anew.
   */
  onStale() {
    const { socket } = this;
    const session = this.ofNode.getSession();
    this.destroySSL();
    const renewed = renew(socket, session);
    if (renewed === null) {
      socket.destroy(systemError(ECONNRESET, 'read'));
      return;
    }
    ({ ofNode: this.ofNode, tls: this.tls } = renewed);
    for (const name of REFERENCES) this[name] = this.ofNode[name];
    if (socket.listenerCount('session') > 0) this.tls.tellSessions();
    if (socket.listenerCount('keylog') > 0) this.tls.tellSecrets();
    this.isAgain = true;
    this.isCostly = true;
    bridge.secure(this.id, this.tls);
    staging.send(command.SHAKE_HANDS, this.id);
    staging.send(command.RECONNECT, this.id);
  }

  /** Goes on with a peer that is verified. */
  goOn() {
    staging.send(command.VERIFIED, this.id);
    // Both threads work long, as in `start`.
    staging.hurry();
    this.writeHeld();
  }

  /**
   * TLS has failed. As with Node's handle, a write that waits for the handshake is told of it, and nobody else. Where
   * the handshake has not even begun, Node's socket has not written yet.
   * @param {number} flags
   * @param {Error} error
   */
  onTlsError(flags, error) {
    const held = flags & event.AT_ONCE ? null : this.takeHeld();
    if (held !== null) {
      held.callback(systemError(EPROTO, 'write', ` ${error.message}`));
    } else {
      this.fail(() => this.ofNode.onerror(error));
    }
  }
}

/**
 * Makes TLS anew for a socket that has had it, with the same options.
 * @param {import('node:tls').TLSSocket} socket
 * @param {Buffer} [session] Its session, with which the handshake is short.
 * @returns {{ ofNode: object, tls: InstanceType<import('../../binding').TlsConnection> }|null} Node's handle, and the
 *   `SSL` for the I/O thread; null if that cannot be had.
 */
function renew(socket, session) {
  const { _handle: current, servername } = socket;
  if (!watchTls()) return null;
  const ofNode = socket._wrapHandle(null, undefined, false);
  const tls = TlsConnection.capture();
  if (tls === null) return null;
  // Node gives the new one its listeners as it does for another address.
  socket._handle = ofNode;
  try {
    socket._init();
  } finally {
    socket._handle = current;
    socket.connecting = false;
  }
  // As that of the handle before it.
  ofNode[ownerSymbolOf(current)] = socket;
  if (session) tls.resume(session);
  if (servername) ofNode.setServername(servername);
  return { ofNode, tls };
}

/**
 * Finds the property by which a handle of Node's knows its socket.
 * @param {TlsHandle} handle
 * @returns {symbol}
 */
function ownerSymbolOf(handle) {
  return Object.getOwnPropertySymbols(handle).find((symbol) => symbol.description === 'owner_symbol');
}

/**
 * Keeps a socket from telling that it is secure: a connection that takes the place of another one is no news.
 * @param {import('node:tls').TLSSocket} socket
 * @param {() => void} verify
 */
function quietly(socket, verify) {
  const own = Object.getOwnPropertyDescriptor(socket, 'emit');
  const { emit } = socket;
  socket.emit = (name, ...arguments_) => name === 'secureConnect' || emit.call(socket, name, ...arguments_);
  try {
    verify();
  } finally {
    if (own) Object.defineProperty(socket, 'emit', own);
    else delete socket.emit;
  }
}

/** True when TlsHandle has the methods of Node's handle. */
let isDelegating = false;

/**
 * Gives TlsHandle the methods of Node's handle that it lacks, which differ by version.
 * @param {object} ofNode
 */
function delegate(ofNode) {
  if (isDelegating) return;
  isDelegating = true;
  const { prototype } = TlsHandle;
  for (let object = Object.getPrototypeOf(ofNode); object !== null; object = Object.getPrototypeOf(object)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(object))) {
      if (typeof value !== 'function' || name in prototype) continue;
      Object.defineProperty(prototype, name, {
        configurable: true,
        writable: true,
        value(...arguments_) {
          return this.ask(name, arguments_);
        },
      });
    }
  }
}

/**
 * Keeps a handle of Node's from asking for secrets. Its callback for them would be that of the context, and so of
 * handshakes on the I/O thread, where it must not enter JavaScript.
 * @param {object} ofNode
 */
function keepSecrets(ofNode) {
  ofNode.enableKeylogCallback = noop;
}

/** @param {TlsHandle} handle */
function destroySsl(handle) {
  handle.destroySSL();
}

/** Does nothing. */
function noop() {}

module.exports = { TlsHandle, keepSecrets };
