'use strict';

/** Checks the arguments and options of a request, and derives its properties from them. */

const { urlToHttpOptions } = require('node:url');

const { assign, bareObject } = require('../node/bare-options');
const { takesTargetFromUrl } = require('../node/behaviour');
const { createError, invalidArgType, invalidArgValue } = require('../node/errors');
const { timerDuration, validateHost, validateMethod, validateOneOf, validatePath, validateSize, validateType } =
  require('../node/validators');

/** Methods whose requests have no body unless they say so (RFC 9110, section 9.3). */
const WITHOUT_BODY = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);

/**
 * Sorts out `(url[, options][, callback])` and `(options[, callback])`.
 * @param {string|URL|object} input
 * @param {object|Function} [options]
 * @param {Function} [callback]
 * @returns {{ options: object, callback: Function|undefined, hasPathOfUrl: boolean, method: string,
 *   protocol: string, defaultPort: number|undefined }} `options` is a copy of their own properties, which inherits
 *   none. `hasPathOfUrl` is true if `path` in it is that of a URL. The caller finds out the last three.
 */
function normalizeArguments(input, options, callback) {
  let fromUrl;
  if (typeof input === 'string') {
    fromUrl = urlToHttpOptions(new URL(input));
  } else if (isUrl(input)) {
    fromUrl = urlToHttpOptions(input);
  } else {
    callback = options;
    options = input;
  }
  if (typeof options === 'function') {
    callback = options;
    options = undefined;
  }
  const hasPathOfUrl = fromUrl !== undefined && !(options && Object.hasOwn(options, 'path'));
  const copy = bareObject();
  if (fromUrl) assign(copy, fromUrl);
  Object.assign(copy, options);
  return { options: copy, callback, hasPathOfUrl, method: '', protocol: '', defaultPort: undefined };
}

/** Tells a URL from an options object as Node does, so that URLs of other realms and polyfills count. */
function isUrl(value) {
  return Boolean(value?.href && value.protocol && value.auth === undefined && value.path === undefined);
}

/**
 * Finds the agent that a request asks for.
 * @param {object} options
 * @param {import('node:http').Agent} defaultAgent
 * @returns {import('node:http').Agent|undefined} Undefined where the request makes its own connection.
 */
function chooseAgent(options, defaultAgent) {
  const { agent } = options;
  if (agent === false) return new defaultAgent.constructor();
  if (agent === null || agent === undefined) {
    return typeof options.createConnection === 'function' ? undefined : defaultAgent;
  }
  if (typeof agent.addRequest !== 'function') {
    throw invalidArgType('options.agent', 'one of Agent-like Object, undefined, or false', agent);
  }
  return agent;
}

/**
 * Checks that a request's protocol is the agent's, and that its path is valid.
 * @param {object} options
 * @param {import('node:http').Agent|undefined} agent
 * @param {import('node:http').Agent} defaultAgent
 * @returns {string} The protocol.
 */
function checkProtocol(options, agent, defaultAgent) {
  const protocol = options.protocol || defaultAgent.protocol;
  const expected = agent?.protocol || defaultAgent.protocol;
  // The text that was checked: an object might give another one the next time.
  if (options.path) options.path = validatePath(options.path);
  if (protocol !== expected) {
    throw createError(TypeError, 'ERR_INVALID_PROTOCOL',
      `Protocol "${protocol}" not supported. Expected "${expected}"`);
  }
  return protocol;
}

/**
 * Sets the properties of a request that its options decide; throws on invalid ones.
 * @param {import('./client-request').ClientRequest} req
 * @param {object} options
 */
function applyOptions(req, options) {
  // All that setDefaultHeaders: false leaves out but `Host`, which the caller deals with.
  const bare = options.setDefaultHeaders === false;
  req._removedConnection = bare;
  req._removedContLen = bare;
  req._removedTE = bare;
  req.socketPath = options.socketPath;
  if (options.timeout !== undefined) req.timeout = timerDuration(options.timeout, 'timeout');
}

/**
 * Checks the options that Node looks at after the signal; throws on invalid ones.
 * @param {object} options
 * @returns {string} The method.
 */
function checkParserOptions(options) {
  const method = validateMethod(options.method);
  const { maxHeaderSize, insecureHTTPParser, httpValidation, joinDuplicateHeaders } = options;
  if (maxHeaderSize !== undefined) validateSize(maxHeaderSize, 'maxHeaderSize');
  if (insecureHTTPParser !== undefined) validateType(insecureHTTPParser, 'options.insecureHTTPParser', 'boolean');
  if (httpValidation !== undefined) {
    validateOneOf(httpValidation, 'options.httpValidation', ['strict', 'relaxed', 'insecure']);
    if (insecureHTTPParser !== undefined) {
      throw invalidArgValue('options.httpValidation', httpValidation,
        'cannot be used together with options.insecureHTTPParser');
    }
  }
  if (joinDuplicateHeaders !== undefined) validateType(joinDuplicateHeaders, 'options.joinDuplicateHeaders', 'boolean');
  return method;
}

/** Tells whether requests with this method have a body that may be sent in chunks, unless they say something else. */
function isBodyUsual(method) {
  return !WITHOUT_BODY.has(method);
}

/**
 * Finds the target of a request (RFC 9112, section 3.2). Where Node does so, that of CONNECT loses the slash of a URL.
 * @param {object} options
 * @param {string} method
 * @param {boolean} hasPathOfUrl
 * @returns {string}
 */
function targetOf({ path }, method, hasPathOfUrl) {
  if (!path) return '/';
  const hasSlash = method === 'CONNECT' && hasPathOfUrl && path[0] === '/' && takesTargetFromUrl();
  return hasSlash ? path.slice(1) || '/' : path;
}

/**
 * @param {object} options
 * @returns {string} The host to connect to.
 */
function hostOf(options) {
  return validateHost(options.hostname, 'hostname') || validateHost(options.host, 'host') || 'localhost';
}

/** The last authority, and what it was made of: most requests of a process go to the same few. */
let last = { host: '', port: undefined, defaultPort: undefined, authority: '' };

/**
 * Gives the authority that a `Host` field has (RFC 9112, section 3.2), for requests to the same origin the same string.
 * @param {string} host
 * @param {string|number} port
 * @param {number|undefined} defaultPort
 * @returns {string}
 */
function authorityOf(host, port, defaultPort) {
  // An object may have another text each time.
  if (host !== last.host || port !== last.port || defaultPort !== last.defaultPort || typeof port === 'object') {
    last = { host, port, defaultPort, authority: makeAuthority(host, port, defaultPort) };
  }
  return last.authority;
}

/** Makes an authority: an IPv6 address in brackets, no default port. */
function makeAuthority(host, port, defaultPort) {
  const colon = host.indexOf(':');
  const isIPv6 = colon !== -1 && host.includes(':', colon + 1) && host[0] !== '[';
  const name = isIPv6 ? `[${host}]` : host;
  return port && Number(port) !== defaultPort ? `${name}:${port}` : name;
}

/**
 * @param {unknown} headers Option of the request.
 * @returns {Set<string>|null} Names, in lower case, of fields that must not be repeated.
 * @throws {TypeError} If one of them is no string; its message has the names that are here, as in Node.
 */
function uniqueHeadersOf(headers) {
  if (!Array.isArray(headers)) return null;
  const unique = new Set();
  for (let i = 0; i < headers.length; i++) unique.add(headers[i].toLowerCase());
  return unique;
}

module.exports = {
  applyOptions,
  authorityOf,
  checkParserOptions,
  checkProtocol,
  chooseAgent,
  hostOf,
  isBodyUsual,
  isUrl,
  normalizeArguments,
  targetOf,
  uniqueHeadersOf,
};
