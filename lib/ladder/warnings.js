'use strict';

/** Emits warnings of the loading of ferrequest, each of them once, however many copies of the module are loaded. */

const util = require('node:util');

/**
 * Own property of node:util, which all copies in a thread share also under Jest: the codes of the warnings that have
 * been emitted. A startup snapshot can hold node:util, and cannot hold node:http.
 */
const kWarned = Symbol.for('ferrequest.warned');

/**
 * Emits a warning, unless one of its code has been.
 * @param {string} code
 * @param {string} message
 */
function warnOnce(code, message) {
  const warned = util[kWarned] || new Set();
  if (warned.has(code)) return;
  warned.add(code);
  Object.defineProperty(util, kWarned, { __proto__: null, value: warned, configurable: true });
  process.emitWarning(message, { code });
}

module.exports = { warnOnce };
