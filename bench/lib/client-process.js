'use strict';

const { fork } = require('node:child_process');
const path = require('node:path');

const { ROOT } = require('../clients');

const WORKER = path.join(__dirname, 'worker.js');

// Long enough for 256 MiB on a slow machine; a client that hangs is reported, not waited for.
const PATIENCE_MS = 60_000;

/**
 * Runs one measurement in a process of its own.
 *
 * @param {import('./worker').Settings} settings
 * @param {string} nodeBinary
 * @param {(pid: number) => void} [onMeasuring] called when a profiled run comes to its measured window
 * @returns {Promise<{ sample?: any, error?: string }>}
 */
function measureInProcess(settings, nodeBinary, onMeasuring = () => {}) {
  return new Promise((resolve) => {
    const child = fork(WORKER, [JSON.stringify(settings)], {
      execPath: nodeBinary,
      execArgv: execArgvFor(settings.client),
      env: { ...process.env, NODE_EXTRA_CA_CERTS: settings.server.certificateFile },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let reply = null;
    let complaints = '';
    const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    child.stderr.setEncoding('utf8').on('data', (text) => {
      complaints += text;
    });
    child.on('message', (message) => {
      if (message.measuring) {
        onMeasuring(/** @type {number} */ (child.pid));
      } else {
        reply = message;
      }
    });
    child.on('close', (code, signal) => {
      clearTimeout(patience);
      resolve(reply ?? { error: `the process ended with ${signal ?? code}: ${complaints.trim()}` });
    });
  });
}

/**
 * @param {import('../clients').Client} client
 * @returns {string[]}
 */
function execArgvFor(client) {
  // The same for every client; the idle workload collects garbage before it looks at the memory.
  const common = ['--expose-gc'];
  return client.registered ? [...common, '--require', path.join(ROOT, 'register.js')] : common;
}

module.exports = { measureInProcess };
