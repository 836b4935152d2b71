'use strict';

/**
 * RetryPolicy says which failures of a request are retried, and after which time. Names and defaults of its options are
 * those of undici's RetryHandler.
 */

const { invalidArgType } = require('../node/errors');
const { dateNow, parseDate } = require('../node/timing');
const { validateNotNegative, validateSize, validateType } = require('../node/validators');

const DEFAULTS = {
  maxRetries: 5,
  minTimeout: 500,
  maxTimeout: 30_000,
  timeoutFactor: 2,
  retryAfter: true,
  // Idempotent ones (RFC 9110, section 9.2.2), and QUERY.
  methods: ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'QUERY'],
  statusCodes: [500, 502, 503, 504, 429],
  errorCodes: ['ECONNRESET', 'ECONNREFUSED', 'ENOTFOUND', 'ENETDOWN', 'ENETUNREACH', 'EHOSTDOWN', 'EHOSTUNREACH',
    'EPIPE'],
  // Bytes of a body that are kept to be sent again.
  maxBodySize: 1024 * 1024,
};

/** Milliseconds of the longest delay of a timer. */
const LONGEST = 2 ** 31 - 1;

class RetryPolicy {
  /** @param {object} options Checked ones. */
  constructor(options) {
    const { methods, statusCodes, errorCodes, ...others } = { ...DEFAULTS, ...options };
    Object.assign(this, others);
    this.methods = new Set(methods.map((method) => method.toUpperCase()));
    this.statusCodes = new Set(statusCodes);
    this.errorCodes = new Set(errorCodes);
  }

  /**
   * @param {number} attempts Number of the attempts there have been.
   * @param {string} [retryAfter] Field of the response (RFC 9110, section 10.2.3).
   * @returns {number} Milliseconds until the next one.
   */
  delayOf(attempts, retryAfter) {
    const announced = this.retryAfter && retryAfter !== undefined ? durationOf(retryAfter) : undefined;
    const delay = announced ?? this.minTimeout * this.timeoutFactor ** (attempts - 1);
    return Math.min(delay, this.maxTimeout, LONGEST);
  }
}

/**
 * Reads `Retry-After`, which has seconds or a date.
 * @param {string} field
 * @returns {number|undefined} Milliseconds; undefined if it has neither, or a date that is past.
 */
function durationOf(field) {
  if (/^\d+$/.test(field)) return Number(field) * 1000;
  const milliseconds = parseDate(field) - dateNow();
  return milliseconds >= 0 ? milliseconds : undefined;
}

/** Options that are durations or factors. */
const NUMBERS = ['minTimeout', 'maxTimeout', 'timeoutFactor'];

/** Lists among the options, and the type of their elements. */
const LISTS = { methods: 'string', statusCodes: 'number', errorCodes: 'string' };

/** Names of the options. */
const NAMES = new Set([...Object.keys(DEFAULTS), 'body']);

/**
 * Tells whether a value is ferrequest's option `retry`. Node's client has no such option, and got 11 passes its own to
 * any client. A value that is no object, or has other names, is such a library's. One without values asks for nothing.
 * @param {unknown} options
 * @returns {boolean}
 */
function isOurs(options) {
  return typeof options === 'object' && options !== null && !Array.isArray(options) &&
    Object.keys(options).every((name) => NAMES.has(name)) &&
    Object.values(options).some((value) => value !== undefined);
}

/** Throws if an option is wrong. */
function check(options) {
  for (const name of ['maxRetries', 'maxBodySize']) {
    if (options[name] !== undefined && options[name] !== Infinity) validateSize(options[name], `options.retry.${name}`);
  }
  for (const name of NUMBERS) {
    const { [name]: value } = options;
    if (value === undefined) continue;
    validateNotNegative(value, `options.retry.${name}`);
  }
  if (options.retryAfter !== undefined) validateType(options.retryAfter, 'options.retry.retryAfter', 'boolean');
  if (options.body !== undefined) validateType(options.body, 'options.retry.body', 'function');
  for (const [name, type] of Object.entries(LISTS)) {
    const { [name]: list } = options;
    if (list === undefined) continue;
    if (!Array.isArray(list)) throw invalidArgType(`options.retry.${name}`, 'an instance of Array', list);
    for (const [index, value] of list.entries()) validateType(value, `options.retry.${name}[${index}]`, type);
  }
}

/**
 * Makes the policy that an option asks for.
 * @param {unknown} options The option `retry`.
 * @returns {RetryPolicy|undefined} Undefined if it asks for none, or is not ours.
 */
function createPolicy(options) {
  if (!isOurs(options)) return undefined;
  check(options);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return new RetryPolicy(Object.fromEntries(given));
}

module.exports = { createPolicy };
