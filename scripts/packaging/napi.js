'use strict';

/** Runs @napi-rs/cli. */

const { execFileSync, spawnSync } = require('node:child_process');
const path = require('node:path');

const manifest = require.resolve('@napi-rs/cli/package.json');
const cli = path.join(path.dirname(manifest), require(manifest).bin.napi);

/**
 * Runs the command `napi`, which shows its progress.
 * @param {string[]} args
 * @param {import('node:child_process').ExecFileSyncOptions} options
 */
function run(args, options) {
  execFileSync(process.execPath, [cli, ...args], { stdio: 'inherit', ...options });
}

/**
 * Runs the command `napi`, and shows what it says only if it fails.
 * @param {string[]} args
 * @param {string} folder
 */
function runSilently(args, folder) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`napi ${args.join(' ')} failed:\n${stdout}${stderr}`);
}

module.exports = { run, runSilently };
