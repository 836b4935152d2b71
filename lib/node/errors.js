'use strict';

/** Makes the errors that Node makes: the same class, code, message and properties. */

const util = require('node:util');

const { copyToOwnMemory } = require('./own-memory');

/** Prototypes of errors with a code, by class: as in Node, one between the error and the prototype of its class. */
const prototypes = { __proto__: null };
for (const Base of [Error, RangeError, TypeError]) {
  prototypes[Base.name] = Object.create(Base.prototype, {
    constructor: { value: Base, writable: true, configurable: true },
    toString: {
      value() {
        return `${this.name} [${this.code}]: ${this.message}`;
      },
      writable: true,
      configurable: true,
    },
  });
}

/**
 * Makes an error of Node's own kind: `code` in the stack's first line and in toString(), not in `name`.
 * @param {ErrorConstructor} Base
 * @param {string} code
 * @param {string} message
 * @returns {Error & { code: string }}
 */
function createError(Base, code, message) {
  const error = new Base(message);
  // The stack is rendered once, with the name that it has now.
  Object.defineProperty(error, 'name', { value: `${Base.name} [${code}]`, configurable: true, writable: true });
  void error.stack;
  delete error.name;
  error.code = code;
  return Object.setPrototypeOf(error, prototypes[Base.name]);
}

/**
 * Describes a value of the wrong type as Node does.
 * @param {unknown} value
 * @returns {string}
 */
function describe(value) {
  if (value === null || value === undefined) return ` Received ${value}`;
  if (typeof value === 'function') return value.name ? ` Received function ${value.name}` : ' Received function ';
  if (typeof value === 'object') {
    if (value.constructor?.name) return ` Received an instance of ${value.constructor.name}`;
    return ` Received ${util.inspect(value, { depth: -1 })}`;
  }
  let text = util.inspect(value, { colors: false });
  if (text.length > 28) text = `${text.slice(0, 25)}...`;
  return ` Received type ${typeof value} (${text})`;
}

/**
 * Makes the error of an argument or option of the wrong type.
 * @param {string} name Name of the argument, or of the property if it has a dot.
 * @param {string} expected Such as `of type string` or `one of type string, undefined, or null`.
 * @param {unknown} value
 */
function invalidArgType(name, expected, value) {
  const kind = name.includes('.') ? 'property' : 'argument';
  return createError(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" ${kind} must be ${expected}.${describe(value)}`);
}

/**
 * Makes the error of an argument or option with a wrong value.
 * @param {string} name
 * @param {unknown} value
 * @param {string} reason Such as `must be one of: ...`.
 */
function invalidArgValue(name, value, reason) {
  const kind = name.includes('.') ? 'property' : 'argument';
  let text = util.inspect(value);
  if (text.length > 128) text = `${text.slice(0, 128)}...`;
  return createError(TypeError, 'ERR_INVALID_ARG_VALUE', `The ${kind} '${name}' ${reason}. Received ${text}`);
}

/**
 * Makes the error of a number that is too small, too large, or no integer.
 * @param {string} name
 * @param {string} range Such as `an integer` or `>= 0 && <= 255`.
 * @param {unknown} value
 */
function outOfRange(name, range, value) {
  let text = util.inspect(value);
  if (Number.isInteger(value) && Math.abs(value) > 2 ** 32) text = addUnderscores(String(value));
  return createError(RangeError, 'ERR_OUT_OF_RANGE',
    `The value of "${name}" is out of range. It must be ${range}. Received ${text}`);
}

/**
 * Makes the error of a port that is none.
 * @param {string} name
 * @param {unknown} port
 */
function badPort(name, port) {
  return createError(RangeError, 'ERR_SOCKET_BAD_PORT', `${name} should be >= 0 and < 65536.${describe(port)}.`);
}

/** Groups the characters of a large number by three, as Node does, which has `1e+_300`. */
function addUnderscores(number) {
  return number.replace(/(?<=[^-])(?=(.{3})+$)/g, '_');
}

/**
 * Makes the error of a connection that ended before the response, or in its middle.
 * @param {string} message
 * @param {ErrorOptions} [options] The cause.
 */
function connectionReset(message, options) {
  const error = new Error(message, options);
  error.code = 'ECONNRESET';
  return error;
}

/**
 * Finds the code of an error number.
 * @param {number} errno The system's (positive) error number.
 * @returns {string} Such as ECONNRESET.
 */
function codeOf(errno) {
  try {
    return util.getSystemErrorName(-errno);
  } catch {
    return `Unknown system error ${-errno}`;
  }
}

/**
 * Makes the error of a failed system call on a connection.
 * @param {number} errno The system's (positive) error number.
 * @param {string} syscall
 * @param {string} [details] Further text of the message.
 */
function systemError(errno, syscall, details = '') {
  const code = codeOf(errno);
  const error = new Error(`${syscall} ${code}${details}`);
  error.errno = -errno;
  error.code = code;
  error.syscall = syscall;
  return error;
}

/**
 * Makes the error of a connect that fails when net.Socket no longer waits for it and so does not describe it.
 * @param {number} errno The system's (positive) error number.
 * @param {string} address An address or a path.
 * @param {number} [port]
 * @param {string} [local] Address and port of the local side, if the kernel reported it before it sent anything.
 */
function connectError(errno, address, port, local) {
  const error = systemError(errno, 'connect', port > 0 ? ` ${address}:${port}` : ` ${address}`);
  if (local) addLocalSide(error, local);
  error.address = address;
  if (port > 0) error.port = port;
  return error;
}

/**
 * Adds the local side to an error, as net.Socket does where connect() itself reports the failure.
 * @param {Error} error
 * @param {string} local Address and port of the local side.
 */
function addLocalSide(error, local) {
  const { message, stack } = error;
  error.message = `${message} - Local (${local})`;
  error.stack = stack.replace(message, () => error.message);
}

/**
 * Makes the error of a connection that a panic in the addon has lost.
 * @param {string} what What has panicked.
 */
function panicError(what) {
  return createError(Error, 'ERR_FERREQUEST_IO_THREAD', `The ${what} of ferrequest has failed`);
}

/**
 * Makes the error of a response that the decoder refuses, from a PARSE_ERROR record.
 * @param {Buffer} slab
 * @param {Int32Array} words The same memory.
 * @param {number} start
 * @param {number} end
 * @param {Buffer} [packet] The refused bytes, if the record does not hold them.
 */
function parseError(slab, words, start, end, packet) {
  const word = start >> 2;
  const code = start + 12;
  const reason = code + words[word];
  const packetStart = reason + words[word + 1];
  const text = slab.latin1Slice(reason, packetStart);
  const error = new Error(`Parse Error: ${text}`);
  error.bytesParsed = words[word + 2];
  error.code = slab.latin1Slice(code, reason);
  error.reason = text;
  error.rawPacket = packet ? copyToOwnMemory(packet, 0, packet.length) : copyToOwnMemory(slab, packetStart, end);
  return error;
}

/**
 * Makes the error of a `TLS_ERROR` record, with the properties that Node's own has.
 * @param {Buffer} slab
 * @param {Int32Array} words The same memory.
 * @param {number} start
 * @param {number} end
 * @returns {Error & { code: string, library: string, reason: string }}
 */
function tlsError(slab, words, start, end) {
  const library = start + 8;
  const reason = library + words[start >> 2];
  const message = reason + words[(start >> 2) + 1];
  const error = new Error(slab.latin1Slice(message, end));
  if (reason > library) error.library = slab.latin1Slice(library, reason);
  error.reason = slab.latin1Slice(reason, message);
  error.code = `ERR_SSL_${error.reason.replaceAll(' ', '_').toUpperCase()}`;
  return error;
}

/**
 * Makes the error of a socket whose connection the I/O thread cannot give away.
 * @param {string} taker Such as `to a TLSSocket`.
 * @returns {Error & { code: string }}
 */
function socketInUse(taker) {
  return createError(
    TypeError,
    'ERR_FERREQUEST_SOCKET_IN_USE',
    `A socket of a request, or of the pool of an agent, cannot be given ${taker}`,
  );
}

module.exports = {
  addLocalSide,
  badPort,
  codeOf,
  connectError,
  connectionReset,
  createError,
  invalidArgType,
  invalidArgValue,
  outOfRange,
  panicError,
  parseError,
  socketInUse,
  systemError,
  tlsError,
};
