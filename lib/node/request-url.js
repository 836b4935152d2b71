'use strict';

/**
 * Names the properties of a request from which its perf_hooks entry gets a URL: those that Node has since version
 * 24.20, or our own.
 */

const nodeInternals = require('./internals');

/** True where Node itself makes the URL from these properties. */
const isMadeByNode = nodeInternals.kAuthority !== undefined && nodeInternals.kProxyRewrittenToAbsolute !== undefined;

module.exports = {
  isMadeByNode,
  /** Own property of a request: host and port of its origin. */
  kAuthority: nodeInternals.kAuthority ?? Symbol('authority'),
  /** Own property of a request: true if `path` is a whole URL, for a proxy. */
  kProxyRewrittenToAbsolute: nodeInternals.kProxyRewrittenToAbsolute ?? Symbol('proxyRewrittenToAbsolute'),
};
