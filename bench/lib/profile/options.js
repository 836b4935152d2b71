'use strict';

const { parseArgs } = require('node:util');

const { clientById } = require('../../clients');
const { workloadById } = require('../../workloads');

const USAGE = `Usage: node bench/profile.js [options]

  --workload LIST   ids of workloads, separated by commas (default get-50,get-1)
  --client LIST     ids of clients (default node,undici-dispatch,ferrequest)
  --seconds N       length of each measured window (default 3)
  --node BIN        run the clients with another Node binary
  --no-perf         no native profile and no system calls, even where perf can be used
  --keep DIR        keep the CPU profiles, for Chrome's developer tools
  --write           write bench/PROFILE.md
  --help`;

/**
 * @typedef {object} Options
 * @property {import('../../workloads').Workload[]} workloads
 * @property {import('../../clients').Client[]} clients
 * @property {number} milliseconds
 * @property {string} node
 * @property {boolean} perf
 * @property {string | undefined} keep
 * @property {boolean} write
 *
 * @param {string[]} args
 * @returns {Options | null} null if only the usage was asked for
 */
function parseOptions(args) {
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      workload: { type: 'string', default: 'get-50,get-1' },
      client: { type: 'string', default: 'node,undici-dispatch,ferrequest' },
      seconds: { type: 'string', default: '3' },
      node: { type: 'string', default: process.execPath },
      perf: { type: 'boolean', default: true },
      keep: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    return null;
  }
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) {
    throw new Error(`--seconds takes a positive number, not ${values.seconds}`);
  }
  return {
    workloads: values.workload.split(',').map((id) => profilable(workloadById(id.trim()))),
    clients: values.client.split(',').map((id) => driven(clientById(id.trim()))),
    milliseconds: seconds * 1000,
    node: values.node,
    perf: values.perf,
    keep: values.keep,
    write: values.write,
  };
}

/**
 * @param {import('../../workloads').Workload} workload
 * @returns {import('../../workloads').Workload}
 */
function profilable(workload) {
  if (workload.run !== 'steady' || workload.transferBytes !== undefined) {
    throw new Error(`${workload.id} has no requests a second to be divided among`);
  }
  return workload;
}

/**
 * @param {import('../../clients').Client} client
 * @returns {import('../../clients').Client}
 */
function driven(client) {
  if (!client.file) {
    throw new Error(`${client.id} is not a Node program`);
  }
  return client;
}

module.exports = { parseOptions, USAGE };
