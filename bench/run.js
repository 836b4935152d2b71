'use strict';

/**
 * Measures ferrequest against the other HTTP clients of Node. README.md beside this file says how and what it shows.
 */

const fs = require('node:fs');
const path = require('node:path');

const { clients: allClients } = require('./clients');
const { measureInProcess } = require('./lib/client-process');
const { countHandshakes, judgeHandshakes } = require('./lib/handshakes');
const { describeMachine } = require('./lib/machine');
const { parseOptions, USAGE } = require('./lib/options');
const { toChart } = require('./lib/report/chart');
const { toMarkdown } = require('./lib/report/markdown');
const { chartFileOf, putSection, titleOf } = require('./lib/report/sections');
const { toText } = require('./lib/report/text');
const { startServer } = require('./lib/server-process');
const { summarise } = require('./lib/summary');
const { measureWrk, wrkProblem } = require('./lib/wrk');
const { workloads } = require('./workloads');

// More than this of a processor in other hands, and the figures say as much about those.
const QUIET_LIMIT = 0.1;

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) {
    console.log(USAGE);
  } else if (options.list) {
    list();
  } else {
    const server = await startServer();
    try {
      await measureAll(options, server.address);
    } finally {
      await server.stop();
    }
  }
}

function list() {
  console.log('Workloads:');
  for (const { id, title } of workloads) {
    console.log(`  ${id.padEnd(16)} ${title}`);
  }
  console.log('Clients:');
  for (const { id, label } of allClients) {
    console.log(`  ${id.padEnd(16)} ${label}`);
  }
}

/**
 * @param {import('./lib/options').Options} options
 * @param {import('./lib/server-process').ServerAddress} server
 */
async function measureAll(options, server) {
  const startedAt = new Date();
  const missing = await findMissing(options, server);
  const isThere = (client) => !missing.some((absent) => absent.client === client);
  for (const { client, reason } of missing) {
    console.log(`Not measured: ${client.label}: ${reason.split('\n', 1)[0]}`);
  }

  const summaries = [];
  for (const { workload, clients } of options.plan) {
    const summary = await measureWorkload(workload, clients.filter(isThere), options, server);
    console.log(toText(summary));
    summaries.push(summary);
  }

  const run = {
    command: ['node', path.join('bench', 'run.js'), ...process.argv.slice(2)].join(' '),
    startedAt,
    endedAt: new Date(),
    rounds: options.rounds,
    timing: options.timing,
    machine: describeMachine(options.node, clientsOf(options).filter(isThere)),
    missing,
    summaries,
    scope: options.scope,
  };
  write(run, options);
  conclude(run);
}

/**
 * @param {import('./lib/options').Options} options
 * @returns {import('./clients').Client[]}
 */
function clientsOf({ plan }) {
  return [...new Set(plan.flatMap(({ clients }) => clients))];
}

/**
 * Looks which clients cannot be run here, and why.
 *
 * @param {import('./lib/options').Options} options
 * @param {import('./lib/server-process').ServerAddress} server
 * @returns {Promise<import('./lib/report/markdown').Run['missing']>}
 */
async function findMissing(options, server) {
  const missing = [];
  for (const client of clientsOf(options)) {
    const reason = client.file
      ? (await measureInProcess({ client, server, timing: options.timing }, options.node)).error
      : wrkProblem();
    if (reason) {
      missing.push({ client, reason });
    }
  }
  return missing;
}

/**
 * @param {import('./workloads').Workload} workload
 * @param {import('./clients').Client[]} clients
 * @param {import('./lib/options').Options} options
 * @param {import('./lib/server-process').ServerAddress} server
 * @returns {Promise<import('./lib/summary').WorkloadSummary>}
 */
async function measureWorkload(workload, clients, options, server) {
  /** @type {Pick<import('./lib/summary').Row, 'client' | 'samples' | 'errors'>[]} */
  const measured = clients.map((client) => ({ client, samples: [], errors: [] }));
  for (let round = 0; round < options.rounds; round++) {
    // Each round runs the other way round, so that nobody always comes after the same neighbour.
    const order = round % 2 === 0 ? measured : [...measured].reverse();
    for (const { client, samples, errors } of order) {
      const settings = { client, workload: workload.id, server, timing: options.timing };
      const { sample, error } = await measureOnce(workload, settings, options.node);
      samples.push(sample ?? null);
      if (error) {
        errors.push(`round ${round + 1}: ${error}`);
      }
    }
  }
  return summarise(workload, measured);
}

/**
 * Measures one client once, with a look at the TLS handshakes where the workload is about them.
 *
 * @param {import('./workloads').Workload} workload
 * @param {import('./lib/worker').Settings} settings
 * @param {string} nodeBinary
 * @returns {Promise<{ sample?: import('./lib/steady-run').Sample, error?: string }>}
 */
async function measureOnce(workload, settings, nodeBinary) {
  if (!settings.client.file) {
    return measureWrk(workload, settings);
  }
  if (!workload.sessions) {
    return measureInProcess(settings, nodeBinary);
  }
  const before = await countHandshakes(settings.server);
  const { sample, error } = await measureInProcess(settings, nodeBinary);
  const { resumed, error: wrongKind } = judgeHandshakes(workload, before, await countHandshakes(settings.server));
  if (error || wrongKind) {
    return { error: error ?? wrongKind };
  }
  return { sample: { ...sample, resumed } };
}

/**
 * @param {import('./lib/report/markdown').Run} run
 * @param {import('./lib/options').Options} options
 */
function write(run, options) {
  if (options.json !== undefined) {
    fs.writeFileSync(options.json, `${JSON.stringify(run, null, 2)}\n`);
  }
  if (options.write) {
    writeResults(run);
  }
}

/**
 * Writes the section of this run in RESULTS.md, and its chart if all was measured.
 *
 * @param {import('./lib/report/markdown').Run} run
 */
function writeResults(run) {
  const file = path.join(__dirname, 'RESULTS.md');
  const title = titleOf(run);
  const chartFile = run.scope.length === 0 ? chartFileOf(title) : '';
  const document = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  fs.writeFileSync(file, putSection(document, title, toMarkdown(run, chartFile)));
  if (chartFile) {
    fs.writeFileSync(path.join(__dirname, chartFile), toChart(run.summaries));
  }
}

/**
 * Says what a reader must know before believing the figures.
 *
 * @param {import('./lib/report/markdown').Run} run
 */
function conclude({ startedAt, endedAt, summaries }) {
  const rows = summaries.flatMap((summary) => summary.rows);
  const seconds = Math.round((endedAt.getTime() - startedAt.getTime()) / 1000);
  console.log(`\n${seconds} s`);
  const noisiest = Math.max(...rows.map(({ medians }) => medians.others).filter(Number.isFinite), 0);
  if (noisiest > QUIET_LIMIT) {
    const percent = Math.round(noisiest * 100);
    console.log(`The machine was not quiet: other processes took up to ${percent} % of a processor.`);
  }
  const failed = rows.reduce((sum, { errors }) => sum + errors.length, 0);
  if (failed > 0) {
    console.log(`${failed} measurements FAILED.`);
    process.exitCode = 1;
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
