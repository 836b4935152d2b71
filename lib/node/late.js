'use strict';

/**
 * Loads modules when they are first needed, with the first request mostly. Only the bundle waits so long: a test
 * framework that loads modules anew (Jest) gives whoever asks later the modules of another copy.
 */

const isBundled = require('./is-bundled');

/** Functions that load what is not loaded yet. @type {Array<() => unknown>} */
const pending = [];

/**
 * Makes a function that loads a module when it is first called.
 * @template T
 * @param {() => T} load Loads the module, by a `require` with a literal.
 * @returns {() => T}
 */
function late(load) {
  let loaded;
  const get = () => {
    loaded ??= load();
    return loaded;
  };
  pending.push(get);
  return get;
}

/** Loads all that waits to be needed, except in the bundle. */
function loadUnlessBundled() {
  if (isBundled) return;
  // A module that is loaded may wait for others.
  while (pending.length > 0) pending.shift()();
}

module.exports = { late, loadUnlessBundled };
