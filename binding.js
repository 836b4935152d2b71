'use strict';

/**
 * Loads the native addon built for this platform, and has its exports. Written by hand, because every user of a native
 * package meets a missing or unloadable addon, and the error has to explain it.
 *
 * Each build has a `require` of its own whose argument is a literal, in a `try`. So bundlers and tracers see which
 * files the package may need, and treat a missing one as optional.
 */

const { existsSync } = require('node:fs');
const path = require('node:path');

const { isCut } = require('./lib/ladder/elf');
const searches = require('./lib/ladder/search');
const { version: wanted } = require('./package.json');

/** Codes of errors that say that there is no such file or package: of Node, and of a single executable. */
const NOT_FOUND = ['MODULE_NOT_FOUND', 'ERR_UNKNOWN_BUILTIN_MODULE'];

/** Gives the errors, which are loaded when there is one. */
const causes = () => require('./lib/ladder/causes');

/**
 * Loads the addon from a file beside this one.
 * @param {string} build
 * @returns {{ addon?: object, error?: Error }}
 */
function requireFile(build) {
  try {
    switch (build) {
      case 'darwin-arm64': return { addon: require('./ferrequest.darwin-arm64.node') };
      case 'darwin-x64': return { addon: require('./ferrequest.darwin-x64.node') };
      case 'linux-arm64-gnu': return { addon: require('./ferrequest.linux-arm64-gnu.node') };
      case 'linux-arm64-musl': return { addon: require('./ferrequest.linux-arm64-musl.node') };
      case 'linux-x64-gnu': return { addon: require('./ferrequest.linux-x64-gnu.node') };
      case 'linux-x64-musl': return { addon: require('./ferrequest.linux-x64-musl.node') };
      case 'win32-arm64-msvc': return { addon: require('./ferrequest.win32-arm64-msvc.node') };
      case 'win32-x64-msvc': return { addon: require('./ferrequest.win32-x64-msvc.node') };
      default: throw new Error(`no build is named ${build}`);
    }
  } catch (error) {
    return { error };
  }
}

/**
 * Loads the addon from the package of a platform.
 * @param {string} build
 * @returns {{ addon?: object, error?: Error }}
 */
function requirePackage(build) {
  try {
    switch (build) {
      case 'darwin-arm64': return { addon: require('ferrequest-darwin-arm64') };
      case 'darwin-x64': return { addon: require('ferrequest-darwin-x64') };
      case 'linux-arm64-gnu': return { addon: require('ferrequest-linux-arm64-gnu') };
      case 'linux-arm64-musl': return { addon: require('ferrequest-linux-arm64-musl') };
      case 'linux-x64-gnu': return { addon: require('ferrequest-linux-x64-gnu') };
      case 'linux-x64-musl': return { addon: require('ferrequest-linux-x64-musl') };
      case 'win32-arm64-msvc': return { addon: require('ferrequest-win32-arm64-msvc') };
      case 'win32-x64-msvc': return { addon: require('ferrequest-win32-x64-msvc') };
      default: throw new Error(`no build is named ${build}`);
    }
  } catch (error) {
    return { error };
  }
}

/**
 * Loads the addon from any file. Unlike `require`, which a bundler replaces, this works in a bundle and in a single
 * executable.
 * @param {string} file
 * @returns {{ addon?: object, error?: Error }}
 */
function openFile(file) {
  const module = { exports: {} };
  try {
    process.dlopen(module, file);
    return { addon: module.exports };
  } catch (error) {
    return { error };
  }
}

/**
 * Loads an addon, unless its file has been cut, which would end the process on Linux.
 * @param {string|undefined} file The file, where it is known.
 * @param {() => { addon?: object, error?: Error }} open
 * @returns {{ addon?: object, error?: Error }}
 */
function openWhole(file, open) {
  if (process.platform !== 'linux' || file === undefined || !isCut(file)) return open();
  return { error: new Error('file too short') };
}

/**
 * Finds the file of the package of a platform. It is mostly beside this package, where Node would find it too; to ask
 * Node takes longer than to load it.
 * @param {string} build
 * @param {boolean} isBeside Tells whether it is there.
 * @returns {string|undefined} Undefined where there is none, or a bundle has it.
 */
function fileOfPackage(build, isBeside) {
  if (isBeside) return pathBeside(build);
  try {
    return require('node:module').createRequire(__filename).resolve(`ferrequest-${build}`);
  } catch (_error) {
    return undefined;
  }
}

/** Gives the path of the file of the package of a platform, where that is beside this package. */
function pathBeside(build) {
  return path.join(__dirname, '..', `ferrequest-${build}`, `ferrequest.${build}.node`);
}

/** Tells whether a file is there, and may be read: under the permission model the question may be refused. */
function isThere(file) {
  try {
    return existsSync(file);
  } catch (_error) {
    return false;
  }
}

/** Tells whether exports are those of an addon of ferrequest, of whichever version. */
function isOurs(addon) {
  return typeof addon === 'object' && addon !== null && typeof addon.StreamDecoder === 'function';
}

/**
 * Takes what a place has given, if it is an addon of this version.
 * @param {ReturnType<typeof searches.begin>} search
 * @param {string} source
 * @param {{ addon?: object, error?: Error & { code?: string } }} loaded
 * @returns {object|undefined} The addon; undefined if the place has none.
 */
function take(search, source, { addon, error }) {
  if (error && NOT_FOUND.includes(error.code)) {
    search.tried(source, error);
    return undefined;
  }
  let failure = null;
  if (error) failure = causes().notLoaded(source, error, search);
  else if (!isOurs(addon)) failure = causes().notLoaded(source, new Error('it has no exports of ferrequest'), search);
  else if (addon.VERSION !== wanted) failure = causes().wrongVersion(source, addon.VERSION || 'none', wanted);
  search.tried(source, failure);
  if (failure !== null) return undefined;
  search.source = source;
  search.version = addon.VERSION;
  return addon;
}

/**
 * Takes the addon from the file that the user names in NAPI_RS_NATIVE_LIBRARY_PATH. All packages of napi-rs read that
 * variable, so it may name the addon of another one, which is passed over.
 * @param {ReturnType<typeof searches.begin>} search
 * @param {string} file
 * @returns {object|undefined}
 */
function takeNamed(search, file) {
  const loaded = openWhole(file, () => openFile(file));
  if (loaded.addon === undefined || isOurs(loaded.addon)) return take(search, file, loaded);
  search.tried(file, Object.assign(new Error('The addon of another package'), { code: 'MODULE_NOT_FOUND' }));
  return undefined;
}

/**
 * Takes the addon from the file beside this one, or from the package of the platform, in that order. Where there is the
 * package and no file, the package is asked first: what is not there takes long to find missing. A file that neither
 * place has may still be in a bundle.
 * @param {ReturnType<typeof searches.begin>} search
 * @param {string} build
 * @returns {object|undefined}
 */
function takeInstalled(search, build) {
  const name = `ferrequest.${build}.node`;
  const file = path.join(__dirname, name);
  const isFile = isThere(file);
  const isBeside = isThere(pathBeside(build));
  const takeFile = () => take(search, name, openWhole(isFile ? file : undefined, () => requireFile(build)));
  const takePackage = () => (
    take(search, `ferrequest-${build}`, openWhole(fileOfPackage(build, isBeside), () => requirePackage(build)))
  );
  return isFile || !isBeside ? takeFile() || takePackage() : takePackage() || takeFile();
}

/**
 * Loads the addon: the named file, or what is installed.
 * @returns {object} Exports of the addon.
 */
function load() {
  const search = searches.begin();
  const { build } = search;
  const named = process.env.NAPI_RS_NATIVE_LIBRARY_PATH;
  let addon = named ? takeNamed(search, named) : undefined;
  if (addon === undefined && build !== undefined) addon = takeInstalled(search, build);
  if (addon !== undefined) return addon;
  const found = search.attempts.find(({ error }) => error && !NOT_FOUND.includes(error.code));
  throw found ? found.error : causes().notFound(search);
}

module.exports = load();
