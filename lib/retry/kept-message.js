'use strict';

/**
 * KeptMessage keeps the bytes that a request has written, to write them again, and settles the callbacks of the user.
 * It calls each callback once: when an attempt has written its part, or when there is no further attempt.
 */

/** The arguments of one call of `OutgoingMessage._send`, without the header. */
class Part {
  constructor(data, encoding, callback) {
    this.data = data;
    this.encoding = encoding;
    /** The callback of the user, or of `end()`; null when it has been called. */
    this.callback = callback;
    /** The error with which the last attempt has not written it. */
    this.error = undefined;
  }
}

class KeptMessage {
  /**
   * @param {import('../request/client-request').ClientRequest} req
   * @param {number} maxSize Bytes that are kept at most.
   * @param {import('./made-body').MadeBody|null} body Makes the body anew for each attempt: nothing is kept then.
   * @param {object} ends
   * @param {(finish: Function, error: Error) => void} ends.fail Fails the end of the request.
   * @param {() => void} ends.finish Hears that an attempt after the first is out.
   */
  constructor(req, maxSize, body, ends) {
    this.req = req;
    this.body = body;
    this.maxSize = maxSize;
    this.ends = ends;
    this.size = 0;
    /** True if the header asks to keep the connection; a response that closes changes it in the request. */
    this.shouldKeepAlive = undefined;
    /** @type {Part[]} */
    this.parts = [];
    /** False when the message was too large to be kept, or is made anew. */
    this.isKept = body === null;
    /** True once an attempt follows none any more: errors are told at once. */
    this.isSettled = false;
    /** True when 'finish' has been emitted, which it is once. */
    this.hasFinished = false;
    /** Number of the attempt; callbacks of earlier ones come late. */
    this.attempt = 1;
    this.plainSend = req._send;
    req._send = (...arguments_) => this.send(...arguments_);
  }

  /** Stands for `_send` of the request. */
  send(data, encoding, callback, byteLength) {
    if (typeof encoding === 'function') {
      callback = encoding;
      encoding = null;
    }
    // The header is there by now.
    this.shouldKeepAlive ??= this.req.shouldKeepAlive;
    // The end of a message that is made anew for each attempt is the end of its request once.
    const isWatched = this.isKept || (this.body !== null && isFinish(callback));
    if (this.isSettled || !isWatched) return this.plainSend.call(this.req, data, encoding, callback, byteLength);
    // All attempts send the same, also where the first one waits for its socket while the user changes the bytes.
    const kept = this.isKept ? copyOf(data) : data;
    const part = new Part(this.isKept ? kept : null, encoding, callback);
    this.keep(part);
    return this.plainSend.call(this.req, kept, encoding, this.callbackOf(part, this.body !== null), byteLength);
  }

  /** Keeps a part, unless all of them are too large together. */
  keep(part) {
    this.parts.push(part);
    if (!this.isKept) return;
    this.size += Buffer.byteLength(part.data, part.encoding ?? undefined);
    if (this.size > this.maxSize) this.forget();
  }

  /** Forgets the bytes: the message cannot be sent again. */
  forget() {
    this.isKept = false;
    for (const part of this.parts) part.data = null;
    this.parts = this.parts.filter(({ callback }) => callback);
  }

  /** @returns {boolean} True if the message can be sent again. */
  canRepeat() {
    return this.isKept || this.body !== null;
  }

  /** Makes the callback of a part for one attempt. */
  callbackOf(part, isEnd) {
    const { attempt } = this;
    if (!part.callback && !isEnd) return part.callback;
    return (error) => {
      if (attempt === this.attempt) this.settle(part, error, isEnd);
    };
  }

  /** Tells the user that a part is out, or notes why it is not. */
  settle(part, error, isEnd) {
    const { socket } = this.req;
    const reason = error ?? socket?.errored ?? (socket?._hadError ? new Error('The request has failed') : undefined);
    if (reason && !this.isSettled) {
      part.error = reason;
      return;
    }
    const { callback } = part;
    part.callback = null;
    if (reason) this.tell(callback, reason);
    else this.finish(callback);
    if (isEnd && !reason) this.ends.finish();
  }

  /** Calls a callback; that of `end()` emits 'finish'. */
  finish(callback) {
    if (!callback || (isFinish(callback) && this.hasFinished)) return;
    if (isFinish(callback)) this.hasFinished = true;
    callback(null);
  }

  /** Tells a callback an error: that of `end()` would emit 'finish'. */
  tell(callback, error) {
    if (!callback) return;
    if (isFinish(callback)) this.ends.fail(callback, error);
    else callback(error);
  }

  /** Writes all again, to where a socket will take it from, unless the body is made anew. */
  replay() {
    const { parts, req } = this;
    this.attempt++;
    clearOutput(req);
    if (this.body !== null) {
      this.parts = [];
      return;
    }
    const last = req.finished ? parts.length - 1 : -1;
    for (const [index, part] of parts.entries()) {
      part.error = undefined;
      this.plainSend.call(req, part.data, part.encoding, this.callbackOf(part, index === last));
    }
  }

  /**
   * Lets go of everything: there will be no other attempt.
   * @param {Error} [error] Why not, for parts that are not out.
   */
  end(error) {
    if (this.isSettled) return;
    this.isSettled = true;
    const { parts } = this;
    this.parts = [];
    for (const part of parts) {
      part.data = null;
      const { callback } = part;
      if (part.error === undefined || !callback) continue;
      part.callback = null;
      this.tell(callback, error ?? part.error);
    }
  }
}

/** Tells whether a callback is the one that end() gives to the last part. */
function isFinish(callback) {
  return callback?.name === 'bound onFinish';
}

/** Takes back what a request has kept for a socket, header included. */
function clearOutput(req) {
  req.outputData = [];
  req._onPendingData(-req.outputSize);
  req.outputSize = 0;
  req._headerSent = false;
}

/** Copies bytes, which the user may change or transfer. */
function copyOf(data) {
  return typeof data === 'string' ? data : Buffer.from(data);
}

module.exports = { KeptMessage };
