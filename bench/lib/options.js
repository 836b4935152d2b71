'use strict';

const { parseArgs } = require('node:util');

const { clientById, otherCheckout } = require('../clients');
const { workloads } = require('../workloads');

const USAGE = `Usage: node bench/run.js [options]

  --quick             a rough answer in under a minute: fewer workloads, 2 short rounds
  --rounds N          rounds of each workload (default 7)
  --workload REGEX    only workloads whose id or title matches
  --client LIST       only these clients, separated by commas (the baseline is always there)
  --compare DIR       also measure the ferrequest of another checkout
  --node BIN          run the clients with another Node binary
  --write             write the section of this machine in bench/RESULTS.md, and its chart
  --json FILE         write every sample to FILE
  --list              show the workloads and clients, and measure nothing
  --help`;

// V8 takes about a second, and some thousand calls of a function, until it has compiled what it will compile; a shorter
// warm-up measures that instead.
const WARM_UP = { warmUpMs: 1000, warmUpAnswers: 2500, longestWarmUpMs: 6000 };
const FULL = {
  rounds: 7,
  timing: { ...WARM_UP, measureMs: 800, warmUpTransfers: 2, transfers: 3 },
};
const QUICK = {
  rounds: 2,
  timing: {
    warmUpMs: 800, warmUpAnswers: 0, longestWarmUpMs: 800, measureMs: 300, warmUpTransfers: 1, transfers: 1,
  },
};

// Those that a rough answer can do without.
const NOT_QUICK = new Set(['fetch', 'net-socket', 'wrk']);

/**
 * How long one measurement takes.
 *
 * @typedef {object} Timing
 * @property {number} warmUpMs the least
 * @property {number} warmUpAnswers how many answers it goes on for, within `longestWarmUpMs`
 * @property {number} longestWarmUpMs
 * @property {number} measureMs
 * @property {number} warmUpTransfers how many bodies, where bodies are what counts
 * @property {number} transfers
 *
 * @typedef {object} Options
 * @property {number} rounds
 * @property {Timing} timing
 * @property {{ workload: import('../workloads').Workload, clients: import('../clients').Client[] }[]} plan
 * @property {string} node
 * @property {boolean} write
 * @property {string | undefined} json
 * @property {boolean} list
 * @property {string[]} scope what is said of the choice of workloads and clients; empty if all are measured
 *
 * @param {string[]} args
 * @returns {Options | null} null if only the usage was asked for
 */
function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      workload: { type: 'string' },
      client: { type: 'string' },
      compare: { type: 'string' },
      node: { type: 'string', default: process.execPath },
      write: { type: 'boolean', default: false },
      json: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    return null;
  }
  const { rounds, timing } = values.quick ? QUICK : FULL;
  return {
    rounds: values.rounds === undefined ? rounds : positiveInteger(values.rounds),
    timing,
    plan: planOf(values),
    node: values.node,
    write: values.write,
    json: values.json,
    list: values.list,
    scope: scopeOf(values),
  };
}

/**
 * @param {string} text
 * @returns {number}
 */
function positiveInteger(text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new Error(`--rounds takes a positive integer, not ${text}`);
  }
  return number;
}

/**
 * Says which choice of workloads and clients was made.
 *
 * @param {{ quick: boolean, workload?: string, client?: string }} values
 * @returns {string[]}
 */
function scopeOf({ quick, workload, client }) {
  return [
    ...quick ? ['quick'] : [],
    ...workload === undefined ? [] : [`workloads \`${workload}\``],
    ...client === undefined ? [] : ['some clients'],
  ];
}

/**
 * Which clients are measured in which workloads.
 *
 * @param {{ quick: boolean, workload?: string, client?: string, compare?: string }} values
 * @returns {Options['plan']}
 */
function planOf({ quick, workload: pattern, client: list, compare }) {
  const wanted = pattern === undefined ? null : new RegExp(pattern, 'i');
  const named = list?.split(',').map((id) => clientById(id.trim()).id);
  const other = compare === undefined ? null : otherCheckout(compare);
  const plan = workloads
    .filter(({ id, title, quick: rough }) => (wanted ? wanted.test(id) || wanted.test(title) : !quick || rough))
    .map((workload) => ({ workload, clients: clientsOf(workload, named, quick, other) }))
    .filter(({ clients }) => clients.length > 0);
  if (plan.length === 0) {
    throw new Error('no workload and client match; see --list');
  }
  return plan;
}

/**
 * @param {import('../workloads').Workload} workload
 * @param {string[] | undefined} named
 * @param {boolean} quick
 * @param {import('../clients').Client | null} other
 * @returns {import('../clients').Client[]}
 */
function clientsOf(workload, named, quick, other) {
  const ids = new Set(workload.clients.filter((id) => (named ? named.includes(id) : !quick || !NOT_QUICK.has(id))));
  if (ids.size === 0) {
    return [];
  }
  const baselines = [...ids].map((id) => clientById(id).baseline ?? workload.clients[0]);
  const clients = workload.clients.filter((id) => ids.has(id) || baselines.includes(id)).map(clientById);
  const measuresOurs = workload.clients.includes('ferrequest');
  return other && measuresOurs ? [...clients, other] : clients;
}

module.exports = { parseOptions, USAGE, WARM_UP };
