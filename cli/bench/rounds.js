'use strict';

/** Measures the clients in interleaved rounds, each time in a process of its own. */

const { fork } = require('node:child_process');
const path = require('node:path');

const WORKER = path.join(__dirname, 'worker.js');

/** Time beyond that of the measurement after which a process that hangs is given up. */
const PATIENCE_MS = 15_000;

/**
 * Runs a file of this folder in a process of its own.
 * @param {string} file
 * @param {string[]} args
 * @returns {import('node:child_process').ChildProcess}
 */
function start(file, args = []) {
  return fork(file, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
}

/**
 * Measures one client once.
 * @param {import('./senders').Settings} settings
 * @returns {Promise<{ sample?: import('./worker').Sample, version?: string, error?: string }>}
 */
function measureOnce(settings) {
  return new Promise((resolve) => {
    const child = start(WORKER, [JSON.stringify(settings)]);
    let reply;
    let complaints = '';
    let isLate = false;
    const patience = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, settings.warmUpMs + settings.measureMs + PATIENCE_MS);
    child.stderr.setEncoding('utf8').on('data', (text) => { complaints += text; });
    child.once('message', (message) => { reply = message; });
    child.once('close', (code, signal) => {
      clearTimeout(patience);
      const error = isLate ? 'requests are not answered' : `its process ended with ${signal ?? code}: ${complaints}`;
      resolve(reply ?? { error: error.trim() });
    });
  });
}

/**
 * Measures all clients.
 * @param {{ id: string }[]} clients
 * @param {number} rounds
 * @param {(client: { id: string }) => import('./senders').Settings} settingsOf
 * @param {() => void} onMeasured called after each measurement
 * @returns {Promise<{ client: object, version?: string, samples: (import('./worker').Sample|null)[],
 *   errors: string[] }[]>}
 */
async function measureRounds(clients, rounds, settingsOf, onMeasured) {
  const measured = clients.map((client) => ({ client, version: undefined, samples: [], errors: [] }));
  for (let round = 0; round < rounds; round++) {
    // Each round runs the other way round, so that none always comes after the same neighbour.
    for (const row of round % 2 === 0 ? measured : [...measured].reverse()) {
      const { sample, version, error } = await measureOnce(settingsOf(row.client));
      row.samples.push(sample ?? null);
      row.version ??= version;
      if (error) row.errors.push(`round ${round + 1}: ${error}`);
      onMeasured();
    }
  }
  return measured;
}

module.exports = { measureRounds, start };
