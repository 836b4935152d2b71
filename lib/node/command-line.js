'use strict';

/** Reads the options that Node was started with. */

/**
 * Tells whether Node was started with an option that is on or off. Options on the command line come after those of
 * NODE_OPTIONS; the last one counts, and underscores are as good as dashes.
 * @param {string} name
 * @returns {boolean}
 */
function isOptionSet(name) {
  const options = [...(process.env.NODE_OPTIONS ?? '').split(/\s+/), ...process.execArgv]
    .map((option) => option.replaceAll('_', '-'));
  return options.lastIndexOf(`--${name}`) > options.lastIndexOf(`--no-${name}`);
}

module.exports = { isOptionSet };
