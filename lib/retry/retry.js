'use strict';

/**
 * Retry begins a request again, underneath the same ClientRequest, when an attempt has failed before the user was given
 * a response. The user is told of the last attempt only: of its error, or of its response.
 *
 * ```text
 *   ATTEMPTING ──an attempt has failed──> WAITING ──its time is over──> ATTEMPTING
 *       │                                    │
 *       └──── a response or an error is ─────┴──── the user calls ────> OVER
 *             the user's                           the request off
 * ```
 */

const { AsyncResource } = require('node:async_hooks');

const { closedBy, giveReason, onRetried } = require('../node/connection-channels');
const { forgetExchange, onRequestFinish } = require('../response/exchange-end');
const { kError } = require('../response/request-end');
const { kStamps } = require('../phases/connecting');
const { clearTimeout, setTimeout } = require('../node/timing');
const { KeptMessage } = require('./kept-message');
const { MadeBody } = require('./made-body');

const ATTEMPTING = 0;
const WAITING = 1;
const OVER = 2;

/** Matches header fields of requests that are not sent again: the peer's first answer is about the connection. */
const NOT_REPEATED = /\r\n(?:expect|upgrade):/i;

/**
 * The functions of the client that a Retry calls.
 * @typedef {object} Client
 * @property {(req: object) => void} begin Asks the agent, or `createConnection`, for a socket.
 * @property {(req: object, error?: Error) => void} refuse Tells a request without a socket its error, and closes it.
 * @property {(req: object, finish: Function, error: Error) => void} failEnd Fails the end of a request.
 */

class Retry {
  /**
   * @param {import('../request/client-request').ClientRequest} req
   * @param {import('./policy').RetryPolicy} policy
   * @param {Client} client
   */
  constructor(req, policy, client) {
    this.req = req;
    this.policy = policy;
    this.client = client;
    /** Number of attempts that have begun. */
    this.attempts = 1;
    this.stage = ATTEMPTING;
    this.timer = null;
    this.hasTimedOut = false;
    /** True when Node has been told of the request, which it is once. */
    this.hasStarted = false;
    /** True when 'finish' has been emitted. */
    this.hasFinished = false;
    /** Milliseconds that the user has set by `setTimeout()`. @type {number|undefined} */
    this.timeout = undefined;
    this.timeoutCb = null;
    this.resource = new AsyncResource('RetriedRequest');
    this.body = policy.body === undefined ? null : new MadeBody(req, policy.body);
    this.message = new KeptMessage(req, policy.maxBodySize, this.body, {
      fail: (finish, error) => client.failEnd(req, finish, error),
      finish: () => this.onRepeated(),
    });
    req.once('finish', () => { this.hasFinished = true; });
  }

  /** Tells whether what has failed may be tried again. */
  mayRetry() {
    const { attempts, message, policy, req } = this;
    return this.stage === ATTEMPTING && !this.hasTimedOut && attempts <= policy.maxRetries &&
      policy.methods.has(req.method) && message.canRepeat() && !NOT_REPEATED.test(req._header ?? '');
  }

  /**
   * Takes an error that an attempt has failed with.
   * @param {Error & { code?: string }} error
   * @returns {boolean} False if the user has to be told.
   */
  takesError(error) {
    if (this.stage === WAITING) return true;
    if (this.stage === OVER) return false;
    if (this.req.res === null && this.policy.errorCodes.has(error.code) && this.mayRetry()) {
      this.wait(this.policy.delayOf(this.attempts), error, null);
      return true;
    }
    this.end(error);
    return false;
  }

  /**
   * Takes the error of a phase that has taken too long. The connection of that attempt is still there, or being made.
   * @param {Error & { code: string }} error
   * @returns {boolean} False if the request fails.
   */
  takesLimit(error) {
    if (this.stage !== ATTEMPTING || !this.takesError(error)) return false;
    this.letGo();
    return true;
  }

  /**
   * Takes the response to an attempt.
   * @param {import('../response/client-response').ClientResponse} res
   * @returns {boolean} False if it is the user's.
   */
  takesResponse(res) {
    if (this.policy.statusCodes.has(res.statusCode) && this.mayRetry()) {
      this.wait(this.policy.delayOf(this.attempts, res.headers['retry-after']), null, res);
      return true;
    }
    this.end();
    return false;
  }

  /** @returns {boolean} True while the request must not close, because another attempt is to come. */
  holdsOpen() {
    if (this.stage !== WAITING) {
      this.end();
      this.body?.stop();
      return false;
    }
    this.req.destroyed = false;
    return true;
  }

  /** @returns {boolean} True between two attempts. */
  isWaiting() {
    return this.stage === WAITING;
  }

  /**
   * Waits for the next attempt.
   * @param {number} delay Milliseconds.
   * @param {Error|null} error The error that the last attempt has failed with.
   * @param {import('../response/client-response').ClientResponse|null} response Of the last attempt.
   */
  wait(delay, error, response) {
    this.stage = WAITING;
    const { req } = this;
    this.timeoutCb ??= req.timeoutCb;
    this.body?.stop();
    req[kStamps].pause();
    this.timer = this.resource.runInAsyncScope(setTimeout, null, () => this.begin(), delay);
    onRetried(req, { attempts: this.attempts, delay, error, response });
  }

  /** Begins the next attempt. */
  begin() {
    const { client, message, req } = this;
    this.letGo();
    this.timer = null;
    this.attempts++;
    this.stage = ATTEMPTING;
    Object.assign(req, {
      destroyed: false, res: null, socket: null, parser: null, reusedSocket: false, upgradeOrConnect: false,
      _ended: false, timeoutCb: null, [kError]: undefined,
    });
    if (message.shouldKeepAlive !== undefined) req.shouldKeepAlive = message.shouldKeepAlive;
    req[kStamps].renew();
    message.replay();
    this.resource.runInAsyncScope(client.begin, null, req);
    if (!this.body?.isUsed) return;
    // For the body that follows.
    req.finished = false;
    this.resource.runInAsyncScope(this.body.write, this.body);
  }

  /**
   * Has the body made that a function of the user's makes.
   * @param {unknown} chunk What the user has ended the request with.
   * @returns {boolean} False if the end is to be written: there is no such function, or the user has written a body.
   */
  makesBody(chunk) {
    const { body } = this;
    if (body === null || body.isWriting) return false;
    if (chunk && typeof chunk !== 'function') {
      this.onWrite();
      return false;
    }
    if (!body.isUsed) body.start();
    return true;
  }

  /** Hears that something is written: a body of the user's in place of the one that a function makes is sent once. */
  onWrite() {
    if (this.body === null || this.body.isWriting || this.body.isUsed) return;
    this.body = null;
    this.message.body = null;
  }

  /** Lets go of the connection of the last attempt, which may still be bringing its response, or closing. */
  letGo() {
    const { req } = this;
    const { socket } = req;
    forgetExchange(req);
    if (!socket || socket._httpMessage !== req) return;
    req.parser?.close();
    socket._httpMessage = null;
    giveReason(socket, closedBy.RETRIED);
    socket.destroy();
  }

  /**
   * Has the timeouts of the request hold for the socket of another attempt.
   * @param {import('node:stream').Duplex} socket
   * @param {(socket: object, milliseconds: number) => void} setTimeout_
   */
  onSocket(socket, setTimeout_) {
    const { req } = this;
    if (this.attempts === 1) return;
    if (this.timeoutCb) {
      req.timeoutCb ??= this.timeoutCb;
      if (!socket.listeners('timeout').includes(req.timeoutCb)) socket.once('timeout', req.timeoutCb);
    }
    if (this.timeout !== undefined) setTimeout_(socket, this.timeout);
  }

  /** Hears that the socket has been idle for the time that the user has set: the user decides from now on. */
  onTimeout() {
    this.hasTimedOut = true;
  }

  /** Hears that an attempt after the first is out. */
  onRepeated() {
    const { req } = this;
    req[kStamps].onFinish();
    if (!this.hasFinished) req.emit('finish');
    // The listener of the exchange that this would be for has heard of the first.
    else onRequestFinish.call(req);
  }

  /** @returns {boolean} True the first time: Node hears once that a request is out. */
  starts() {
    if (this.hasStarted) return false;
    this.hasStarted = true;
    return true;
  }

  /**
   * Ends: the user calls the request off.
   * @param {Error} [error]
   * @returns {boolean} True if no attempt was under way, so that all is done.
   */
  callOff(error) {
    const wasWaiting = this.stage === WAITING;
    this.end(error);
    this.body?.stop();
    if (!wasWaiting) return false;
    this.req[kStamps].isBetween = false;
    clearTimeout(this.timer);
    this.letGo();
    this.client.refuse(this.req, error);
    return true;
  }

  /** Leaves the request to the user: there will be no other attempt. */
  end(error) {
    if (this.stage === OVER) return;
    this.stage = OVER;
    this.message.end(error);
  }
}

module.exports = { Retry };
