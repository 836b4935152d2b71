'use strict';

/**
 * Checks the options of an agent that Node's agents have not. One of another type is meant for somebody else, as
 * `freeSocketTimeout: '30s'` is for agentkeepalive: Node's agents take no notice of any.
 */

const { late } = require('../node/late');
const { validateNotNegative } = require('../node/validators');

/** Loaded for the first agent with the option `retry`. */
const retryPolicy = late(() => require('../retry/policy'));

/**
 * @param {object} options
 * @param {string} name
 * @returns {number} Milliseconds; Infinity if there is no limit.
 */
function durationOf(options, name) {
  const { [name]: value } = options;
  if (typeof value !== 'number') return Infinity;
  validateNotNegative(value, `options.${name}`, 'a non-negative number');
  // As in agentkeepalive, where 0 stands for none too.
  return value === 0 ? Infinity : value;
}

/**
 * @param {object} options Of an agent.
 * @returns {{ activeTtl: number, freeTimeout: number, isFair: boolean }}
 */
function poolOptionsOf(options) {
  // Throws on a wrong one.
  if (options.retry !== undefined) retryPolicy().createPolicy(options.retry);
  return {
    activeTtl: durationOf(options, 'socketActiveTTL'),
    freeTimeout: durationOf(options, 'freeSocketTimeout'),
    isFair: options.fairQueue === true,
  };
}

module.exports = { poolOptionsOf };
