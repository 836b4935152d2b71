'use strict';

/**
 * Makes the errors that say why the client in Rust cannot run. Each cause has a code, a sentence, a remedy, and a
 * heading in docs/troubleshooting.md.
 */

const { existsSync } = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const { engines, optionalDependencies } = require('../../package.json');
const { glibcVersion } = require('./libc');

const ROOT = path.join(__dirname, '../..');

/** Builds that a platform with another C library needs instead. */
const OTHER_LIBC = { gnu: 'musl', musl: 'gnu' };

/** Says how an addon is built, for those who have no build of it. */
const BUILD_IT = 'To build one, clone the source and run `npm install && npm run build` with Rust installed ' +
  '(https://rustup.rs).';

/** Matches what dynamic loaders say of a file that is no addon, or only a part of one. */
const DAMAGED = new RegExp([
  'invalid ELF header', 'file too short', 'file data appears to be truncated', 'ELF load command',
  'cannot read file data', 'Exec format error', 'not a mach-o', 'not valid mach-o', 'truncated mach-o',
  'slice is not valid', 'not a valid Win32', 'did not self-register', 'has no exports of ferrequest',
].join('|'), 'i');

/** Matches what dynamic loaders say of an addon for another C library. */
const WRONG_LIBC = /(?:ld-linux[^:\s]*|ld-musl[^:\s]*|libc\.musl[^:\s]*|libc\.so(?:\.6)?)(?::| )/;

/**
 * Makes an error of a cause.
 * @param {string} code
 * @param {string} message The cause and the remedy.
 * @param {unknown} [cause]
 * @returns {Error & { code: string }}
 */
function createError(code, message, cause) {
  const text = `ferrequest: ${message} See docs/troubleshooting.md#${code.toLowerCase()}`;
  const error = new Error(text, cause === undefined ? undefined : { cause });
  error.code = code;
  return error;
}

/** @returns {Error} The error of a runtime other than Node. */
function unsupportedRuntime(name) {
  return createError('ERR_FERREQUEST_UNSUPPORTED_RUNTIME', `${name} is no supported runtime. ` +
    `Nothing is to be done: requests go through ${name}'s own node:http. Run the program with Node for the client in ` +
    'Rust.');
}

/** @returns {Error} The error of a Node that is not tested. */
function unsupportedNode() {
  return createError('ERR_FERREQUEST_UNSUPPORTED_NODE',
    `Node ${process.versions.node} is none of the supported versions (${engines.node}). Use one of those.`);
}

/** @returns {Error} The error of a process that makes a startup snapshot. */
function buildingSnapshot() {
  return createError('ERR_FERREQUEST_SNAPSHOT', 'A startup snapshot cannot hold an addon. Load ferrequest when the ' +
    'snapshot has been deserialized, by module.createRequire().');
}

/**
 * Makes the error of a search that has found no addon to try.
 * @param {import('./search').Search} search
 * @returns {Error}
 */
function notFound({ build, libc }) {
  const platform = `${process.platform}-${process.arch}`;
  if (build === undefined) {
    const isLinux = process.platform === 'linux' && libc === undefined;
    return createError('ERR_FERREQUEST_UNSUPPORTED_PLATFORM', `There is no build of the addon for ${platform}` +
      `${isLinux ? ' with a C library that is neither glibc nor musl' : ''}. ${BUILD_IT}`);
  }
  const name = `ferrequest-${build}`;
  const other = build.replace(/(gnu|musl)$/, (suffix) => OTHER_LIBC[suffix]);
  if (other !== build && isInstalled(other)) {
    return createError('ERR_FERREQUEST_WRONG_LIBC', `The installed addon is the build for ${other}, and this process ` +
      `runs on ${build}. Install on the system that the program runs on: \`npm install --libc=${libc} ` +
      `--cpu=${process.arch} --os=${process.platform}\` does so from elsewhere.`);
  }
  if (optionalDependencies !== undefined && name in optionalDependencies) {
    return createError('ERR_FERREQUEST_OPTIONAL_DEPENDENCY', `The package ${name}, which has the addon for ${build}, ` +
      'is not installed. npm leaves it out if the lock file or node_modules was made on another platform ' +
      '(https://github.com/npm/cli/issues/4828), or with `--omit=optional`. Remove node_modules and ' +
      'package-lock.json, and run `npm install` again.');
  }
  return createError('ERR_FERREQUEST_NO_ADDON', `There is no addon for ${build}: looked for ferrequest.${build}.node ` +
    `in ${ROOT}, and for the package ${name}. ${BUILD_IT}`);
}

/** Tells whether a build of the addon is there. */
function isInstalled(build) {
  if (existsSync(path.join(ROOT, `ferrequest.${build}.node`))) return true;
  try {
    createRequire(__filename).resolve(`ferrequest-${build}/package.json`);
    return true;
  } catch (_error) {
    return false;
  }
}

/**
 * Makes the error of an addon that was found and does not load.
 * @param {string} source The file or package.
 * @param {Error & { code?: string }} cause
 * @param {import('./search').Search} search
 * @returns {Error}
 */
function notLoaded(source, cause, { build }) {
  const { code } = cause;
  const message = String(cause.message);
  if (code === 'ERR_DLOPEN_DISABLED' || code === 'ERR_ACCESS_DENIED') {
    const option = process.permission ? 'Node\'s permission model does not allow addons. Add --allow-addons'
      : 'Node was started with --no-addons. Take that away';
    return createError('ERR_FERREQUEST_ADDON_NOT_ALLOWED', `${source} may not be loaded: ${option}.`, cause);
  }
  const [, glibc] = /GLIBC_(\d[\d.]*)'? not found/.exec(message) || [];
  if (glibc !== undefined) {
    return createError('ERR_FERREQUEST_OLD_GLIBC', `${source} needs glibc ${glibc}, and this system has ` +
      `${glibcVersion() || 'an older one'}. Use a newer distribution, or build the addon on this one. ${BUILD_IT}`,
    cause);
  }
  if (process.platform === 'linux' && WRONG_LIBC.test(message)) {
    return createError('ERR_FERREQUEST_WRONG_LIBC', `${source} is a build for another C library than the one of ` +
      `${build || 'this system'} (${message}). Install on the system that the program runs on.`, cause);
  }
  if (DAMAGED.test(message)) {
    return createError('ERR_FERREQUEST_ADDON_DAMAGED', `${source} is damaged, or no addon at all (${message}). ` +
      'Remove node_modules and install again.', cause);
  }
  return createError('ERR_FERREQUEST_ADDON_LOAD', `${source} does not load: ${message}. If that names a library, ` +
    'install it; if it speaks of permissions, the file system may be mounted noexec.', cause);
}

/**
 * Makes the error of an addon of another version.
 * @param {string} source The file or package.
 * @param {string} version Version of the addon.
 * @param {string} wanted Version of the package.
 * @returns {Error}
 */
function wrongVersion(source, version, wanted) {
  return createError('ERR_FERREQUEST_ADDON_VERSION', `${source} has version ${version}, and the package ${wanted}. ` +
    'Remove node_modules and install again; in a clone, run `npm run build`.');
}

module.exports = { buildingSnapshot, notFound, notLoaded, unsupportedNode, unsupportedRuntime, wrongVersion };
