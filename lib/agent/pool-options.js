'use strict';

/** Checks the options of an agent that Node's agents have not. */

const { createPolicy } = require('../retry/policy');
const { validateNotNegative, validateType } = require('../node/validators');

/**
 * @param {object} options
 * @param {string} name
 * @returns {number} Milliseconds; Infinity if there is no limit.
 */
function durationOf(options, name) {
  const { [name]: value } = options;
  if (value === undefined || value === null) return Infinity;
  validateNotNegative(value, `options.${name}`, 'a non-negative number');
  // As in agentkeepalive, where 0 stands for none too.
  return value === 0 ? Infinity : value;
}

/**
 * @param {object} options Of an agent.
 * @returns {{ activeTtl: number, freeTimeout: number, isFair: boolean }}
 */
function poolOptionsOf(options) {
  if (options.fairQueue !== undefined) validateType(options.fairQueue, 'options.fairQueue', 'boolean');
  // Throws on a wrong one.
  createPolicy(options.retry);
  return {
    activeTtl: durationOf(options, 'socketActiveTTL'),
    freeTimeout: durationOf(options, 'freeSocketTimeout'),
    isFair: options.fairQueue === true,
  };
}

module.exports = { poolOptionsOf };
