'use strict';

/**
 * Puts the client under fire for as long as it is told.
 *
 *     npm run soak -- [--minutes N | --requests N] [--seed S] [--client ferrequest|node]
 *       [--transport native,lent,stream,duplex,tls] [--limit 200] [--deadline MS] [--node BIN]
 *
 * Each round of a storm has a seed of its own, the first one S. `--limit` says how many requests are in progress at
 * most. `--client node` puts node:http in our place. `--node` runs all under another Node. The status is 1 if there
 * is a breach, 2 if the storm itself fails, and 3 if the process does not end when all is over.
 */

const { spawnSync } = require('node:child_process');
const { parseArgs } = require('node:util');

const { BREACHES } = require('./storm/verdict');
const { Storm } = require('./storm/storm');

const TRANSPORTS = ['native', 'native', 'stream', 'duplex', 'tls'];

/** Requests of one round of a storm without end. */
const ROUND = 20_000;

/** Milliseconds in which a process must end when nothing is left to do. */
const MOST_TO_END = 10_000;

const OPTIONS = {
  minutes: { type: 'string' },
  requests: { type: 'string' },
  seed: { type: 'string', default: '1' },
  client: { type: 'string', default: 'ferrequest' },
  transport: { type: 'string', default: TRANSPORTS.join(',') },
  limit: { type: 'string', default: '200' },
  deadline: { type: 'string', default: '30000' },
  node: { type: 'string' },
};

/** Loads the client that is put under fire. */
function clientOf(name) {
  if (name === 'node') return { http: require('node:http'), https: require('node:https') };
  return { http: require('..'), https: require('../https') };
}

/** Prints a table of counts, the greatest first. */
function printCounts(counts) {
  for (const [name, count] of Object.entries(counts).sort(([, a], [, b]) => b - a)) {
    console.log(`${String(count).padStart(9)}  ${name}`);
  }
}

/** Runs one storm, and prints what came of it. */
async function runStorm(values, client, { seed, requests, until }) {
  const began = Date.now();
  const storm = new Storm({
    client, seed, transports: values.transport.split(','), limit: Number(values.limit),
    deadline: Number(values.deadline),
  });
  await storm.start();
  for (let left = requests - storm.next; left > 0 && Date.now() < until; left = requests - storm.next) {
    await storm.run(Math.min(left, 2000));
  }
  storm.stop();
  const { verdict } = storm;
  const seconds = (Date.now() - began) / 1000;
  printCounts(verdict.outcomes);
  for (const example of verdict.examples) console.log(`  ${example}`);
  const direct = client.http.stats ? `; ${client.http.stats().direct} on lent connections` : '';
  console.log(`${storm.connections} connections, ${verdict.stale} requests on connections that had ended; ` +
    `${storm.forgeries} forgeries, ${verdict.raced} raced with a request, ${verdict.behind} made one fail${direct}; ` +
    `${seconds.toFixed(0)} s`);
  const counts = Object.keys(BREACHES).map((name) => `${name} ${verdict.breaches[name]}`).join(', ');
  console.log(`${process.version} ${values.client} seed ${seed}: ${verdict.requests} requests, ${counts}`);
  return verdict.total;
}

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.node) {
    const { node, ...others } = values;
    const args = Object.entries(others).map(([name, value]) => `--${name}=${value}`);
    process.exitCode = spawnSync(node, [...process.execArgv, __filename, ...args], { stdio: 'inherit' }).status ?? 2;
    return;
  }
  process.exitCode = 2;
  const client = clientOf(values.client);
  const until = values.minutes ? Date.now() + Number(values.minutes) * 60_000 : Infinity;
  let left = values.requests ? Number(values.requests) : values.minutes ? Infinity : ROUND;
  let breaches = 0;
  for (let seed = Number(values.seed); left > 0 && Date.now() < until; seed++) {
    const requests = Math.min(left, ROUND);
    breaches += await runStorm(values, client, { seed, requests, until });
    left -= requests;
  }
  process.exitCode = breaches > 0 ? 1 : 0;
  setTimeout(() => {
    console.log(`the process does not end: ${process.getActiveResourcesInfo()}`);
    process.exit(3);
  }, MOST_TO_END).unref();
}

main();
