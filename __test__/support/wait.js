'use strict';

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

module.exports = { until, quiet, turnOfEventLoop };
