'use strict';

/**
 * Watches streams that no request of ours reads from, as the I/O thread watches its own connections. Bytes that come on
 * an idle stream must not be taken for the next response (response-queue poisoning, CWE-444).
 *
 * It watches push(), by which every Readable gets its bytes. A listener of 'data' would be seen: node-fetch 2 takes one
 * that is there at the end of a response for a body that was cut.
 */

const { closedBy, giveReason } = require('../node/connection-channels');
const { isIdle } = require('./socket-events');

/** Own property of a stream: its guard; undefined when the stream is not watched. */
const kGuard = Symbol('guard');

/**
 * Receiver of what a guard sees.
 * @typedef {object} Watcher
 * @property {boolean} isIdle True while no request has asked for bytes.
 * @property {(socket: import('node:stream').Duplex) => void} onUnaskedData
 */

/** The watcher of streams that have no decoder of ours. @type {Watcher} */
const destroying = {
  isIdle: true,
  onUnaskedData(socket) {
    giveReason(socket, closedBy.UNSOLICITED);
    socket.destroy();
  },
};

/** State of a stream before it was watched, to be put back. */
class Guard {
  /**
   * @param {import('node:stream').Duplex} socket
   * @param {Watcher} watcher
   */
  constructor(socket, watcher) {
    this.push = socket.push;
    this.hasOwnPush = Object.hasOwn(socket, 'push');
    this.watcher = watcher;
  }
}

/**
 * Watches a stream until `unguard`. A stream that is none of Node's has no push(), and is not watched.
 * @param {import('node:stream').Duplex} socket
 * @param {Watcher} watcher
 */
function guard(socket, watcher) {
  if (socket[kGuard]?.watcher === watcher || typeof socket.push !== 'function') return;
  unguard(socket);
  socket[kGuard] = new Guard(socket, watcher);
  socket.push = pushGuarded;
}

/** Undoes `guard`. */
function unguard(socket) {
  const { [kGuard]: found } = socket;
  if (found === undefined) return;
  socket[kGuard] = undefined;
  // Users may have put their own before ours meanwhile.
  if (socket.push !== pushGuarded) return;
  if (found.hasOwnPush) socket.push = found.push;
  else delete socket.push;
}

/** @this {import('node:stream').Duplex} */
function pushGuarded(chunk, encoding) {
  const { [kGuard]: found } = this;
  if (found === undefined) return Object.getPrototypeOf(this).push.call(this, chunk, encoding);
  const { watcher } = found;
  const isUnasked = watcher.isIdle && chunk !== null && chunk?.length !== 0;
  const takesMore = found.push.call(this, chunk, encoding);
  if (isUnasked) watcher.onUnaskedData(this);
  return takesMore;
}

/** Ends a socket at an error, which is no request's. */
function onIdleError() {
  this.destroy();
  this.emit('agentRemove');
}

/**
 * Watches a socket that goes to the pool. A stream that keeps the listeners of socket-events.js is watched already.
 * @param {import('node:stream').Duplex} socket
 */
function watch(socket) {
  if (socket.isNative || isIdle(socket)) return;
  guard(socket, destroying);
  socket.on('error', onIdleError);
}

/**
 * Undoes `watch` for a socket that comes from the pool.
 * @param {import('node:stream').Duplex} socket
 */
function unwatch(socket) {
  if (socket.isNative || isIdle(socket)) return;
  unguard(socket);
  socket.removeListener('error', onIdleError);
}

module.exports = { guard, unguard, unwatch, watch };
