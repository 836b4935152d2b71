'use strict';

/** Checks of options and arguments, with the errors that Node throws for them. */

const { badPort, createError, invalidArgType, invalidArgValue, outOfRange } = require('./errors');

/** Milliseconds of the longest delay of a timer: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const TIMEOUT_MAX = 2 ** 31 - 1;

/** Matches a token (RFC 9110, section 5.6.2). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/** Matches a character that a request target may not have (RFC 9112, section 3.2, as loosely as Node reads it). */
const NOT_IN_PATH = /[^\u0021-\u00ff]/;

/**
 * Throws unless a value has a type.
 * @param {unknown} value
 * @param {string} name
 * @param {string} type Answer of `typeof`.
 */
function validateType(value, name, type) {
  if (typeof value !== type) throw invalidArgType(name, `of type ${type}`, value);
}

/**
 * Throws unless a value is a number that is not negative.
 * @param {unknown} value
 * @param {string} name
 * @param {string} [range] How the error says that.
 */
function validateNotNegative(value, name, range = '>= 0') {
  validateType(value, name, 'number');
  if (!(value >= 0)) throw outOfRange(name, range, value);
}

/**
 * Throws unless a host is a string, or none.
 * @param {unknown} host
 * @param {string} name
 * @returns {string|null|undefined} The host.
 */
function validateHost(host, name) {
  if (host !== null && host !== undefined && typeof host !== 'string') {
    throw invalidArgType(`options.${name}`, 'of type string or one of undefined or null', host);
  }
  return host;
}

/**
 * Throws if the host of a connection has a NUL: the resolver of the system would look up what is before it.
 * @param {object} options Options of the connection.
 */
function refuseNulInHost({ host, path }) {
  if (path || typeof host !== 'string' || !host.includes('\0')) return;
  throw invalidArgValue('options.host', host, 'must be a string without null bytes');
}

/**
 * Throws unless a value is a number of bytes.
 * @param {unknown} value
 * @param {string} name
 */
function validateSize(value, name) {
  validateType(value, name, 'number');
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < 0 || value > Number.MAX_SAFE_INTEGER) {
    throw outOfRange(name, `>= 0 && <= ${Number.MAX_SAFE_INTEGER}`, value);
  }
}

/**
 * Throws unless a value is one of a list.
 * @param {unknown} value
 * @param {string} name
 * @param {string[]} allowed
 */
function validateOneOf(value, name, allowed) {
  if (allowed.includes(value)) return;
  const list = allowed.map((item) => `'${item}'`).join(', ');
  throw invalidArgValue(name, value, `must be one of: ${list}`);
}

/** Methods of nearly all requests, which need no look at each character. */
const USUAL_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * Throws unless a method is a token, or none.
 * @param {unknown} method
 * @returns {string} The method in upper case; GET for none.
 */
function validateMethod(method) {
  if (USUAL_METHODS.has(method)) return method;
  if (method === null || method === undefined || method === '') return 'GET';
  validateType(method, 'options.method', 'string');
  if (!TOKEN.test(method)) {
    throw createError(TypeError, 'ERR_INVALID_HTTP_TOKEN', `Method must be a valid HTTP token ["${method}"]`);
  }
  return method.toUpperCase();
}

/** The last path that was found to be valid: many requests ask for the same. */
let validPath = '/';

/**
 * Throws if a path has a character that a request target may not have.
 * @param {unknown} path
 * @returns {string} The path.
 */
function validatePath(path) {
  if (path === validPath) return path;
  const text = String(path);
  if (NOT_IN_PATH.test(text)) {
    throw createError(TypeError, 'ERR_UNESCAPED_CHARACTERS', 'Request path contains unescaped characters');
  }
  validPath = text;
  return text;
}

/**
 * Throws unless a value is a port.
 * @param {unknown} port
 * @param {string} name
 */
function validatePort(port, name) {
  const isText = typeof port === 'string' && port.trim() !== '';
  const number = isText ? Number(port) : port;
  if (!Number.isInteger(number) || number < 0 || number > 65535) throw badPort(name, port);
}

/**
 * Throws unless a value is a duration.
 * @param {unknown} milliseconds
 * @param {string} name
 * @returns {number} Milliseconds, at most TIMEOUT_MAX.
 */
function timerDuration(milliseconds, name) {
  validateType(milliseconds, name, 'number');
  if (milliseconds < 0 || !Number.isFinite(milliseconds)) {
    throw outOfRange(name, 'a non-negative finite number', milliseconds);
  }
  if (milliseconds > TIMEOUT_MAX) {
    process.emitWarning(
      `${milliseconds} does not fit into a 32-bit signed integer.\nTimer duration was truncated to ${TIMEOUT_MAX}.`,
      'TimeoutOverflowWarning');
    return TIMEOUT_MAX;
  }
  return milliseconds;
}

/**
 * Makes the bytes of a body that was given as an array of integers.
 * @param {unknown[]} integers Each 0 to 255.
 * @returns {Buffer}
 */
function bytesOf(integers) {
  const bytes = Buffer.allocUnsafe(integers.length);
  for (let i = 0; i < integers.length; i++) {
    const value = integers[i];
    if (typeof value !== 'number') throw invalidArgType(`chunk[${i}]`, 'of type number', value);
    if (!Number.isInteger(value)) throw outOfRange(`chunk[${i}]`, 'an integer', value);
    if (value < 0 || value > 255) throw outOfRange(`chunk[${i}]`, '>= 0 && <= 255', value);
    bytes[i] = value;
  }
  return bytes;
}

module.exports = {
  bytesOf,
  refuseNulInHost,
  timerDuration,
  validateHost,
  validateMethod,
  validateNotNegative,
  validateOneOf,
  validatePath,
  validatePort,
  validateSize,
  validateType,
};
