'use strict';

// Above the waits of wait.js, so that what a test waited for in vain is told, and not just that it took too long.
jest.setTimeout(15000);

const tasks = [];

/**
 * Runs a task after the test in which it was registered; the last registered runs first.
 * @param {() => unknown} task
 */
function cleanUp(task) {
  tasks.push(task);
}

afterEach(async () => {
  while (tasks.length > 0) await tasks.pop()();
});

module.exports = { cleanUp };
