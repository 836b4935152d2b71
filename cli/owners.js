'use strict';

/** Tells whose code a function is: it asks the inspector in this process where the function was written. */

const fs = require('node:fs');
const path = require('node:path');
const { fileURLToPath } = require('node:url');

/** Properties under which libraries leave the function that they have wrapped. */
const ORIGINALS = ['__original', '__sentry_original__', '_datadog_original'];

/** Names by which the inspector gives what is inside a function of another kind. */
const INSIDE = { bound: '[[TargetFunction]]', target: '[[Target]]', handler: '[[Handler]]' };

/** Wrappers around wrappers that are looked at. */
const MOST_WRAPPERS = 16;

/**
 * @typedef {object} Owner
 * @property {string} name `node`, the name of a package, or that of a file; `unknown` where Node does not tell.
 * @property {string|null} file
 * @property {number|null} line From 1.
 */

/** Asks the inspector of this thread; it can hold a function only by a global variable. */
class Inspection {
  constructor() {
    const { Session } = require('node:inspector');
    this.session = new Session();
    this.session.connect();
    /** @type {Map<string, string>} */
    this.scripts = new Map();
    this.session.on('Debugger.scriptParsed', ({ params }) => this.scripts.set(params.scriptId, params.url));
    this.post('Debugger.enable');
  }

  /**
   * @param {Function} target
   * @returns {Owner[]} the outermost first
   */
  ownersOf(target) {
    const key = `ferrequest-inspected-${process.pid}`;
    globalThis[key] = target;
    try {
      const { result } = this.post('Runtime.evaluate', { expression: `globalThis[${JSON.stringify(key)}]` });
      return this.locationsOf(result.objectId).map((location) => this.describe(location));
    } finally {
      delete globalThis[key];
    }
  }

  /**
   * @param {string} objectId
   * @returns {object[]} where it was written; of a proxy where its trap was, and then where its target was
   * @private
   */
  locationsOf(objectId) {
    const properties = this.post('Runtime.getProperties', { objectId, ownProperties: true });
    const inside = new Map(properties.internalProperties?.map(({ name, value }) => [name, value]));
    const location = inside.get('[[FunctionLocation]]')?.value;
    if (location) return [location];
    if (inside.has(INSIDE.bound)) return this.locationsOf(inside.get(INSIDE.bound).objectId);
    if (!inside.has(INSIDE.handler)) return [];
    const traps = this.post('Runtime.getProperties', { objectId: inside.get(INSIDE.handler).objectId }).result;
    const trap = traps.find(({ name }) => name === 'apply' || name === 'construct');
    return [...trap?.value ? this.locationsOf(trap.value.objectId) : [],
      ...this.locationsOf(inside.get(INSIDE.target).objectId)];
  }

  /**
   * @param {{ scriptId: string, lineNumber: number }} location
   * @returns {Owner}
   * @private
   */
  describe({ scriptId, lineNumber }) {
    const url = this.scripts.get(scriptId) ?? '';
    if (url.startsWith('node:')) return { name: 'node', file: url, line: lineNumber + 1 };
    const file = url.startsWith('file:') ? fileURLToPath(url) : url;
    if (!path.isAbsolute(file)) return { name: file || 'unknown', file: null, line: null };
    return { name: packageOf(file) ?? path.basename(file), file, line: lineNumber + 1 };
  }

  /**
   * Asks, and is answered at once: the session is one of this thread.
   * @returns {any}
   * @private
   */
  post(method, params) {
    let answer;
    this.session.post(method, params, (error, result) => {
      if (error) throw Object.assign(new Error(error.message), error);
      answer = result;
    });
    return answer;
  }

  close() {
    this.session.disconnect();
  }
}

/** @returns {string|undefined} the name of the package that a file belongs to, if it has one */
function packageOf(file) {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    try {
      const { name } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
      if (name !== undefined) return name;
    } catch (_error) {
      // None there, or none that says anything.
    }
    if (folder === path.dirname(folder)) return undefined;
  }
}

/** @returns {Function[]} the function, and those that it says it wraps */
function layersOf(outermost) {
  const layers = [];
  for (let layer = outermost; typeof layer === 'function' && layers.length < MOST_WRAPPERS;) {
    layers.push(layer);
    const around = layer;
    layer = ORIGINALS.map((name) => around[name]).find((original) => original !== undefined);
  }
  return layers;
}

/**
 * Finds whose functions these are.
 * @param {Record<string, Function>} functions
 * @returns {Record<string, Owner[]>} the outermost wrapper first; empty for what Node does not tell
 */
function findOwners(functions) {
  const inspection = new Inspection();
  try {
    return Object.fromEntries(Object.entries(functions).map(([name, outermost]) => {
      const owners = layersOf(outermost).flatMap((layer) => inspection.ownersOf(layer));
      return [name, owners.filter(({ file, line }, at) => at === 0 || file !== owners[at - 1].file ||
        line !== owners[at - 1].line)];
    }));
  } finally {
    inspection.close();
  }
}

module.exports = { findOwners };
