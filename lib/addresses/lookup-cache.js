'use strict';

/**
 * LookupCache keeps the answers of look-ups, and lets equal look-ups that are under way have one answer in common. Its
 * functions have the shape of `dns.lookup()`, which gives no time to live: an answer of it is kept for `maxTtl`.
 */

const { AsyncResource } = require('node:async_hooks');
const dns = require('node:dns');

const { nextTick, now } = require('../node/timing');
const { validateNotNegative } = require('../node/validators');

/** Seconds for which an answer without a time to live is kept, unless an option says otherwise. */
const MAX_TTL = 10;
/** Seconds for which it is kept that a name does not exist. */
const ERROR_TTL = 0.15;
/** Number of answers that are kept at most. */
const MAX_ITEMS = 1000;

/**
 * Milliseconds for which a look-up is waited for by those that ask the same. A lookup of a user's that never calls back
 * would otherwise hold all requests to its name for ever.
 */
const LONGEST_WAIT = 10_000;

/** Codes of errors that say that a name has no address. Others, such as EAI_AGAIN, may be over at once. */
const NO_ADDRESS = new Set(['ENOTFOUND', 'ENODATA']);

/** Properties of the second argument of a lookup that decide its answer. */
const PARTS = ['family', 'hints', 'order', 'verbatim'];

/**
 * @typedef {object} Answer
 * @property {Error|null} error
 * @property {unknown[]} values What follows the error in the arguments of the callback.
 * @property {number} expires Time by `now()`, in milliseconds.
 */

class LookupCache {
  /**
   * @param {object} options
   * @param {number} [options.maxTtl] Seconds.
   * @param {number} [options.errorTtl] Seconds.
   * @param {number} [options.fallbackDuration] Seconds.
   * @param {number} [options.maxItems]
   */
  constructor({ maxTtl = MAX_TTL, errorTtl = ERROR_TTL, fallbackDuration = 0, maxItems = MAX_ITEMS }) {
    this.maxTtl = maxTtl * 1000;
    this.errorTtl = errorTtl * 1000;
    this.fallbackDuration = fallbackDuration * 1000;
    this.maxItems = maxItems;
    /** Answers by function and name; the one used last is last. @type {Map<string, Answer>} */
    this.answers = new Map();
    /**
     * The callbacks that wait for a look-up that is under way, and the time when it began, by the same keys.
     * @type {Map<string, { callbacks: Function[], begun: number }>}
     */
    this.waiting = new Map();
    /** Names for which `dns.lookup()` is asked instead, and until when. @type {Map<string, number>} */
    this.fallbacks = new Map();
    /** The functions that use this cache, by those whose answers they keep. @type {WeakMap<object, Function>} */
    this.cached = new WeakMap();
    /** A number for each lookup of a user's, which begins its keys. @type {WeakMap<Function, number>} */
    this.numbers = new WeakMap();
    this.lastNumber = 0;
  }

  /**
   * Gives the function that looks names up by way of this cache.
   * @param {Function} [lookup] The user's; `dns.lookup`, as it is at each call, if there is none.
   * @returns {Function}
   */
  lookupOf(lookup) {
    const isUsers = typeof lookup === 'function';
    let cached = this.cached.get(isUsers ? lookup : this);
    if (cached === undefined) {
      const inner = isUsers ? lookup : undefined;
      cached = (hostname, options, callback) => {
        if (typeof options === 'function') this.look(inner, hostname, {}, options);
        else this.look(inner, hostname, optionsOf(options), callback);
      };
      this.cached.set(isUsers ? lookup : this, cached);
      // An agent may get the same options twice.
      this.cached.set(cached, cached);
    }
    return cached;
  }

  /** Calls back with an answer, a tick later at the earliest. */
  look(lookup, hostname, options, callback) {
    if (lookup !== undefined && this.fallsBack(hostname)) lookup = undefined;
    const key = this.keyOf(lookup, hostname, options);
    const answer = this.answers.get(key);
    if (answer !== undefined && answer.expires > now()) {
      this.answers.delete(key);
      this.answers.set(key, answer);
      deliver(AsyncResource.bind(callback), answer, true);
      return;
    }
    const waiting = this.waiting.get(key);
    if (waiting !== undefined && now() - waiting.begun < LONGEST_WAIT) {
      waiting.callbacks.push(AsyncResource.bind(callback));
      return;
    }
    this.ask(lookup, hostname, options, key, AsyncResource.bind(callback));
  }

  /** Asks the function, and tells all that have asked the same meanwhile. */
  ask(lookup, hostname, options, key, callback) {
    const callbacks = [callback];
    const waiting = { callbacks, begun: now() };
    this.waiting.set(key, waiting);
    let isSettled = false;
    const settle = (error, ...values) => {
      if (isSettled) return;
      isSettled = true;
      this.forgetWaiting(key, waiting);
      if (error && lookup !== undefined && this.fallbackDuration > 0 && NO_ADDRESS.has(error.code)) {
        this.fallBack(hostname, options, error, callbacks);
        return;
      }
      const answer = this.keep(key, error, values);
      deliverToAll(callbacks, answer);
    };
    try {
      // A lookup of the user's may keep what it is given. `dns.lookup` is read here: libraries and tests replace it.
      (lookup ?? dns.lookup)(hostname, { ...options }, settle);
    } catch (error) {
      this.forgetWaiting(key, waiting);
      throw error;
    }
  }

  /** Has nobody wait for a look-up any more; another of the same name may be under way. */
  forgetWaiting(key, waiting) {
    if (this.waiting.get(key) === waiting) this.waiting.delete(key);
  }

  /** Asks `dns.lookup()` for a name that the user's lookup does not know; where that fails, the first error is told. */
  fallBack(hostname, options, error, waiting) {
    dns.lookup(hostname, { ...options }, (otherError, ...values) => {
      if (!otherError) this.fallbacks.set(hostname, now() + this.fallbackDuration);
      const answer = otherError ? this.keep(undefined, error, []) :
        this.keep(this.keyOf(undefined, hostname, options), null, values);
      deliverToAll(waiting, answer);
    });
  }

  /** Tells whether a name is one of those that only `dns.lookup()` knows. */
  fallsBack(hostname) {
    const until = this.fallbacks.get(hostname);
    if (until === undefined) return false;
    if (until > now()) return true;
    this.fallbacks.delete(hostname);
    return false;
  }

  /** Names a look-up: those of the same name may differ in the addresses that they ask for. */
  keyOf(lookup, hostname, options) {
    let number = 0;
    if (lookup !== undefined) {
      number = this.numbers.get(lookup);
      if (number === undefined) this.numbers.set(lookup, number = ++this.lastNumber);
    }
    let key = `${number} ${options.all ? 'all' : 'one'}`;
    for (const part of PARTS) key += ` ${options[part]}`;
    // dns.lookup() does not look at the port, which net tells since Node 24.
    if (number > 0) key += ` ${options.port}`;
    return `${key} ${hostname}`;
  }

  /** Keeps an answer for as long as it may be used, if it may. */
  keep(key, error, values) {
    const lifetime = error ? this.lifetimeOfError(error) : Math.min(ttlOf(values), this.maxTtl);
    const answer = { error: error ?? null, values, expires: now() + lifetime };
    if (key === undefined || !(lifetime > 0)) return answer;
    this.answers.delete(key);
    if (this.answers.size >= this.maxItems) this.answers.delete(this.answers.keys().next().value);
    if (this.maxItems > 0) this.answers.set(key, answer);
    return answer;
  }

  /** @returns {number} Milliseconds. */
  lifetimeOfError({ code }) {
    return NO_ADDRESS.has(code) ? this.errorTtl : 0;
  }
}

/** @returns {object} The second argument of a lookup, which may be a family. */
function optionsOf(options) {
  return typeof options === 'number' ? { family: options } : options ?? {};
}

/**
 * Finds the time to live that a lookup of the user's has told: as `ttl` of its addresses, or as the fifth argument of
 * the callback, as cacheable-lookup does.
 * @returns {number} Milliseconds; Infinity if it tells none.
 */
function ttlOf([found, , , ttl]) {
  const ttls = (Array.isArray(found) ? found.map((address) => address?.ttl) : [ttl])
    .filter((seconds) => typeof seconds === 'number' && seconds >= 0);
  return ttls.length > 0 ? Math.min(...ttls) * 1000 : Infinity;
}

/** Calls back in a tick of its own, lest an exception takes the others with it. Each callback gets its own copy. */
function deliver(callback, { error, values }, isShared) {
  if (error) nextTick(callback, isShared ? copyOfError(error) : error);
  else nextTick(callback, null, ...values.map(copyOfList));
}

/** Calls back all that have asked the same. */
function deliverToAll(callbacks, answer) {
  for (const [index, callback] of callbacks.entries()) deliver(callback, answer, index > 0);
}

/** Copies a list of addresses. */
function copyOfList(value) {
  return Array.isArray(value) ? value.map(copyOfAddress) : value;
}

/** Copies an address of a list. */
function copyOfAddress(address) {
  return typeof address === 'object' && address !== null ? { ...address } : address;
}

/** Copies an error: each request gets one of its own, to which libraries add what they know. */
function copyOfError(error) {
  const copy = new Error(error.message);
  const { stack, ...others } = Object.getOwnPropertyDescriptors(error);
  Object.defineProperties(copy, others);
  if (stack !== undefined) copy.stack = error.stack;
  return Object.setPrototypeOf(copy, Object.getPrototypeOf(error));
}

/** Options of the cache that are numbers. */
const NUMBERS = ['maxTtl', 'errorTtl', 'fallbackDuration', 'maxItems'];

/**
 * Tells whether a value is an option `dns` of ours that asks for a cache. Node's agents know none of the name: any
 * other value is meant for somebody else.
 */
function asksForCache(options) {
  return options?.cache === true && Object.keys(options).every((name) => name === 'cache' || NUMBERS.includes(name));
}

/**
 * Makes the cache that an agent's option asks for.
 * @param {unknown} options The option `dns`.
 * @returns {LookupCache|undefined} Undefined if it asks for none.
 */
function createLookupCache(options) {
  if (!asksForCache(options)) return undefined;
  for (const name of NUMBERS) {
    const { [name]: value } = options;
    if (value === undefined) continue;
    validateNotNegative(value, `options.dns.${name}`);
  }
  return new LookupCache(options);
}

module.exports = { createLookupCache };
