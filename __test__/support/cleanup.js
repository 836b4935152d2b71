'use strict';

// The timeout is above those of wait.js and child.js, so that a test that waits in vain says for what. All are far
// above what a test takes on a machine that is busy with ten other things.
jest.setTimeout(60_000);

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
