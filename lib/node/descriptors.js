'use strict';

/** Makes property descriptors of a module's exports. */

/**
 * @param {unknown} value
 * @returns {PropertyDescriptor} The export is this value, and can be set.
 */
function method(value) {
  return { __proto__: null, value, configurable: true, enumerable: true, writable: true };
}

/**
 * @param {() => unknown} get
 * @param {(value: unknown) => void} set
 * @returns {PropertyDescriptor}
 */
function accessor(get, set) {
  return { __proto__: null, get, set, configurable: true, enumerable: true };
}

module.exports = { accessor, method };
