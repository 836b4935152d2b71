'use strict';

/** Names the own properties by which an agent of ours tells requests and sockets what it does with them. */

const { socketProperty } = require('../node/socket-properties');

module.exports = {
  /** Own property of an agent: streams that come back to it keep their listeners. */
  kKeepsListeners: Symbol('keepsListeners'),
  /** Own property of an agent: a method that hears of each socket which a request is given. */
  kMeets: Symbol('meets'),
  /**
   * Own property of a socket: what counts it for its agent, until it has closed. It adds no listeners of its own.
   * @type {symbol}
   */
  kCounted: socketProperty('counted'),
};
