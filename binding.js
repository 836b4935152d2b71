'use strict';

/**
 * Loads the native addon built for this platform, and has its exports. Written by hand, because every user of a native
 * package meets a missing or unloadable addon, and the error has to explain it.
 */

const { existsSync } = require('node:fs');
const path = require('node:path');

/**
 * File suffixes of the addon by platform, in the order to try. A process cannot ask cheaply which C library it runs on;
 * the build for the other one does not load, so the next is tried.
 */
const SUFFIXES = {
  linux: ['-gnu', '-musl'],
  win32: ['-msvc', '-gnu'],
};

/**
 * Makes an error with a code.
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

/**
 * Loads the first build that loads.
 * @returns {object} Exports of the addon.
 */
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
