'use strict';

/** Ticks, promise jobs, immediates, timers and the clock: Node's, also where all of them were replaced before. */

const timing = require('../../lib/node/timing');
const { describeOurs, runNode } = require('../support');

/** Replaces all that can be replaced, before the module is loaded. */
function replaceAll() {
  const broken = () => { throw new Error('replaced'); };
  const kinds = ['Immediate', 'Interval', 'Timeout'];
  for (const owner of [globalThis, require('node:timers'), require('node:timers/promises')]) {
    for (const name of kinds.flatMap((kind) => [`set${kind}`, `clear${kind}`])) {
      if (name in owner) owner[name] = broken;
    }
  }
  Object.defineProperty(require('node:perf_hooks').performance, 'now', { value: broken });
  globalThis.performance = globalThis.queueMicrotask = broken;
  Date.now = broken;
}

/** Uses each function of lib/node/timing.js. */
function useAll() {
  const { clearTimeout, dateNow, nextTick, now, queueJob, setImmediate, setTimeout } = require('./lib/node/timing');
  const order = [];
  const began = now();
  clearTimeout(setTimeout(() => order.push('cleared'), 1));
  setTimeout((a, b) => {
    order.push(`timeout ${a} ${b}`);
    const isToday = Math.abs(dateNow() - new Date().getTime()) < 1000;
    console.log(order.join(), now() - began >= 19, isToday);
  }, 20, 1, 2);
  setImmediate((a, b) => order.push(`immediate ${a} ${b}`), 1, 2);
  queueJob(() => order.push('job'));
  nextTick((a, b) => order.push(`tick ${a} ${b}`), 1, 2);
}

describeOurs('lib/node/timing.js', () => {
  it.each([
    ['loaded first', '() => {}'],
    ['loaded when everything is replaced', replaceAll],
  ])('%s, gives functions that work, and are called in the order of Node\'s', async (_when, prepare) => {
    const { stdout, stderr } = await runNode(['-e', `(${prepare})();(${useAll})()`]);
    expect({ stdout, stderr }).toEqual({ stdout: 'tick 1 2,job,immediate 1 2,timeout 1 2 true true\n', stderr: '' });
  });

  it('makes no timer and no immediate when it is loaded', async () => {
    const script = `
      const types = [];
      require('node:timers/promises');
      require('node:async_hooks').createHook({ init: (_id, type) => types.push(type) }).enable();
      require('./lib/node/timing');
      process._rawDebug(types.filter((type) => type !== 'PROMISE').join());`;
    expect((await runNode(['-e', script])).stderr).toBe('\n');
  });

  it('takes Node\'s own functions, and none of the sandbox', () => {
    expect(timing.nextTick.toString()).toBe(process.nextTick.toString());
    expect(timing.setImmediate).toBe(require('node:timers').setImmediate);
  });
});
