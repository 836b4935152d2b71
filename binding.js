'use strict';

/**
 * Loads the native addon built for this platform and exports what it exports. Written by hand, because a missing
 * or unloadable addon is the one failure that every user of a native package meets, and it has to explain itself.
 */

const { existsSync } = require('node:fs');
const path = require('node:path');

/**
 * The addon's possible file suffixes, in the order to try them. Which C library a Linux process runs on cannot be
 * asked cheaply; the build for the other one does not load, so the next is tried.
 */
const SUFFIXES = {
  linux: ['-gnu', '-musl'],
  win32: ['-msvc', '-gnu'],
};

/**
 * @param {string} message
 * @param {string} code
 * @param {unknown} [cause]
 * @returns {Error & { code: string }}
 */
function createError(message, code, cause) {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  error.code = code;
  return error;
}

/** @returns {object} the exports of the addon */
function load() {
  const platform = `${process.platform}-${process.arch}`;
  const names = (SUFFIXES[process.platform] ?? ['']).map((suffix) => `ferrequest.${platform}${suffix}.node`);
  let failure;
  for (const name of names) {
    const file = path.join(__dirname, name);
    if (!existsSync(file)) continue;
    try {
      return require(file);
    } catch (cause) {
      failure ??= createError(`ferrequest: cannot load ${file}: ${cause.message}`, 'ERR_FERREQUEST_ADDON_LOAD', cause);
    }
  }
  throw failure ?? createError(
    `ferrequest: no addon for ${platform} (looked for ${names.join(' and ')} in ${__dirname}). ` +
    'To build one, clone the source and run `npm install && npm run build` with Rust installed (https://rustup.rs).',
    'ERR_FERREQUEST_NO_ADDON',
  );
}

module.exports = load();
