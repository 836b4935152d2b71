'use strict';

/** Conditions decide which tests run: module under test, Node version, system. */

const http = require('./http');

const isOracle = process.env.ORACLE === 'node';
/** True while the I/O thread has the connections of the module under test, which stats() says. */
const isNative = !isOracle && http.stats().mode === 'native';
const [major, minor] = process.versions.node.split('.').map(Number);

/**
 * @param {number} wantedMajor
 * @param {number} [wantedMinor]
 * @returns {boolean} true when the running Node is that version or a newer one
 */
function nodeIsAtLeast(wantedMajor, wantedMinor = 0) {
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** Minor releases by major from which a Node has what docs/compat.md says of its major. */
const DOCUMENTED = { 20: 20, 22: 23, 24: 22, 26: 12 };

module.exports = {
  /** A test of what the documentation says of the last releases of a major. */
  itOfLastReleases: minor >= (DOCUMENTED[major] ?? 0) ? it : it.skip,
  isNative,
  isOracle,
  nodeIsAtLeast,
  nodeMajor: major,
  /** A test of what node:http does not have or does wrong. */
  itOurs: isOracle ? it.skip : it,
  /** A test of connections of the I/O thread. */
  itNative: isNative ? it : it.skip,
  describeNative: isNative ? describe : describe.skip,
  /**
   * A test of what some Node versions get wrong and ferrequest right.
   * @param {boolean} hasFault whether the running Node is one of them
   */
  itMends: (hasFault) => (isOracle && hasFault ? it.skip : it),
  /**
   * A test of what the sockets of some Node versions get wrong, and those of the I/O thread right.
   * @param {boolean} hasFault whether the running Node is one of them
   */
  itMendsSockets: (hasFault) => (!isNative && hasFault ? it.skip : it),
  describeOurs: isOracle ? describe.skip : describe,
  /** A test that reads the kernel's own tables. */
  itLinux: process.platform === 'linux' ? it : it.skip,
  describeLinux: process.platform === 'linux' ? describe : describe.skip,
};
