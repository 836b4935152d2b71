'use strict';

/**
 * Publishes to the channels `ferrequest:*` of diagnostics_channel what happens to connections, and that requests are
 * tried again. docs/diagnostics.md lists the channels, index.d.ts has the types of their messages.
 *
 * A connection is followed from the first request on that it serves while somebody subscribes. Nothing is computed for
 * a connection that is not followed.
 */

const diagnostics = require('node:diagnostics_channel');
const { kAuthority } = require('./request-url');
const { now } = require('./timing');

const openedChannel = diagnostics.channel('ferrequest:connection:opened');
const failedChannel = diagnostics.channel('ferrequest:connection:failed');
const reusedChannel = diagnostics.channel('ferrequest:connection:reused');
const replacedChannel = diagnostics.channel('ferrequest:connection:replaced');
const closedChannel = diagnostics.channel('ferrequest:connection:closed');
const retriedChannel = diagnostics.channel('ferrequest:request:retried');

/** Own property of a socket that is followed: its Connection. */
const kConnection = Symbol('connection');

/** Causes for which a connection closes: `reason` of the message of `ferrequest:connection:closed`. */
const closedBy = Object.freeze({
  /** The agent was destroyed. */
  AGENT_DESTROYED: 'agent-destroyed',
  /** The user has called the request off, or destroyed its response; a timeout of `timeouts`, too, does that. */
  CALLED_OFF: 'called-off',
  /** The user, or an agent of another package, has destroyed the socket: more is not known. */
  DESTROYED: 'destroyed',
  /** A system call, or TLS, has failed. */
  ERROR: 'error',
  /** An earlier request to another origin got its place (`fairQueue`). */
  GAVE_WAY: 'gave-way',
  /** The connection was idle for longer than the agent allows. */
  IDLE_TIMEOUT: 'idle-timeout',
  /** The agent keeps none, or not this one, such as one that the server is about to close. */
  NOT_KEPT: 'not-kept',
  /** The client or the server has said that the exchange is the last one on the connection. */
  NOT_PERSISTENT: 'not-persistent',
  /** The decoder has refused what the server has sent. */
  PARSE_ERROR: 'parse-error',
  /** The server has ended or reset the connection. */
  PEER: 'peer',
  /** The agent has as many idle connections as it may. */
  POOL_FULL: 'pool-full',
  /** The connection has left its agent: an upgrade, a CONNECT, or the user has emitted `'agentRemove'`. */
  REMOVED: 'removed',
  /** The response that led to another attempt was not whole when that began (`retry`). */
  RETRIED: 'retried',
  /** The connection was older than `socketActiveTTL`. */
  TOO_OLD: 'too-old',
  /** The server has sent bytes that no request had asked for, and that were seen as such. */
  UNSOLICITED: 'unsolicited',
});

/** A connection that is followed. */
class Connection {
  /**
   * @param {import('node:http').ClientRequest} req The first request.
   * @param {import('node:stream').Duplex} socket
   */
  constructor(req, socket) {
    this.socket = socket;
    this.origin = `${req.protocol}//${req[kAuthority]}`;
    this.transport = socket.isNative ? 'native' : 'stream';
    /** Number of requests that it has been given. */
    this.requests = 0;
    this.isOpen = false;
    this.since = now();
    /** The cause for which it closes, once that is known. @type {string|undefined} */
    this.reason = undefined;
  }

  /** @returns {object} What all messages have. */
  describe() {
    const { origin, socket } = this;
    // One that is closed has no handle any more.
    if (socket._handle) this.transport = socket.isNative ? 'native' : 'stream';
    return { request: socket._httpMessage ?? null, socket, origin, transport: this.transport };
  }

  /** The connection stands, and its peer is verified. */
  open() {
    if (this.isOpen) return;
    this.isOpen = true;
    this.since = now();
    // Also for those who are told only of its end.
    const message = this.describe();
    if (openedChannel.hasSubscribers) openedChannel.publish(message);
  }

  /** The connection is closed. */
  close() {
    const { socket } = this;
    const error = socket.errored ?? null;
    if (!this.isOpen) {
      if (failedChannel.hasSubscribers) failedChannel.publish({ ...this.describe(), error });
    } else if (closedChannel.hasSubscribers) {
      const { requests, since } = this;
      const reason = this.findReason(error);
      closedChannel.publish({ ...this.describe(), reason, error, requests, age: now() - since });
    }
  }

  /** @returns {string} The cause for which the connection has closed, as far as it can be known. */
  findReason(error) {
    const { reason, socket } = this;
    const { _httpMessage: req } = socket;
    // The end of a body, or of both, may come before what follows from `Connection: close`.
    if (reason === closedBy.PEER && req?.res?.complete && !req.shouldKeepAlive) return closedBy.NOT_PERSISTENT;
    if (reason !== undefined) return reason;
    // What closes the response for us does so behind this listener.
    if (req?.res?.destroyed && !req.res.complete) return closedBy.CALLED_OFF;
    if (error === null) return closedBy.DESTROYED;
    return error.code === 'ECONNRESET' || error.code === 'EPIPE' ? closedBy.PEER : closedBy.ERROR;
  }
}

/** @returns {boolean} True if somebody wants to know of connections. */
function areWatched() {
  return openedChannel.hasSubscribers || closedChannel.hasSubscribers || reusedChannel.hasSubscribers ||
    failedChannel.hasSubscribers || replacedChannel.hasSubscribers;
}

/**
 * Follows a connection that a request has been given. Called only if `areWatched()`.
 * @param {import('node:http').ClientRequest} req
 * @param {import('node:stream').Duplex} socket
 * @param {boolean} isUsed True if it has served another request.
 */
function onAssigned(req, socket, isUsed) {
  if (typeof socket?.on !== 'function') return;
  const known = socket[kConnection];
  const connection = known ?? follow(req, socket);
  connection.requests++;
  if (isUsed || connection.requests > 1) {
    connection.isOpen = true;
    if (reusedChannel.hasSubscribers) {
      reusedChannel.publish({ ...connection.describe(), request: req, requests: connection.requests });
    }
  } else if (!isPending(socket) && !socket.destroyed) {
    connection.open();
  } else {
    socket.on(socket.encrypted ? 'secureConnect' : 'connect', onConnect);
  }
}

/** Begins to follow a connection. In front of listeners that close the request, or throw. */
function follow(req, socket) {
  const connection = socket[kConnection] = new Connection(req, socket);
  socket.prependListener('end', onEnd);
  socket.prependListener('close', onClose);
  socket.on('timeout', onTimeout);
  socket.on('agentRemove', onRemove);
  return connection;
}

/** Tells whether a socket connects, or shakes hands. */
function isPending({ connecting, encrypted, secureConnecting }) {
  return connecting === true || (encrypted === true && secureConnecting === true);
}

/** @this {import('node:stream').Duplex} */
function onConnect() {
  this.removeListener('connect', onConnect);
  this.removeListener('secureConnect', onConnect);
  this[kConnection].open();
}

/** @this {import('node:stream').Duplex} */
function onEnd() {
  giveReason(this, closedBy.PEER);
}

/** Hears of a timeout behind the agent, which closes an idle socket then. @this {import('node:stream').Duplex} */
function onTimeout() {
  if (this.destroyed && !this._httpMessage) giveReason(this, closedBy.IDLE_TIMEOUT);
}

/** @this {import('node:stream').Duplex} */
function onRemove() {
  if (!this.destroyed) giveReason(this, closedBy.REMOVED);
}

/** @this {import('node:stream').Duplex} */
function onClose() {
  this[kConnection].close();
}

/**
 * Notes the cause for which a connection is about to be closed; the first one counts.
 * @param {import('node:stream').Duplex} socket
 * @param {string} reason One of `closedBy`.
 */
function giveReason(socket, reason) {
  const connection = socket[kConnection];
  if (connection !== undefined) connection.reason ??= reason;
}

/**
 * Tells that the I/O thread has made another connection in place of one that had died while it was idle.
 * @param {import('node:net').Socket} socket
 */
function onReplaced(socket) {
  const connection = socket[kConnection];
  if (connection !== undefined && replacedChannel.hasSubscribers) replacedChannel.publish(connection.describe());
}

/**
 * Tells that a request is about to be tried again.
 * @param {import('node:http').ClientRequest} request
 * @param {{ attempts: number, delay: number, error: Error|null, response: object|null }} failure Of the last attempt;
 *   attempts: those that have begun; delay: milliseconds before the next one.
 */
function onRetried(request, failure) {
  if (retriedChannel.hasSubscribers) retriedChannel.publish({ request, ...failure });
}

module.exports = { areWatched, closedBy, giveReason, onAssigned, onReplaced, onRetried };
