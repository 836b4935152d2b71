'use strict';

/** Gives the whole account of which client serves requests, and why: for reports of faults. */

/** Names of the environment variables that decide which client serves requests. */
const VARIABLES = ['FERREQUEST', 'NAPI_RS_NATIVE_LIBRARY_PATH', 'NODE_OPTIONS'];

/** @returns {'node'|'bun'|'deno'} */
function runtime() {
  const { bun, deno } = process.versions;
  if (bun) return 'bun';
  return deno ? 'deno' : 'node';
}

/**
 * Describes the C library of the process.
 * @returns {import('../..').Diagnosis['libc']}
 */
function describeLibc() {
  const { glibcVersion, libcFamily } = require('./libc');
  const family = libcFamily();
  return family === undefined ? null : { family, version: family === 'glibc' ? glibcVersion() || null : null };
}

/**
 * Finds the file of an addon.
 * @param {string} source A file, its name beside this package, or a package.
 * @returns {string|null} Null in a bundle, which may have put it anywhere.
 */
function fileOf(source) {
  const path = require('node:path');
  if (path.isAbsolute(source)) return source;
  const { createRequire } = require('node:module');
  try {
    return createRequire(__filename).resolve(source.endsWith('.node') ? `../../${source}` : source);
  } catch (_error) {
    return null;
  }
}

/**
 * Describes the search for the addon.
 * @param {ReturnType<typeof import('./search').begin>} search
 * @param {string} wanted Version of the package.
 * @returns {import('../..').Diagnosis['addon']}
 */
function describeAddon(search, wanted) {
  const { source, version } = search;
  return {
    build: search.build || null,
    file: source === undefined ? null : fileOf(source),
    version: version || null,
    isOfThisVersion: version === undefined ? null : version === wanted,
    attempts: search.attempts.map((attempt) => ({
      source: attempt.source,
      error: attempt.error && { code: attempt.error.code || null, message: attempt.error.message },
    })),
  };
}

/**
 * Tells which client serves requests, why, and all that has decided it.
 * @returns {import('../..').Diagnosis}
 */
function diagnose() {
  const { engines, version } = require('../../package.json');
  const { code, mode, reason } = require('./rung');
  const search = require('./search').last;
  const { env, execArgv, versions } = process;
  const set = VARIABLES.filter((name) => env[name] !== undefined);
  return {
    mode,
    reason,
    code,
    version,
    runtime: runtime(),
    node: versions.node,
    supportedNode: engines.node,
    napi: versions.napi || null,
    platform: process.platform,
    arch: process.arch,
    libc: describeLibc(),
    addon: search === undefined ? null : describeAddon(search, version),
    environment: Object.fromEntries(set.map((name) => [name, env[name]])),
    // Without the text of a script.
    execArgv: execArgv.filter((option) => option.startsWith('--')),
  };
}

module.exports = { diagnose };
