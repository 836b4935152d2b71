'use strict';

const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

/**
 * Waits until a condition holds, looking again after each turn of the event loop, then each millisecond.
 * @template T
 * @param {() => T | Promise<T>} condition
 * @param {string | (() => string)} [what] said in the error when it never holds
 * @param {number} [timeout] milliseconds
 * @returns {Promise<T>} what the condition gave
 */
async function until(condition, what = condition.toString(), timeout = 30_000) {
  const deadline = Date.now() + timeout;
  for (let turn = 0; ; turn++) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) {
      throw new Error(`waited ${timeout} ms in vain for: ${typeof what === 'function' ? what() : what}`);
    }
    if (turn < 50) await turnOfEventLoop();
    else await sleep(1);
  }
}

/** @returns {Promise<void>} resolved after one turn of the event loop, I/O phase included */
function turnOfEventLoop() {
  return new Promise((resolve) => { setImmediate(resolve); });
}

/**
 * Lets a number of turns of the event loop pass: for "and then nothing more happens".
 * Between turns a millisecond passes, so that a thread or a peer has its chance to be heard.
 * @param {number} [turns]
 */
async function quiet(turns = 20) {
  for (let i = 0; i < turns; i++) {
    await turnOfEventLoop();
    await sleep(1);
  }
}

/** Waits in place, so that this thread does nothing else, until no other thread of the process works. Linux only. */
function untilThreadsRest() {
  const deadline = performance.now() + 5000;
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  let before;
  do {
    if (performance.now() > deadline) throw new Error('the threads never rest');
    before = timesOfOtherThreads();
    Atomics.wait(nothing, 0, 0, 20);
  } while (timesOfOtherThreads() !== before);
}

/** @returns {string} the CPU time of each other thread of the process */
function timesOfOtherThreads() {
  return fs.readdirSync('/proc/self/task').filter((thread) => thread !== String(process.pid))
    .map((thread) => fs.readFileSync(`/proc/self/task/${thread}/schedstat`, 'latin1').split(' ')[0]).join();
}

module.exports = { until, untilThreadsRest, quiet, turnOfEventLoop };
