'use strict';

/**
 * Holds the agent of requests that name none. In a module of its own, because requests read it, users set it, and its
 * class needs the sockets that requests are made on.
 */

/** @type {import('../agent/agent').Agent} */
let agent;

module.exports = {
  /** @returns {import('../agent/agent').Agent} */
  get() {
    return agent;
  },
  /** @param {import('../agent/agent').Agent} value */
  set(value) {
    agent = value;
  },
};
