'use strict';

/** What `npm run soak -- lifetimes` runs, by name. */

const { endClusterWorkers } = require('./clusters');
const ends = require('./lifetimes');
const { lack } = require('./scarcity');

/** How many of those that take a second each: they fill their heap. */
const few = (count) => Math.ceil(count / 20);

/** @type {Record<string, (options: { count: number, seed: number, client: string }) =>
 *   Promise<import('./watching').Result & { skipped?: string[] }>>} */
const RUNS = {
  'workers terminated': ends.terminateWorkers,
  'processes that exit': ends.endProcesses,
  'processes ended by SIGTERM': (options) => ends.endProcesses({ ...options, signal: 'SIGTERM' }),
  'workers of a cluster': endClusterWorkers,
  'workers out of memory': ({ count, ...options }) => ends.exhaustWorkers({ ...options, count: few(count) }),
  'processes out of memory': ({ count, ...options }) => ends.exhaustProcesses({ ...options, count: few(count) }),
  'processes out of descriptors or ports': lack,
  'workers at the same time': () => ends.runManyWorkers({ count: 64 }),
  'copies of the module': () => ends.resetModule({ count: 200 }),
};

/**
 * @param {string} name
 * @param {{ count: number, seed: number, client: string }} options
 */
function run(name, options) {
  if (!Object.hasOwn(RUNS, name)) throw new Error(`no such lifetimes: ${name}; there are: ${Object.keys(RUNS)}`);
  return RUNS[name](options);
}

module.exports = { NAMES: Object.keys(RUNS), run };
