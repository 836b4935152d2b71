'use strict';

const path = require('node:path');
const { ROOT, runNode } = require('../support/child');

const MAIN = path.join(ROOT, 'cli/main.js');

/** Variables that change what the command prints, or how it makes requests. */
const CLEAN = {
  CI: undefined, NO_COLOR: undefined, FORCE_COLOR: undefined, NODE_OPTIONS: undefined, NODE_USE_ENV_PROXY: undefined,
};

/**
 * Runs the command `ferrequest` with pipes in place of a terminal.
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, execArgv?: string[] }} [options]
 */
function command(args, { env = {}, execArgv = [], ...options } = {}) {
  return runNode([...execArgv, MAIN, ...args], { env: { ...CLEAN, ...env }, ...options });
}

module.exports = { CLEAN, MAIN, command };
