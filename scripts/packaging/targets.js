'use strict';

/**
 * Knows the targets that ferrequest is built for: the triples of Rust that package.json lists, the names that Node and
 * npm give the same platforms, and the oldest system that each build has to run on.
 */

const { napi: { binaryName, targets: triples } } = require('../../package.json');

/** Parts of triples, and what Node calls the same. */
const PLATFORMS = { linux: 'linux', darwin: 'darwin', windows: 'win32' };
const ARCHITECTURES = { x86_64: 'x64', aarch64: 'arm64' };

/** The newest version of glibc whose symbols a build may need: that of RHEL 7, and the oldest that Rust supports. */
const GLIBC_CEILING = '2.17';
/** The newest release of macOS that a build may need: the oldest that runs Node 20 on Apple's processors. */
const MACOS_CEILING = '11.0';

/**
 * @typedef {object} Target
 * @property {string} triple As Rust names it.
 * @property {string} build As the loader and the packages name it, such as `linux-x64-gnu`.
 * @property {'linux'|'darwin'|'win32'} platform
 * @property {'x64'|'arm64'} arch
 * @property {'gnu'|'musl'|'msvc'|undefined} abi
 */

/**
 * Takes a triple apart.
 * @param {string} triple
 * @returns {Target}
 */
function parse(triple) {
  const [cpu, , system, abi] = triple.split('-');
  const [platform, arch] = [PLATFORMS[system], ARCHITECTURES[cpu]];
  return { triple, build: [platform, arch, abi].filter(Boolean).join('-'), platform, arch, abi };
}

const targets = triples.map(parse);

/**
 * Finds a target.
 * @param {string} name A triple, or the name of a build.
 * @returns {Target}
 */
function find(name) {
  const target = targets.find(({ triple, build }) => name === triple || name === build);
  if (target === undefined) throw new Error(`${name} is none of the targets: ${triples.join(', ')}`);
  return target;
}

/**
 * Names the file of an addon.
 * @param {Target} target
 * @returns {string}
 */
function fileName({ build }) {
  return `${binaryName}.${build}.node`;
}

module.exports = { GLIBC_CEILING, MACOS_CEILING, fileName, find, targets };
