'use strict';

/**
 * Writes a request for http to a proxy: its target in absolute-form, with fields for the proxy (RFC 9112, section
 * 3.2.2). Requests for https go through a tunnel instead (proxy-tunnel.js).
 */

const { invalidArgValue } = require('../node/errors');
const { kProxyRewrittenToAbsolute } = require('../node/request-url');
const { kProxyConfig, usesProxy } = require('./config');
const { validatePort } = require('../node/validators');

/**
 * @param {import('node:http').Agent} agent An agent with a proxy.
 * @param {object} options Options of the request's connection.
 * @returns {boolean} True if the request goes to the proxy.
 */
function isProxied(agent, options) {
  if ((options.protocol || agent.protocol) !== 'http:') return false;
  // As for the connection, options of the agent take precedence.
  return usesProxy(agent[kProxyConfig], { __proto__: null, ...options, ...agent.options });
}

/**
 * Makes a request one to the agent's proxy. A request that is refused is not changed.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {{ host: string, port: string|number }} origin
 * @param {unknown} [host] `Host` as the user has set it.
 * @param {unknown[]} [list] Header fields, if the user has given them as a list.
 * @returns {unknown[]|undefined} The list to send.
 */
function rewrite(req, origin, host, list) {
  const { auth } = req.agent[kProxyConfig];
  const fields = [['proxy-connection', req.shouldKeepAlive ? 'keep-alive' : 'close']];
  if (auth) fields.unshift(['proxy-authorization', auth]);

  // RFC 9112, section 3.2.2: these two have a form of their own.
  const hasOwnForm = req.method === 'CONNECT' || (req.method === 'OPTIONS' && req.path === '*');
  const base = hasOwnForm ? undefined : baseOf(origin);
  if (base) {
    if (list) checkHostOfList(list, base);
    else if (host !== undefined) checkHost(host, base);
    const target = targetOf(String(req.path), base);
    if (!list && (req.getHeader('host') ?? base.host) !== base.host) req.setHeader('Host', base.host);
    req.path = target.href;
    req[kProxyRewrittenToAbsolute] = true;
  }
  if (list) return addToList(list, fields);
  for (const [name, value] of fields) req.setHeader(name, value);
  return undefined;
}

/** @returns {URL} The root of an origin. */
function baseOf({ host, port }) {
  validatePort(port, 'options.port');
  const isIPv6 = host.indexOf(':') !== host.lastIndexOf(':') && !host.startsWith('[');
  const base = new URL(`http://${isIPv6 ? `[${host}]` : host}`);
  // Other parts of a URL would make the proxy ask another host than NO_PROXY was asked about.
  if (base.username || base.password || base.port || !isRoot(base)) {
    throw invalidArgValue('options.host', host, 'must be a host name or an address');
  }
  base.port = port;
  return base;
}

/** Throws unless `Host` is that of the target (RFC 9112, section 3.2). */
function checkHost(host, base) {
  let url;
  try {
    url = new URL(`http://${host}`);
  } catch {
    // Not a host at all.
  }
  if (!url || url.username || url.password || !isRoot(url) || url.host !== base.host) throw otherHost(host, base);
}

/** Tells whether a URL has nothing behind its authority. */
function isRoot({ pathname, search, hash }) {
  return pathname === '/' && search === '' && hash === '';
}

/** Throws unless `Host` in a list is that of the target to the letter, because a list is sent as it is. */
function checkHostOfList(list, base) {
  const hosts = pairsOf(list).filter(([name]) => String(name).toLowerCase() === 'host');
  if (hosts.length > 1) {
    throw invalidArgValue('options.headers', '(redacted)', 'must not contain duplicate Host headers');
  }
  if (hosts.length === 1 && String(hosts[0][1]) !== base.host) throw otherHost(String(hosts[0][1]), base);
}

/** Makes the error of a `Host` that is not that of the target. */
function otherHost(host, base) {
  return invalidArgValue('Host in options.headers', host, `must match the request authority (${base.host})`);
}

/**
 * Brings both forms of a list into one.
 * @param {unknown[]} list `[name, value, name, value]`, or `[[name, value], [name, value]]`.
 * @returns {[unknown, unknown][]}
 */
function pairsOf(list) {
  if (!Array.isArray(list[0])) {
    return Array.from({ length: list.length >> 1 }, (_, index) => [list[2 * index], list[2 * index + 1]]);
  }
  list.forEach((pair, index) => {
    if (Array.isArray(pair)) return;
    throw invalidArgValue(`options.headers[${index}]`, typeof pair,
      'must be an array when headers is passed as an array of pairs');
  });
  return list;
}

/** Adds the fields for the proxy that a list lacks. Node sends it without them, and the proxy answers 407. */
function addToList(list, fields) {
  const names = new Set(pairsOf(list).map(([name]) => String(name).toLowerCase()));
  const missing = fields.filter(([name]) => !names.has(name));
  return [...list, ...(Array.isArray(list[0]) ? missing : missing.flat())];
}

/**
 * Makes the request target in absolute-form.
 * @param {string} path Path of the request, or a whole URL of the same origin.
 * @param {URL} base
 * @returns {URL}
 */
function targetOf(path, base) {
  let target;
  try {
    target = new URL(path);
  } catch {
    if (path.startsWith('/')) return new URL(base.origin + path);
    throw invalidArgValue('options.path', path, 'must be in absolute-form or start with /');
  }
  if (target.username || target.password) {
    target.username = '';
    target.password = '';
    throw invalidArgValue('options.path', target.href, 'must not contain userinfo, use options.auth instead');
  }
  if (target.protocol !== 'http:') {
    throw invalidArgValue('options.path', target.protocol, 'must use http: scheme when specified as an absolute URL');
  }
  if (target.host !== base.host) {
    throw invalidArgValue('options.path', target, `must match the request authority (${base.host})`);
  }
  return target;
}

module.exports = { isProxied, rewrite };
