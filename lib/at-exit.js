'use strict';

/**
 * What has to be done when the process ends without another turn of the event loop. All copies of this module (as
 * `jest.resetModules()` makes them) share one listener of 'exit', which is there while there is something to do.
 */

/** Own property of the process: what is to be done, and the listener that does it. */
const kAtExit = Symbol.for('ferrequest.atExit');

/** @returns {{ tasks: Set<() => void>, runAll: () => void }} The same for all copies. */
function shared() {
  if (process[kAtExit] === undefined) {
    const tasks = new Set();
    const runAll = () => tasks.forEach((task) => task());
    Object.defineProperty(process, kAtExit, { value: { tasks, runAll }, configurable: true });
  }
  return process[kAtExit];
}

/** @param {() => void} task */
function add(task) {
  const { tasks, runAll } = shared();
  if (tasks.size === 0) process.on('exit', runAll);
  tasks.add(task);
}

/** @param {() => void} task One that was added. */
function remove(task) {
  const { tasks, runAll } = shared();
  if (tasks.delete(task) && tasks.size === 0) process.removeListener('exit', runAll);
}

module.exports = { add, remove };
