'use strict';

/** Says how a target is built on this machine, and what is missing for that. */

const { execFileSync } = require('node:child_process');
const { existsSync } = require('node:fs');

const { GLIBC_CEILING, MACOS_CEILING } = require('./targets');

/**
 * Runs a program for what it prints.
 * @param {string} program
 * @param {string[]} args
 * @returns {string|undefined} Undefined if it is not there, or fails.
 */
function outputOf(program, args) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch (_error) {
    return undefined;
  }
}

/** Tells whether there is a zig that cargo-zigbuild finds: on PATH, or as a package of Python. */
function hasZig() {
  return [['zig', []], ['python3', ['-m', 'ziglang']]].some(([program, first]) => (
    outputOf(program, [...first, 'version']) !== undefined));
}

/**
 * Says how a target is built: with zig as compiler and linker for every Linux, because it can link against an old
 * glibc, and for macOS elsewhere; with the linker of the system on macOS and Windows.
 * @param {import('./targets').Target} target
 * @param {string} [host] What this machine is to Node.
 * @returns {{ triple: string, crossCompile: boolean, env: Record<string, string> }}
 */
function planFor({ triple, platform, abi }, host = process.platform) {
  const env = {};
  if (abi === 'musl') {
    // A dynamic C library, which Rust for musl does not take by itself: Node has loaded one.
    env.RUSTFLAGS = [process.env.RUSTFLAGS, '-C target-feature=-crt-static'].filter(Boolean).join(' ');
  }
  if (platform === 'darwin') env.MACOSX_DEPLOYMENT_TARGET = MACOS_CEILING;
  return {
    triple: abi === 'gnu' ? `${triple}.${GLIBC_CEILING}` : triple,
    crossCompile: platform === 'linux' || (platform === 'darwin' && host !== 'darwin'),
    env,
  };
}

/**
 * Lists what this machine lacks for building a target, each with the command that brings it.
 * @param {import('./targets').Target} target
 * @returns {string[]}
 */
function missingFor(target) {
  const { triple, platform } = target;
  if (platform === 'win32' && process.platform !== 'win32') return ['Windows, with Microsoft\'s linker'];
  const missing = [];
  const folder = outputOf('rustc', ['--print', 'target-libdir', '--target', triple]);
  if (folder === undefined) missing.push('Rust (https://rustup.rs)');
  else if (!existsSync(folder)) missing.push(`Rust's library for it (rustup target add ${triple})`);
  if (planFor(target).crossCompile) {
    if (!hasZig()) missing.push('zig (pip install ziglang)');
    if (outputOf('cargo-zigbuild', ['--version']) === undefined) {
      missing.push('cargo-zigbuild (pip install cargo-zigbuild, or cargo install cargo-zigbuild)');
    }
  }
  return missing;
}

module.exports = { missingFor, planFor };
