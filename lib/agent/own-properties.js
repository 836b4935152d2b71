'use strict';

/** Names the own properties of an agent that one of our constructors has made, and has their defaults. */

module.exports = {
  /** Milliseconds before the announced time at which a connection counts as closed, unless an option says so. */
  TIMEOUT_BUFFER: 1000,
  /** Own property of an agent: milliseconds for which a socket may be idle. Only where an option says so. */
  kIdleLimit: Symbol('idleLimit'),
  /** Own property of an agent: what `install` in installation.js has been told. */
  kPool: Symbol('pool'),
};
