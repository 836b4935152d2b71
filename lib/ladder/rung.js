'use strict';

/**
 * Decides, once for each load of the module, which client serves requests:
 *
 * - `native`: the I/O thread has the connections;
 * - `stream`: the Rust decoder reads from Node's own sockets;
 * - `node`: Node's own client, because nothing of ours can run, or the user has switched it off.
 */

const { engines } = require('../../package.json');

/** Values of the environment variable FERREQUEST. */
const SETTINGS = ['off', 'stream', 'strict'];

/**
 * @typedef {object} Rung
 * @property {'native'|'stream'|'node'} mode
 * @property {string|null} reason Says why it is no higher one; null for `native`.
 * @property {string|null} code Code of the error that is the reason.
 */

/**
 * Reads the environment variable FERREQUEST.
 * @returns {string|undefined} One of SETTINGS.
 */
function readSetting() {
  const value = process.env.FERREQUEST;
  if (value === undefined || value === '') return undefined;
  if (SETTINGS.includes(value)) return value;
  require('./warnings').warnOnce('FERREQUEST_SETTING', `FERREQUEST=${value} is ignored: the values are ` +
    `${SETTINGS.join(', ')}. See docs/troubleshooting.md#ferrequest_setting`);
  return undefined;
}

/**
 * Tells whether a version is in a range of package.json.
 * @param {string} version
 * @param {string} range Alternatives such as `^20.4.0` and `>=26.0.0`.
 * @returns {boolean}
 */
function isInRange(version, range) {
  const [major, minor, patch] = numbersOf(version);
  return range.split('||').some((alternative) => {
    const least = alternative.trim();
    const isOpen = least.startsWith('>=');
    if (!isOpen && !least.startsWith('^')) return false;
    const [leastMajor, leastMinor, leastPatch] = numbersOf(least.slice(isOpen ? 2 : 1));
    if (major !== leastMajor) return isOpen && major > leastMajor;
    return minor > leastMinor || (minor === leastMinor && patch >= leastPatch);
  });
}

/** @returns {number[]} Major, minor and patch of a version; by hand, as a pattern takes long to compile. */
function numbersOf(version) {
  return version.split('.').map((part) => parseInt(part, 10));
}

/** Tells whether the process makes a startup snapshot, which is asked of Node only where it was told to. */
function isBuildingSnapshot() {
  return process.execArgv.some((option) => /^--build[-_]snapshot/.test(option)) &&
    require('node:v8').startupSnapshot.isBuildingSnapshot();
}

/**
 * Loads the addon, where it can work.
 * @returns {object} Exports of the addon.
 */
function loadAddon() {
  const { versions } = process;
  if (versions.bun) throw require('./causes').unsupportedRuntime('Bun');
  if (versions.deno) throw require('./causes').unsupportedRuntime('Deno');
  if (!isInRange(versions.node, engines.node)) throw require('./causes').unsupportedNode();
  if (isBuildingSnapshot()) throw require('./causes').buildingSnapshot();
  return require('../../binding');
}

/**
 * Finds the best client that can run.
 * @returns {Rung}
 */
function decide() {
  const setting = readSetting();
  if (setting === 'off') return { mode: 'node', reason: 'FERREQUEST=off', code: null };
  let addon;
  try {
    addon = loadAddon();
  } catch (error) {
    if (setting === 'strict') throw error;
    return { mode: 'node', reason: error.message.replace(/^ferrequest: /, ''), code: error.code || null };
  }
  if (setting === 'stream') return { mode: 'stream', reason: 'FERREQUEST=stream', code: null };
  if (typeof addon.Bridge !== 'function') {
    return { mode: 'stream', reason: `The addon has no I/O thread on ${process.platform}`, code: null };
  }
  return { mode: 'native', reason: null, code: null };
}

const rung = decide();

if (rung.mode === 'node') {
  const why = rung.code === null ? `, because ${rung.reason}. Unset that for the client in Rust.` : `. ${rung.reason}`;
  require('./warnings').warnOnce('FERREQUEST_FALLBACK', `ferrequest uses Node's own client${why}`);
}

module.exports = rung;
