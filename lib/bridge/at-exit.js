'use strict';

/**
 * Tasks for the end of a process that ends without another turn of the event loop. All copies of this module (as
 * `jest.resetModules()` makes them) share one listener of 'exit', which is there while there is a task.
 */

/** Own property of the process: the tasks, and the listener that runs them. */
const kAtExit = Symbol.for('ferrequest.atExit');

/**
 * Returns what all copies of this module share.
 * @returns {{ tasks: Set<() => void>, runAll: () => void, stay: (name: string) => void }}
 */
function shared() {
  if (process[kAtExit] === undefined) {
    const tasks = new Set();
    const runAll = () => runFrom([...tasks], 0);
    // `process.removeAllListeners('exit')` is meant for the listeners that its caller knows of.
    const stay = (name) => {
      if (name === 'exit' && tasks.size > 0) listen(runAll);
    };
    Object.defineProperty(process, kAtExit, { value: { tasks, runAll, stay }, configurable: true });
  }
  return process[kAtExit];
}

/**
 * Runs tasks, also those behind one that throws: there is no later turn for them.
 * @param {(() => void)[]} tasks
 * @param {number} next Index of the first one.
 */
function runFrom(tasks, next) {
  try {
    while (next < tasks.length) tasks[next++]();
  } finally {
    if (next < tasks.length) runFrom(tasks, next);
  }
}

/**
 * Makes the process call a listener at its end, once.
 * @param {() => void} runAll
 */
function listen(runAll) {
  if (process.listenerCount('exit', runAll) === 0) process.on('exit', runAll);
}

/**
 * Adds a task.
 * @param {() => void} task
 */
function add(task) {
  const { tasks, runAll, stay } = shared();
  if (tasks.size === 0) {
    listen(runAll);
    process.on('removeListener', stay);
  }
  tasks.add(task);
}

/**
 * Removes a task.
 * @param {() => void} task
 */
function remove(task) {
  const { tasks, runAll, stay } = shared();
  if (tasks.delete(task) && tasks.size === 0) {
    process.removeListener('removeListener', stay);
    // More than once where the user has put back what process.listeners() had given.
    while (process.listenerCount('exit', runAll) > 0) process.removeListener('exit', runAll);
  }
}

module.exports = { add, remove };
