'use strict';

const path = require('node:path');
const { fileURLToPath } = require('node:url');

const { ROOT } = require('../../clients');

/**
 * @typedef {object} SelfTime
 * @property {string} name
 * @property {string} where
 * @property {number} us
 */

/**
 * Self time by function, from a CPU profile.
 *
 * @param {import('node:inspector').Profiler.Profile} profile
 * @returns {SelfTime[]} the longest first
 */
function selfTimesByFunction(profile) {
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  /** @type {Map<string, SelfTime>} */
  const times = new Map();
  const samples = profile.samples ?? [];
  const deltas = profile.timeDeltas ?? [];
  samples.forEach((id, index) => {
    const frame = /** @type {import('node:inspector').Runtime.CallFrame} */ (frames.get(id));
    const where = placeOf(frame.url);
    const key = `${frame.functionName}\n${where}\n${frame.lineNumber}`;
    const known = times.get(key) ?? { name: nameOf(frame, where), where, us: 0 };
    // A delta is the time from the sample before, so what ran in it is best told by the sample after it.
    known.us += deltas[index + 1] ?? 0;
    times.set(key, known);
  });
  return [...times.values()].sort((a, b) => b.us - a.us);
}

/**
 * Self time by where the code is.
 *
 * @param {SelfTime[]} functions
 * @returns {SelfTime[]}
 */
function selfTimesByPlace(functions) {
  /** @type {Map<string, SelfTime>} */
  const places = new Map();
  for (const { where, us } of functions) {
    const known = places.get(where) ?? { name: where, where, us: 0 };
    known.us += us;
    places.set(where, known);
  }
  return [...places.values()].sort((a, b) => b.us - a.us);
}

/** What V8 reports for samples that are in no JavaScript function. */
const PSEUDO_FRAMES = new Map([
  ['(idle)', 'waiting'],
  ['(garbage collector)', 'garbage collection'],
  ['(program)', 'native code under no JavaScript (libuv, its kernel calls, promise and microtask machinery)'],
  ['(root)', 'profiler'],
]);

/**
 * @param {import('node:inspector').Runtime.CallFrame} frame
 * @param {string} where
 * @returns {string}
 */
function nameOf({ functionName, lineNumber }, where) {
  if (functionName !== '') {
    return functionName;
  }
  return `(anonymous in ${where}:${lineNumber + 1})`;
}

/**
 * The module, package or file that a function belongs to.
 *
 * @param {string} url
 * @returns {string}
 */
function placeOf(url) {
  if (url === '') {
    return 'native functions called by JavaScript';
  }
  if (!url.startsWith('file:')) {
    return url.startsWith('node:internal/streams/') ? 'node:internal/streams' : url;
  }
  const relative = path.relative(ROOT, fileURLToPath(url));
  const dependency = relative.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/);
  if (dependency) {
    return dependency[1];
  }
  return relative.startsWith('bench/') ? 'the benchmark itself' : relative;
}

/**
 * @param {SelfTime} entry
 * @returns {string} the name for a reader
 */
function readable({ name }) {
  return PSEUDO_FRAMES.get(name) ?? name;
}

module.exports = { selfTimesByFunction, selfTimesByPlace, readable, PSEUDO_FRAMES };
