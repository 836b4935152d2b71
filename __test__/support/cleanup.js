'use strict';

// The timeout is above the waits of wait.js, so that a test that waits in vain says for what.
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
