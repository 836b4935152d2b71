'use strict';

/**
 * Finds out which module of Node is asking. Some of Node's own modules take the handle of a socket for native code,
 * and ask the socket, or the handle, for something else just before.
 */

/**
 * Tells whether the function that calls this one has been called by a module of Node. Looks at the stack, so it is for
 * what is hardly ever asked.
 * @param {string[]} modules Names of modules, such as `node:internal/child_process`.
 * @returns {boolean} False where the stack cannot be read.
 */
function isCalledBy(modules) {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder = {};
  try {
    Error.stackTraceLimit = 2;
    Error.prepareStackTrace = (error, frames) => frames;
    Error.captureStackTrace(holder, isCalledBy);
    return modules.includes(holder.stack[1]?.getFileName());
  } catch {
    // With --frozen-intrinsics.
    return false;
  } finally {
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
    Reflect.set(Error, 'prepareStackTrace', prepareStackTrace);
  }
}

module.exports = { isCalledBy };
