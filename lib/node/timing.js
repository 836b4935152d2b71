'use strict';

/**
 * Gives ferrequest its ticks, promise jobs, immediates, timers and its clock, as Node has them. Fake timers of test
 * frameworks replace those of the program, which must go on to get its responses: no other file takes them from
 * globals, `process` or `node:timers` (eslint holds that).
 *
 * They are taken when this is loaded. Where a framework has replaced some before, they come from places that it leaves
 * alone: the main realm, whose `process` is not the one of Jest's sandbox, and the classes that Node makes timers of.
 */

const events = require('node:events');
const timers = require('node:timers');

/** Node's own modules are of the main realm. */
const isMainRealm = events instanceof Function;

const main = isMainRealm ? { process, Promise, Date } :
  require('node:vm').runInThisContext('({ process, Promise, Date })');

/** Runs a callback when the running operation is over, as process.nextTick. */
const { nextTick } = main.process;

const resolved = main.Promise.resolve();
const { then } = main.Promise.prototype;

/**
 * Queues a promise job: it runs when the nextTick queue is empty.
 * @param {() => void} job
 */
function queueJob(job) {
  then.call(resolved, job);
}

/** Node's clock and its method, which frameworks leave alone; loaded with the first question, as it takes long. */
let performance;
let nowOf;

/** @returns {number} Milliseconds of a monotonic clock. */
function now() {
  if (nowOf === undefined) {
    ({ performance } = require('node:perf_hooks'));
    ({ now: nowOf } = Object.getPrototypeOf(performance));
  }
  return nowOf.call(performance);
}

const { now: dateNowOfMain } = main.Date;

/**
 * Gives the milliseconds since the epoch. Where a framework has replaced the date before, they do not follow the clock
 * of the system when it is set.
 */
const dateNow = Function.prototype.toString.call(dateNowOfMain).includes('[native code]') ? dateNowOfMain :
  () => now() + performance.timeOrigin;

/** Reads a date, as `Date.parse()`, which frameworks leave as it is or replace by one that calls it. */
const { parse: parseDate } = main.Date;

/**
 * Tells whether a function is Node's own, by the class that it makes an object of.
 * @param {(...args: unknown[]) => object} make
 * @param {string} name Name of the class.
 */
function makes(make, name) {
  return Function.prototype.toString.call(make).includes(`new ${name}(`);
}

/** Finds Node's classes of timers, which async hooks are told of. */
function findClasses() {
  const { createHook } = require('node:async_hooks');
  const { scheduler } = require('node:timers/promises');
  const classes = {};
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      classes[type] = resource.constructor;
    },
  });
  hook.enable();
  scheduler.yield();
  scheduler.wait(0, { ref: false });
  hook.disable();
  return classes;
}

/**
 * Gives functions that do as setImmediate, setTimeout and clearTimeout, although those are replaced.
 * @returns {Pick<typeof timers, 'setImmediate'|'setTimeout'|'clearTimeout'>}
 */
function makeTimers() {
  const { Immediate, Timeout } = findClasses();
  return {
    setImmediate: (callback, ...args) => new Immediate(callback, args),
    // A timer starts when it is refreshed.
    setTimeout: (callback, delay, ...args) => new Timeout(callback, delay, args, false, true).refresh(),
    clearTimeout: (timer) => timer.close(),
  };
}

const isNodes = makes(timers.setImmediate, 'Immediate') && makes(timers.setTimeout, 'Timeout');
const { clearTimeout, setImmediate, setTimeout } = isNodes ? timers : makeTimers();

module.exports = { clearTimeout, dateNow, nextTick, now, parseDate, queueJob, setImmediate, setTimeout };
