'use strict';

/**
 * Known routes are the addresses to which the kernel has known a way when it was asked last. The kernel is asked once
 * for each: the question takes 7 µs, over 3 % of the CPU time of a new connection. It is asked again where connecting
 * has failed.
 */

const { bridge } = require('../bridge/bridge');

/** Number of addresses that are remembered; at one more, all are forgotten. */
const LARGEST = 1024;

/** @type {Set<string>} */
const known = new Set();

/**
 * Begins to connect to an address that the kernel might refuse before it sends anything.
 * @param {string} address A numeric one.
 * @param {number} port
 * @returns {number|null} A descriptor that connects, a negative error number, or null where the I/O thread may connect.
 */
function connectIfUnknown(address, port) {
  if (isLoopback(address) || known.has(address)) return null;
  const descriptor = bridge.connectIfDoubtful(address, port);
  if (descriptor === null) {
    if (known.size === LARGEST) known.clear();
    known.add(address);
  }
  return descriptor;
}

/**
 * Forgets an address to which connecting has failed.
 * @param {string|undefined} address Undefined for a Unix domain socket.
 */
function forget(address) {
  known.delete(address);
}

/**
 * Tells whether an address surely is of this machine. Others may be too.
 * @param {string} address A numeric one.
 * @returns {boolean}
 */
function isLoopback(address) {
  return address.startsWith('127.') || address.startsWith('::') || address === '0.0.0.0';
}

module.exports = { connectIfUnknown, forget };
