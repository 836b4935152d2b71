'use strict';

/**
 * Keeps 'finish' from a request whose body did not go out. Before Node 24.20, OutgoingMessage emits it, and calls the
 * callback of end() without an error, also when the last write has failed.
 */

const { OutgoingMessage } = require('../node/originals');
const { nextTick } = require('../node/timing');

const { get: isWritableFinished } = Object.getOwnPropertyDescriptor(OutgoingMessage.prototype, 'writableFinished');

/** Own property of a request: the reason why its body did not go out. */
const kFlushError = Symbol('flushError');
/** Own property of a request: callbacks of end() that wait for 'finish', where there are any. */
const kEndCallbacks = Symbol('endCallbacks');

/** Asks whether the running Node finishes a message whose last write has failed. */
function nodeFinishesFailed() {
  const message = new OutgoingMessage();
  let onWritten;
  let isFinished = false;
  message._header = 'none';
  message._send = (data, encoding, callback) => { onWritten = callback; };
  message.end();
  message.once('finish', () => { isFinished = true; });
  onWritten(new Error('failed'));
  return isFinished;
}

/** Finishes a request, as the callback of its last write, or tells the callbacks of end() why it does not. */
function onLastWritten(req, finish, error) {
  error ??= req.socket?.errored;
  if (!error && !req.socket?._hadError) {
    finish();
    return;
  }
  req[kFlushError] = error ?? new Error('The request has failed');
  const callbacks = req[kEndCallbacks];
  req[kEndCallbacks] = undefined;
  for (const callback of callbacks ?? []) {
    req.removeListener('finish', callback);
    callback(req[kFlushError]);
  }
}

/** True where the running Node finishes a message whose last write has failed. */
let isInstalled = false;

/**
 * Fails the end of a request, by the callback that end() gives to the last write.
 * @param {import('./client-request').ClientRequest} req
 * @param {(error?: Error) => void} finish
 * @param {Error} error
 */
function failEnd(req, finish, error) {
  if (isInstalled) onLastWritten(req, finish, error);
  else finish(error);
}

/** @see OutgoingMessage.prototype._send */
function send(data, encoding, callback, byteLength) {
  // Only end() gives one of this name.
  if (typeof callback === 'function' && callback.name === 'bound onFinish') {
    callback = onLastWritten.bind(undefined, this, callback);
  }
  return OutgoingMessage.prototype._send.call(this, data, encoding, callback, byteLength);
}

/** Finds the callback among the arguments of end(). */
function functionOf(chunk, encoding, callback) {
  if (typeof chunk === 'function') return chunk;
  if (typeof encoding === 'function') return encoding;
  return typeof callback === 'function' ? callback : undefined;
}

/**
 * Guards the requests of a class, where the running Node does not.
 * @param {object} members Members of the prototype of the class.
 */
function install(members) {
  isInstalled = nodeFinishesFailed();
  if (!isInstalled) return;
  const plainEnd = members.end;
  members._send = send;
  members.end = function end(chunk, encoding, callback) {
    const hasChunk = chunk && typeof chunk !== 'function';
    const told = functionOf(chunk, encoding, callback);
    if (told !== undefined && !(this.finished && (hasChunk || this.writableFinished))) {
      if (this[kFlushError] !== undefined) {
        nextTick(told, this[kFlushError]);
        return this;
      }
      this[kEndCallbacks] ??= [];
      this[kEndCallbacks].push(told);
    }
    return plainEnd.call(this, chunk, encoding, callback);
  };
  Object.defineProperty(members, 'writableFinished', {
    __proto__: null,
    get() {
      return this[kFlushError] === undefined && isWritableFinished.call(this);
    },
    configurable: true,
  });
}

module.exports = { failEnd, install };
