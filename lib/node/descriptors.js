'use strict';

/** Property descriptors of a module's exports. */

/** @returns {PropertyDescriptor} */
function method(value) {
  return { __proto__: null, value, configurable: true, enumerable: true, writable: true };
}

/** @returns {PropertyDescriptor} */
function accessor(get, set) {
  return { __proto__: null, get, set, configurable: true, enumerable: true };
}

module.exports = { accessor, method };
