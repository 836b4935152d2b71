'use strict';

/**
 * The process in which one client is measured once. It gets its settings as its only argument, sends one message with
 * the sample, and ends.
 *
 * @typedef {object} Settings
 * @property {import('../clients').Client} client
 * @property {string} [workload] none to see only whether the client can be loaded
 * @property {import('./server-process').ServerAddress} server
 * @property {import('./options').Timing} timing
 * @property {'threads' | 'functions'} [profile] what to look at beside the sample
 */

const fs = require('node:fs');
const path = require('node:path');

const { workloadById } = require('../workloads');
const { idleRun } = require('./idle-run');
const { profiledRun } = require('./profile/profiled-run');
const { steadyRun } = require('./steady-run');

/** @param {Settings} settings */
async function main(settings) {
  const driver = require(path.join(__dirname, '..', 'clients', /** @type {string} */ (settings.client.file)));
  const workload = workloadById(settings.workload ?? 'get-1');
  const target = targetOf(workload, settings.server);
  const open = (overrides) => driver.open({ ...target, ...overrides }, settings.client.module);
  if (!settings.workload) {
    await open({});
    return {};
  }
  if (workload.run === 'idle') {
    return idleRun(async (overrides) => open(overrides), workload, settings);
  }
  const session = await open({});
  const sample = await (settings.profile ? profiledRun : steadyRun)(session, workload, settings);
  session.close();
  return sample;
}

/**
 * @param {import('../workloads').Workload} workload
 * @param {import('./server-process').ServerAddress} server
 * @returns {import('../clients').Target}
 */
function targetOf(workload, server) {
  const protocol = workload.tls ? 'https:' : 'http:';
  const port = workload.tls ? server.https : server.http;
  return {
    protocol,
    host: server.host,
    port,
    origin: `${protocol}//${server.host}:${port}`,
    request: workload.request,
    connections: workload.connections,
    newConnections: workload.newConnections ?? false,
    ca: workload.ca ? fs.readFileSync(server.certificateFile, 'utf8') : undefined,
    sessions: workload.sessions,
  };
}

/** @param {object} message */
function reply(message) {
  /** @type {NonNullable<typeof process.send>} */ (process.send)(message, () => process.exit());
}

main(JSON.parse(process.argv[2])).then(
  (sample) => reply({ sample }),
  (error) => reply({ error: error?.stack ?? String(error) }),
);
