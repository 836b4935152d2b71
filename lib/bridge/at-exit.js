'use strict';

/**
 * What has to be done when the process ends without another turn of the event loop. All copies of this module (as
 * `jest.resetModules()` makes them) share one listener of 'exit', which is there while there is something to do.
 */

/** Own property of the process: what is to be done, and the listener that does it. */
const kAtExit = Symbol.for('ferrequest.atExit');

/** @returns {{ tasks: Set<() => void>, runAll: () => void, stay: (name: string) => void }} The same for all copies. */
function shared() {
  if (process[kAtExit] === undefined) {
    const tasks = new Set();
    const runAll = () => tasks.forEach((task) => task());
    // `process.removeAllListeners('exit')` is meant for the listeners that its caller knows of.
    const stay = (name) => {
      if (name === 'exit' && tasks.size > 0) listen(runAll);
    };
    Object.defineProperty(process, kAtExit, { value: { tasks, runAll, stay }, configurable: true });
  }
  return process[kAtExit];
}

function listen(runAll) {
  if (process.listenerCount('exit', runAll) === 0) process.on('exit', runAll);
}

/** @param {() => void} task */
function add(task) {
  const { tasks, runAll, stay } = shared();
  if (tasks.size === 0) {
    listen(runAll);
    process.on('removeListener', stay);
  }
  tasks.add(task);
}

/** @param {() => void} task One that was added. */
function remove(task) {
  const { tasks, runAll, stay } = shared();
  if (tasks.delete(task) && tasks.size === 0) {
    process.removeListener('removeListener', stay);
    // More than once where somebody has put back what process.listeners() had given.
    while (process.listenerCount('exit', runAll) > 0) process.removeListener('exit', runAll);
  }
}

module.exports = { add, remove };
