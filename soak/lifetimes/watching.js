'use strict';

/** What all ends have in common: some at a time, none that takes for ever, and a look at what is left behind. */

const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

/** Threads or processes that run at a time. */
const AT_A_TIME = 3;

/** Milliseconds that an end may take, and what is left of it, on a busy machine. */
const PATIENCE = 60_000;

/**
 * @typedef {object} Result
 * @property {number} ends how many there were
 * @property {string[]} faults what was not as it must be
 */

/** @returns {{ descriptors: number, threads: number }} what this process holds; zeros where /proc does not say */
function holdings() {
  const count = (folder) => (process.platform === 'linux' ? fs.readdirSync(folder).length : 0);
  return { descriptors: count('/proc/self/fd'), threads: count('/proc/self/task') };
}

/** Waits until a condition holds, and tells a fault if it does not. */
async function expectSoon(faults, condition, what) {
  const deadline = Date.now() + PATIENCE;
  while (!condition()) {
    if (Date.now() > deadline) {
      faults.push(what());
      return;
    }
    await sleep(5);
  }
}

/** Waits until this process holds no more than before, and tells a fault if it does. */
async function expectNoMore(faults, before, names = ['threads', 'descriptors']) {
  for (const name of names) {
    await expectSoon(faults, () => holdings()[name] <= before[name],
      () => `${holdings()[name]} ${name}, ${before[name]} before`);
  }
}

/** Calls a function so many times, some calls at a time. */
async function times(count, call) {
  let next = 0;
  const one = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, count) }, one));
}

/** Waits for a promise, and fails if it takes too long. */
function withPatience(promise, what) {
  return Promise.race([promise, sleep(PATIENCE, undefined, { ref: false }).then(() => { throw new Error(what); })]);
}

module.exports = { AT_A_TIME, PATIENCE, expectNoMore, expectSoon, holdings, times, withPatience };
