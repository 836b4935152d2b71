'use strict';

/** Names the own properties by which an agent of ours tells requests and sockets what it does with them. */

module.exports = {
  /** Own property of an agent: streams that come back to it keep their listeners. */
  kKeepsListeners: Symbol('keepsListeners'),
  /** Own property of an agent: a method that hears of each socket which a request is given. */
  kMeets: Symbol('meets'),
};
