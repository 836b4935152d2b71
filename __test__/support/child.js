'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '../..');
const MODULE_PATH = process.env.ORACLE === 'node' ? 'node:http' : ROOT;

/**
 * Runs a function in a Node process of its own, as `main(http, args)`. Only its text gets there.
 * @param {(http: typeof import('node:http'), args: any) => void} main
 * @param {object} [options]
 * @param {unknown} [options.args] anything JSON can carry
 * @param {number} [options.timeout] milliseconds, after which the process is killed
 * @param {string[]} [options.execArgv]
 * @param {NodeJS.ProcessEnv} [options.env] added to this process's
 */
function runScript(main, { args = null, execArgv = [], ...options } = {}) {
  const source = `(${main})(require(${JSON.stringify(MODULE_PATH)}), ${JSON.stringify(args)})`;
  return runNode([...execArgv, '-e', source], options);
}

/**
 * Runs Node with arguments and waits for its end.
 * @param {string[]} argv
 * @param {{ timeout?: number, env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 * @returns {Promise<{ code: number | null, signal: string | null, stdout: string, stderr: string, timedOut: boolean,
 *   milliseconds: number }>}
 */
function runNode(argv, { timeout = 30_000, env = {}, cwd = ROOT } = {}) {
  return new Promise((resolve, reject) => {
    const started = Date.now();
    const stdio = ['ignore', 'pipe', 'pipe'];
    const child = spawn(process.execPath, argv, { cwd, env: { ...process.env, ...env }, stdio });
    const result = { stdout: '', stderr: '', timedOut: false };
    child.stdout.on('data', (chunk) => { result.stdout += chunk; });
    child.stderr.on('data', (chunk) => { result.stderr += chunk; });
    const timer = setTimeout(() => {
      result.timedOut = true;
      child.kill('SIGKILL');
    }, timeout);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...result, code, signal, milliseconds: Date.now() - started });
    });
  });
}

module.exports = { runScript, runNode, MODULE_PATH, ROOT };
