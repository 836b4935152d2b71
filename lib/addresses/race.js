'use strict';

/**
 * Race connects a socket to the addresses of a name as RFC 8305 says (Happy Eyeballs). A further attempt begins when
 * the last one has failed, or has had its time. No attempt is cut off for the next; the first that succeeds wins, and
 * the race closes the others. Node's own `autoSelectFamily` gives each attempt up before it begins the next.
 *
 * The socket is one of net's, TLS or not, that connects by libuv. For net it connects to one address: the lookup that
 * the race gives to net keeps all that there are, and the connect of the handle starts the race.
 */

const dns = require('node:dns');
const { isIP } = require('node:net');

const { connectError } = require('../node/errors');
const { kReinitializeHandle } = require('../node/internals');
const { clearTimeout, nextTick, setTimeout } = require('../node/timing');
const { kRace, kRacing } = require('./race-marks');

/** Milliseconds after which the next attempt begins, unless an option says otherwise (RFC 8305, section 5). */
const ATTEMPT_DELAY = 250;
/** The least that RFC 8305 allows. */
const LEAST_DELAY = 10;

/** One attempt to connect. */
class Attempt {
  /** @param {{ address: string, family: number }} destination */
  constructor({ address, family }, handle, request) {
    this.address = address;
    this.family = family;
    this.handle = handle;
    this.request = request;
    this.isOver = false;
  }

  /**
   * Begins to connect.
   * @returns {number} 0 or a negative error number.
   */
  begin(port) {
    const { address, family, handle, request } = this;
    const connect = family === 6 ? 'connect6' : 'connect';
    return Object.getPrototypeOf(handle)[connect].call(handle, request, address, port);
  }
}

class Race {
  /**
   * @param {Function} [lookup] The user's lookup.
   * @param {number} [delay] Milliseconds between the beginnings of two attempts.
   */
  constructor(lookup, delay = ATTEMPT_DELAY) {
    /** Asked for all addresses; `dns.lookup`, as it is at the call, if there is none. */
    this.innerLookup = lookup;
    this.delay = Math.max(delay, LEAST_DELAY);
    /** True when net has called `lookup`: a socket connects with it. */
    this.isAsked = false;
    /** In the order of the attempts. */
    this.addresses = [];
    this.errors = [];
    /** @type {Attempt[]} */
    this.attempts = [];
    this.socket = null;
    this.port = 0;
    this.timer = null;
    this.lookup = this.lookup.bind(this);
    this.stop = this.stop.bind(this);
    this.begin = this.begin.bind(this);
  }

  /** Looks a name up for net, which wants one address; it has the shape of `dns.lookup()`. */
  lookup(hostname, options, callback) {
    const lookup = this.innerLookup ?? dns.lookup;
    if (options.all) {
      lookup(hostname, options, callback);
      return;
    }
    this.isAsked = true;
    lookup(hostname, { ...options, all: true }, (error, found, family) => {
      if (!error && Array.isArray(found)) this.addresses = inOrder(found);
      const [first] = this.addresses;
      // Later than the call, so that `attach` has come before.
      if (first) nextTick(callback, null, first.address, first.family);
      else nextTick(callback, error, found, family);
    });
  }

  /**
   * Lets a socket that has just begun to look its host up, by this race's lookup, connect by this race.
   * @param {import('node:net').Socket} socket
   */
  attach(socket) {
    if (!this.isAsked || this.socket !== null || !socket?.connecting) return;
    const handle = tcpOf(socket);
    if (typeof handle?.connect6 !== 'function') return;
    this.socket = socket;
    socket[kRacing] = this;
    handle.connect = (...arguments_) => this.start(handle, 'connect', arguments_);
    handle.connect6 = (...arguments_) => this.start(handle, 'connect6', arguments_);
    socket.once('close', this.stop);
  }

  /** Stands for the connect of the handle. */
  start(handle, method, arguments_) {
    delete handle.connect;
    delete handle.connect6;
    const [request, , port] = arguments_;
    if (this.addresses.length < 2) {
      this.end();
      return handle[method](...arguments_);
    }
    this.port = port;
    this.request = request;
    this.complete = request.oncomplete;
    this.primary = handle;
    const { socket } = this;
    socket.autoSelectFamilyAttemptedAddresses = [];
    // Net has told of the first.
    for (const { address, family } of this.addresses.slice(1)) {
      socket.emit('lookup', null, address, family, socket._host);
    }
    // A listener may have destroyed it.
    if (socket.connecting) this.begin();
    return 0;
  }

  /** Begins the next attempt. */
  begin() {
    clearTimeout(this.timer);
    this.timer = null;
    const { attempts, port, primary, socket } = this;
    const index = attempts.length;
    const isFirst = index === 0;
    const { address, family } = this.addresses[index];
    const handle = isFirst ? primary : new primary.constructor(0);
    const request = isFirst ? this.request : new this.request.constructor();
    if (!isFirst && !primary.hasRef()) handle.unref();
    const attempt = new Attempt({ address, family }, handle, request);
    attempts.push(attempt);
    Object.assign(request, { address, port, addressType: family });
    request.oncomplete = (status, _handle, _request, readable, writable) => {
      this.settle(attempt, status, readable, writable);
    };
    socket.autoSelectFamilyAttemptedAddresses.push(`${address}:${port}`);
    // Net tells of the first.
    if (!isFirst) socket.emit('connectionAttempt', address, port, family);
    if (!socket.connecting) {
      this.stop();
      return;
    }
    const status = attempt.begin(port);
    if (status !== 0) nextTick(() => this.settle(attempt, status));
    else if (attempts.length < this.addresses.length) this.timer = setTimeout(this.begin, this.delay);
  }

  /** Ends the race with the attempt that has succeeded, or goes on behind one that has failed. */
  settle(attempt, status, readable, writable) {
    const { socket } = this;
    if (attempt.isOver || socket === null) return;
    attempt.isOver = true;
    if (!socket.connecting) {
      this.stop();
      return;
    }
    if (status === 0) {
      this.win(attempt, readable, writable);
      return;
    }
    const { address, family } = attempt;
    const error = connectError(-status, address, this.port);
    this.errors.push(error);
    if (attempt.handle !== this.primary) attempt.handle.close();
    socket.emit('connectionAttemptFailed', address, this.port, family, error);
    if (!socket.connecting) return;
    if (this.attempts.length < this.addresses.length) this.begin();
    else if (this.attempts.every(({ isOver }) => isOver)) this.fail();
  }

  /** Gives the connection to the socket. */
  win(attempt, readable, writable) {
    const { complete, primary, request, socket } = this;
    const isReferenced = primary.hasRef();
    const { handle } = attempt;
    this.closeOthers(handle);
    this.end();
    if (handle !== primary) {
      socket[kReinitializeHandle](handle);
      if (isReferenced) handle.ref();
      else handle.unref();
    }
    request.address = attempt.address;
    request.addressType = attempt.family;
    complete.call(request, 0, socket._handle, request, readable, writable);
  }

  /** Fails the socket with the errors of all attempts. */
  fail() {
    const { errors, socket } = this;
    this.end();
    const error = new AggregateError(errors, errors.map(({ message }) => message).join('; '));
    error.code = errors[0].code;
    socket.destroy(error);
  }

  /** Calls the race off. */
  stop() {
    this.closeOthers(this.primary);
    this.end();
  }

  /** Closes all attempts but that of a handle. The one of `primary` belongs to the socket. */
  closeOthers(handle) {
    for (const attempt of this.attempts) {
      if (attempt.isOver || attempt.handle === handle) continue;
      attempt.isOver = true;
      if (attempt.handle !== this.primary) attempt.handle.close();
    }
  }

  /** Lets go of the socket. */
  end() {
    clearTimeout(this.timer);
    this.timer = null;
    const { socket } = this;
    if (socket === null) return;
    this.socket = null;
    socket[kRacing] = undefined;
    socket.removeListener('close', this.stop);
  }
}

/** @returns {object|null|undefined} The handle of libuv; that of a TLSSocket is beneath the one that it shows. */
function tcpOf({ _handle: handle }) {
  return handle?._parent ?? handle;
}

/**
 * Puts addresses into the order of the attempts (RFC 8305, section 4): the families take turns, that of the first one
 * first.
 * @param {Array<{ address: string, family: number|string }>} found
 * @returns {Array<{ address: string, family: number }>}
 */
function inOrder(found) {
  const addresses = found.filter(({ address }) => isIP(address))
    .map(({ address }) => ({ address, family: isIP(address) }));
  const [first] = addresses;
  const preferred = addresses.filter(({ family }) => family === first.family);
  const others = addresses.filter(({ family }) => family !== first.family);
  const ordered = [];
  while (preferred.length > 0 || others.length > 0) {
    if (preferred.length > 0) ordered.push(preferred.shift());
    if (others.length > 0) ordered.push(others.shift());
  }
  return ordered;
}

/** Options that leave one address, or that each attempt would have to share with the others. */
const AGAINST = ['localAddress', 'localPort', 'socketPath', 'blockList'];

/**
 * Has a request connect by a race, if there may be several addresses. Net takes the option for a boolean.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} options Options of the request, with `autoSelectFamily` of `race`.
 * @param {object} [agentOptions] Those of its agent, which take precedence.
 */
function prepare(req, options, agentOptions = {}) {
  const family = agentOptions.family ?? options.family;
  const hasOne = isIP(options.host) || family === 4 || family === 6 ||
    AGAINST.some((name) => options[name] || agentOptions[name]);
  if (hasOne || agentOptions.lookup || agentOptions.autoSelectFamily !== undefined) {
    options.autoSelectFamily = true;
    return;
  }
  const delay = agentOptions.autoSelectFamilyAttemptTimeout ?? options.autoSelectFamilyAttemptTimeout;
  const race = new Race(options.lookup, delay);
  options.autoSelectFamily = false;
  options.lookup = race.lookup;
  options[kRace] = race;
  req[kRace] = race;
}

/**
 * Has another attempt of a request connect by a race of its own.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} options Options of the request.
 */
function renew(req, options) {
  const { innerLookup, delay } = req[kRace];
  const race = new Race(innerLookup, delay);
  options.lookup = race.lookup;
  options[kRace] = race;
  req[kRace] = race;
}

module.exports = { prepare, renew };
