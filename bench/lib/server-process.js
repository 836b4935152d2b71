'use strict';

const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');

const { ROOT } = require('../clients');

const MANIFEST = path.join(__dirname, '..', 'server', 'Cargo.toml');

// An address, so that no client has to look a name up.
const HOST = '127.0.0.1';

/**
 * @typedef {object} ServerAddress
 * @property {number} pid
 * @property {string} host
 * @property {number} http the port
 * @property {number} https the port
 * @property {string} certificateFile PEM, for NODE_EXTRA_CA_CERTS
 */

/**
 * Builds the server if it has changed, and starts it.
 *
 * @returns {Promise<{ address: ServerAddress, stop: () => Promise<void> }>}
 */
async function startServer() {
  const child = spawn(buildServer(), { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(readline.createInterface({ input: child.stdout }), 'line');
  const { http, https, certificate } = JSON.parse(line);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-bench-'));
  const certificateFile = path.join(directory, 'certificate.pem');
  fs.writeFileSync(certificateFile, certificate);

  async function stop() {
    const exited = once(child, 'exit');
    child.stdin.end();
    await exited;
    fs.rmSync(directory, { recursive: true });
  }

  return { address: { pid: /** @type {number} */ (child.pid), host: HOST, http, https, certificateFile }, stop };
}

/** @returns {string} the path of the executable, as cargo tells it */
function buildServer() {
  const args = ['build', '--release', '--locked', '--manifest-path', MANIFEST];
  args.push('--message-format', 'json-render-diagnostics');
  if (!process.env.CARGO_TARGET_DIR) {
    // With everything else that is built, where no tool takes it for a part of the sources.
    args.push('--target-dir', path.join(ROOT, 'target', 'bench-server'));
  }
  const messages = execFileSync('cargo', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  });
  for (const line of messages.split('\n')) {
    const message = line.startsWith('{') ? JSON.parse(line) : {};
    if (message.reason === 'compiler-artifact' && message.executable) {
      return message.executable;
    }
  }
  throw new Error('cargo built no executable for the benchmark server');
}

module.exports = { startServer };
