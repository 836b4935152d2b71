'use strict';

const { spawn, spawnSync } = require('node:child_process');
const { CLEAN, MAIN } = require('./command');

/** Tells whether util-linux's `script` is there, which gives a command a terminal. */
const hasTerminal = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false;

/**
 * Runs the command `ferrequest` on a pseudo-terminal.
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ code: number|null, output: string }>} output: both streams, as a terminal gets them
 */
function commandOnTerminal(args, env = {}) {
  return new Promise((resolve, reject) => {
    const line = [process.execPath, MAIN, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm-256color', ...CLEAN, ...env }, stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => { output += text; });
    child.once('error', reject).once('close', (code) => resolve({ code, output }));
  });
}

module.exports = { commandOnTerminal, hasTerminal };
