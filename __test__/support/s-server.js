'use strict';

/** OpenSSL's own server, `openssl s_server`, which the test tells what to say and to do. */

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const certificates = require('./certificates');
const { cleanUp } = require('./cleanup');
const { until } = require('./wait');

/** True where the machine has the command. */
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

/**
 * Starts a server.
 * @param {string[]} [options] of s_server
 * @returns {Promise<{ address: { host: string, port: number }, output: () => string, forget: () => void,
 *   say: (text: string) => Promise<void> }>} output: what it prints, the bytes of its clients among them; say: gives it
 *   a line at once, whose first letter may be a command
 */
async function startServer(options = []) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
  const file = path.join(folder, 'server.pem');
  fs.writeFileSync(file, certificates.local.key + certificates.local.cert);
  const child = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', '-cert', file, '-naccept', '1000', ...options]);
  const ended = new Promise((resolve) => { child.once('close', resolve); });
  cleanUp(async () => {
    child.kill('SIGKILL');
    await ended;
    fs.rmSync(folder, { recursive: true, force: true });
  });
  let text = '';
  const collect = (chunk) => { text += chunk.toString('latin1'); };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  child.stdin.on('error', () => {});
  await until(() => /ACCEPT 127\.0\.0\.1:\d+/.test(text) || child.exitCode !== null, () => `a server: ${text}`);
  const port = Number(/ACCEPT 127\.0\.0\.1:(\d+)/.exec(text)[1]);
  return {
    address: { host: '127.0.0.1', port },
    output: () => text,
    forget: () => { text = ''; },
    say: (line) => new Promise((resolve) => { child.stdin.write(line, 'latin1', () => resolve()); }),
  };
}

module.exports = { hasOpenssl, startServer };
