'use strict';

/** Reads the options that Node was started with. A program may change them later, for the processes that it starts. */

const { NODE_OPTIONS = '' } = process.env;
const execArgv = [...process.execArgv];

/**
 * Lists the options of NODE_OPTIONS and of the command line, in the order in which Node reads them.
 * @returns {string[]}
 */
function listOptions() {
  return [...NODE_OPTIONS.split(/\s+/), ...execArgv];
}

/**
 * Tells whether Node was started with an option that is on or off. Options on the command line come after those of
 * NODE_OPTIONS; the last one counts, and underscores are as good as dashes.
 * @param {string} name
 * @returns {boolean}
 */
function isOptionSet(name) {
  const options = listOptions().map((option) => option.replaceAll('_', '-'));
  return options.lastIndexOf(`--${name}`) > options.lastIndexOf(`--no-${name}`);
}

module.exports = { isOptionSet, listOptions };
