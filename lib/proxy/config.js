'use strict';

/**
 * Reads the proxy of an agent from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, as Node does since version 24, on every
 * version (https://nodejs.org/api/http.html#built-in-proxy-support).
 */

const { isIP, isIPv4 } = require('node:net');
const { isNativeError } = require('node:util/types');

const { createError } = require('../node/errors');
const nodeInternals = require('../node/internals');

/** Own property of an agent for http: its proxy. The name is Node's, so that a request of Node's finds it too. */
const kProxyConfig = nodeInternals.kProxyConfig ?? Symbol('kProxyConfig');

/** Own property of a request: the tunnel that is being made for it. */
const kTunnel = Symbol('tunnel');

/** True where Node has proxies itself. */
const isKnownToNode = nodeInternals.kProxyConfig !== undefined;

/** A proxy, and the hosts that are reached without it. Node's client uses it by the same properties. */
class ProxyConfig {
  /**
   * @param {string} url
   * @param {string|undefined} bypassed Value of NO_PROXY.
   */
  constructor(url, bypassed) {
    if (!URL.canParse(url)) throw invalidConfig(url);
    const { hostname, port, protocol, username, password } = new URL(url);
    /** The URL without credentials, for messages. */
    this.href = redact(url);
    this.protocol = protocol;
    /** @type {string|undefined} Value of `proxy-authorization`, which no inspection of the agent shows. */
    this.auth = undefined;
    Object.defineProperty(this, 'auth', {
      enumerable: false,
      value: username || password ? basicAuthorization(username, password, url) : undefined,
    });
    this.bypassList = bypassed ? bypassed.split(',').map((entry) => entry.trim().toLowerCase()) : [];
    this.proxyConnectionOptions = {
      host: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
      port: Number(port) || (protocol === 'https:' ? 443 : 80),
    };
  }

  /**
   * @param {string} hostname
   * @param {string|number|undefined} port
   * @returns {boolean} True if NO_PROXY has no rule for the host.
   */
  shouldUseProxy(hostname, port) {
    const host = hostname.toLowerCase();
    const authority = port ? `${host}:${port}` : host;
    return !this.bypassList.some((entry) => bypasses(entry, host, authority));
  }
}

/** Renders credentials (RFC 7617, section 2). */
function basicAuthorization(username, password, url) {
  let credentials;
  try {
    credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  } catch {
    throw invalidConfig(url);
  }
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

/** Makes the error of a proxy's URL that is invalid. */
function invalidConfig(url) {
  return createError(Error, 'ERR_PROXY_INVALID_CONFIG', `Invalid proxy URL: ${redact(url)}`);
}

/**
 * Takes the credentials out of a proxy's URL, for messages, which end in logs.
 * @param {string} url A URL, or a text that was to be one.
 * @returns {string}
 */
function redact(url) {
  let text = url;
  if (URL.canParse(url)) {
    const parsed = new URL(url);
    if (parsed.username || parsed.password) {
      parsed.username = '';
      parsed.password = '';
      text = parsed.href;
    }
  }
  // Up to the last @: a password that is not escaped may have others, and delimiters of a path.
  return text.replace(/^((?:[^:/\\@]*:)?[/\\]*)[^]*@/, '$1[redacted]@');
}

/**
 * Takes the credentials of a proxy out of an error that Node has made.
 * @param {unknown} error
 * @param {(string|undefined)[]} urls Proxies that the error may name.
 */
function redactError(error, urls) {
  if (!isNativeError(error)) return;
  for (const url of urls) {
    if (!url || !error.message.includes(url)) continue;
    const { message, stack } = error;
    error.message = message.replaceAll(url, () => redact(url));
    error.stack = stack.replaceAll(url, () => redact(url));
  }
}

/**
 * @param {string} entry An entry of NO_PROXY, in lower case.
 * @param {string} host
 * @param {string} authority The host with its port.
 * @returns {boolean} True if the entry names the host.
 */
function bypasses(entry, host, authority) {
  if (entry === '*' || entry === host || entry === authority) return true;
  // A leading dot is for the domain and what is below it, as for curl; a star is for what is below it.
  if (entry.startsWith('.')) return host === entry.slice(1) || host.endsWith(entry);
  if (entry.startsWith('*.')) return host.endsWith(entry.slice(1));
  return entry.includes('-') && isIPv4(host) && isInRange(host, entry);
}

/**
 * @param {string} host An IPv4 address.
 * @param {string} range Two addresses, such as 192.168.1.0-192.168.1.255.
 * @returns {boolean} True if the address is one of them or between them.
 */
function isInRange(host, range) {
  const [first, last] = range.split('-', 2).map((address) => address.trim());
  if (!isIPv4(first) || !isIPv4(last)) return false;
  const number = numberOf(host);
  return number >= numberOf(first) && number <= numberOf(last);
}

/** @returns {number} An IPv4 address as a number. */
function numberOf(address) {
  return address.split('.').reduce((number, octet) => number * 256 + Number(octet), 0);
}

/**
 * Finds the proxy that the environment names; lower case comes first.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} protocol Protocol of the requests.
 * @returns {string|undefined}
 */
function proxyUrlOf(env, protocol) {
  if (protocol !== 'http:' && protocol !== 'https:') return undefined;
  return protocol === 'https:' ? env.https_proxy || env.HTTPS_PROXY : env.http_proxy || env.HTTP_PROXY;
}

/**
 * Reads a proxy from the environment.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} protocol Protocol of the requests.
 * @returns {ProxyConfig|undefined} Undefined also for a proxy that does not speak HTTP.
 */
function readConfig(env, protocol) {
  const url = proxyUrlOf(env, protocol);
  if (!url) return undefined;
  // The parser of URLs would take them out, and go on with a URL that the user has not written.
  if (/[\r\n]/.test(url)) throw invalidConfig(url);
  if (!url.startsWith('http://') && !url.startsWith('https://')) return undefined;
  return new ProxyConfig(url, env.no_proxy || env.NO_PROXY);
}

/**
 * @param {ProxyConfig} config
 * @param {object} options Options of a connection.
 * @returns {boolean} True if it goes to the proxy.
 */
function usesProxy(config, options) {
  // No proxy gets to a Unix domain socket.
  return !options.socketPath && config.shouldUseProxy(options.host || 'localhost', options.port);
}

/**
 * @param {ProxyConfig} config
 * @param {object} options Options of a connection to a server.
 * @returns {object} Options of the connection to the proxy instead.
 */
function connectionOptionsOf(config, { keepAlive, keepAliveInitialDelay, noDelay, timeout }) {
  const { host, port } = config.proxyConnectionOptions;
  const options = { __proto__: null, host, port, keepAlive, keepAliveInitialDelay, noDelay, timeout };
  // RFC 6066, section 3: an address is no server name.
  if (config.protocol === 'https:' && !isIP(host)) options.servername = host;
  return options;
}

module.exports = {
  connectionOptionsOf,
  isKnownToNode,
  kProxyConfig,
  kTunnel,
  proxyUrlOf,
  readConfig,
  redactError,
  usesProxy,
};
