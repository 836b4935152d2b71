'use strict';

/**
 * Stamps holds the times of what has happened to one request, and starts and stops its timeouts.
 *
 * Each request has one. A stamp is milliseconds of the monotonic clock, or undefined. Users see the stamps by
 * `req.timings` (timings.js), which is made when it is first asked for.
 */

const arrival = require('../bridge/arrival');
const { nextHandover } = require('../bridge/handover');
const { now } = require('../node/timing');
const connecting = require('./connecting');
const { forget, makeView, refresh } = require('./timings');

/** @returns {number} The time of what the JavaScript thread does. */
function present() {
  return arrival.isUnderWay ? arrival.time : now();
}

/** @returns {number} The time at which the present event has happened, perhaps on the I/O thread. */
function moment() {
  return arrival.isUnderWay ? arrival.happened : now();
}

// States of the socket at the moment when a request gets it.
/** The socket connects or shakes hands, or there is none yet: its further events are stamped. */
const PENDING = 0;
/** The socket is established: nothing has to be done to it. */
const STANDING = 1;
/** The socket is established, with TLS. */
const STANDING_TLS = 2;

class Stamps {
  /**
   * Makes all properties, so that every request's stamps have the same hidden class: else the few that connect, and so
   * have others, would make the code slow for all.
   * @param {number} start
   * @param {string|number} port Port of the origin.
   */
  constructor(start, port) {
    this.start = start;
    this.port = port;
    this.socket = undefined;
    this.found = PENDING;
    this.lookup = undefined;
    this.connect = undefined;
    this.secureConnect = undefined;
    /** The doorbell that hands the request over, if its time stands for `upload`. */
    this.handover = null;
    /** Time at which the kernel has last taken bytes that were waited for. */
    this.written = undefined;
    this.upload = undefined;
    this.response = undefined;
    /** Time of the last byte of the response, if the reader keeps up: it stands for `end`. */
    this.lastByte = undefined;
    this.end = undefined;
    this.error = undefined;
    this.abort = undefined;
    /** An attempt of a request that is tried again is over, and the next has not begun. */
    this.isBetween = false;
    /** The socket has, or is about to have, TLS. */
    this.isTls = false;
    /** The object that the user has; null until it is asked for. */
    this.view = null;
    /** The timers of the option `timeouts`. @type {{ follow(stamps: Stamps): void, stop(): void }|null} */
    this.timeouts = null;
  }

  /** @returns {import('./timings').Timings} The times, as the user sees them; always the same object. */
  get timings() {
    if (this.view === null) {
      this.settle();
      this.view = makeView(this);
    }
    return this.view;
  }

  /** Finds the stamps that have been left to be found when somebody asks. */
  settle() {
    if (this.found !== PENDING && this.connect === undefined) {
      this.lookup = this.connect = this.socket;
      if (this.found === STANDING_TLS) {
        this.isTls = true;
        this.secureConnect = this.socket;
      }
    }
    if (this.handover !== null && this.upload === undefined) this.upload = this.handover.time ?? now();
  }

  /** Tells the user's object, and the timeouts, that something has happened. */
  tell() {
    if (this.isBetween || (this.view === null && this.timeouts === null)) return;
    this.settle();
    if (this.view !== null) refresh(this.view, this);
    if (this.timeouts !== null) this.timeouts.follow(this);
  }

  /**
   * The agent has given the request a socket.
   * @param {boolean} isAtOnce True if it has not waited for one.
   */
  onSocket(isAtOnce) {
    // A tick has the time of the event that has made it due, which may be before this request was made.
    this.socket ??= isAtOnce ? this.start : Math.max(present(), this.start);
  }

  /**
   * The socket serves the request.
   * @param {import('node:net').Socket} socket
   */
  onAssigned(socket) {
    const hasTls = socket.encrypted === true;
    if (!socket.connecting && !socket.destroyed && !(hasTls && socket.secureConnecting)) {
      this.found = hasTls ? STANDING_TLS : STANDING;
    } else {
      this.onPending(socket, hasTls);
    }
    this.tell();
  }

  /** The socket connects, or shakes hands, or has failed. */
  onPending(socket, hasTls) {
    this.isTls = hasTls;
    if (!socket.connecting && !socket.destroyed) this.lookup = this.connect = this.socket;
    if (!socket.isNative) connecting.watch(socket, this);
    // The look-up was for a request that has been called off.
    else if (socket._handle.connectRequest) this.onLookup();
  }

  /** The name of the host has been looked up, or there was none to look up. */
  onLookup() {
    if (this.lookup !== undefined) return;
    this.lookup = Math.max(present(), this.socket ?? 0);
    this.tell();
  }

  /** The connection has been made. */
  onConnect() {
    if (this.connect !== undefined) return;
    this.connect = Math.max(moment(), this.socket ?? 0);
    // Some sockets tell of no look-up.
    this.lookup ??= this.socket;
    this.tell();
  }

  /** TLS has been established, and the peer verified. */
  onSecureConnect() {
    if (this.secureConnect !== undefined) return;
    this.secureConnect = Math.max(moment(), this.connect ?? 0);
    this.tell();
  }

  /** The whole request is staged. Its upload is the doorbell, unless somebody waits for it. */
  onStaged() {
    if (this.view !== null || this.timeouts !== null) this.onUpload(now());
    else if (this.upload === undefined) this.handover = nextHandover();
  }

  /** The request has been ended, and some of it waits, for the connection or for the kernel. */
  onEnding() {
    this.written = undefined;
  }

  /** The kernel has taken bytes that are waited for. */
  onWritten() {
    if (this.upload === undefined) this.written = moment();
  }

  /** Nothing of the request waits any more. */
  onFinish() {
    this.onUpload(this.written);
  }

  /**
   * The whole request has been handed over.
   * @param {number} [time] Undefined for what is happening now.
   */
  onUpload(time = present()) {
    if (this.upload !== undefined) return;
    this.upload = time;
    this.tell();
  }

  /** The header of the response has come. */
  onResponse() {
    this.response = moment();
    this.tell();
  }

  /** The last byte of the response has come, for a reader that takes what comes. */
  onLastByte() {
    if (arrival.isUnderWay) this.lastByte = arrival.happened;
  }

  /** The reader has stopped to take what comes. */
  onPause() {
    this.lastByte = undefined;
  }

  /** The response has been read to its end. */
  onEnd() {
    this.end ??= this.lastByte ?? present();
    this.tell();
  }

  /** The request has failed. */
  onError() {
    this.error ??= now();
    this.tell();
  }

  /** The request has been called off, or its response was cut. */
  onAbort() {
    if (this.end !== undefined) return;
    this.abort ??= now();
    this.tell();
  }

  /** An attempt has failed, and another one is to come: until then nothing is told, and only the whole has a limit. */
  pause() {
    this.isBetween = true;
    this.timeouts?.pause();
  }

  /** Another attempt begins: all but the start is that of the last attempt. */
  renew() {
    Object.assign(this, {
      isBetween: false, found: PENDING, handover: null, socket: undefined, lookup: undefined, connect: undefined,
      secureConnect: undefined, written: undefined, upload: undefined, response: undefined, lastByte: undefined,
      end: undefined,
    });
    if (this.view !== null) forget(this.view);
    this.timeouts?.renew();
    this.tell();
  }

  /** Nothing more happens to the request. */
  onClose() {
    if (this.timeouts !== null) this.timeouts.stop();
  }
}

module.exports = { Stamps };
