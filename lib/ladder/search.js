'use strict';

/**
 * Records the search for the addon: the build that the platform needs, the places that were tried, and what was found.
 * `binding.js` searches; errors and `diagnose()` tell of it.
 */

const { libcFamily } = require('./libc');

/** Platforms, as Node names platform and architecture, that have builds of the addon. */
const PLATFORMS = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'win32-arm64', 'win32-x64'];

/** Suffixes of builds for Linux by C library, as in the triples of Rust. */
const LIBC_SUFFIXES = { glibc: '-gnu', musl: '-musl' };

/**
 * Names the build of the addon that a platform needs.
 * @param {'glibc'|'musl'|undefined} libc
 * @returns {string|undefined} Such as `linux-x64-gnu`; undefined if there is none.
 */
function buildFor(libc) {
  const platform = `${process.platform}-${process.arch}`;
  if (!PLATFORMS.includes(platform)) return undefined;
  if (process.platform === 'win32') return `${platform}-msvc`;
  if (process.platform === 'darwin') return platform;
  const suffix = LIBC_SUFFIXES[libc];
  return suffix && platform + suffix;
}

/** One search for the addon. */
class Search {
  constructor() {
    /** @type {'glibc'|'musl'|undefined} C library of the process. */
    this.libc = libcFamily();
    /** @type {string|undefined} Build that the platform needs. */
    this.build = buildFor(this.libc);
    /** @type {{ source: string, error: Error|null }[]} Files and packages that were tried, in their order. */
    this.attempts = [];
    /** @type {string|undefined} The file or package that the addon comes from. */
    this.source = undefined;
    /** @type {string|undefined} Version of the addon. */
    this.version = undefined;
  }

  /**
   * Notes that a file or package was tried.
   * @param {string} source
   * @param {Error|null} error The reason why it has not given an addon.
   */
  tried(source, error) {
    this.attempts.push({ source, error });
  }
}

module.exports = {
  buildFor,
  /** @type {Search|undefined} The last search; undefined where no addon was looked for. */
  last: undefined,
  /**
   * Begins a search.
   * @returns {Search}
   */
  begin() {
    module.exports.last = new Search();
    return module.exports.last;
  },
};
