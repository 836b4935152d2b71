'use strict';

/** Puts the client under fire: `npm run soak -- --help` says how. */

const { spawnSync } = require('node:child_process');
const { parseArgs } = require('node:util');

const lifetimes = require('./lifetimes');
const memory = require('./memory/memory');
const race = require('./race/race');
const { BREACHES } = require('./storm/verdict');
const { Storm } = require('./storm/storm');

const USAGE = `Puts the client under fire.

  npm run soak -- [storm] [--minutes N | --requests N] [--seed S] [--limit 200] [--deadline MS] [--no-forgeries]
                          [--transport native,lent,stream,duplex,tls,lent-tls,node-tls]
  npm run soak -- race [--requests 20000] [--transport native,lent,stream,tls,lent-tls,node-tls]
                       [--ends close,reset,half,abort]
  npm run soak -- lifetimes [--count 1000] [--seed S] [--only NAME,...]
  npm run soak -- memory [--requests 5000000] [--connections 10000] [--transport native,stream,tls]
  npm run soak -- reload [--count 50]

  --client ferrequest|node   node puts node:http in our place
  --node BIN                 runs all under another Node

storm      each round of 20,000 requests has a seed of its own, the first one S. --limit says how many requests are in
           progress at most, --deadline after how many milliseconds one counts as hung. --no-forgeries leaves out bytes
           for which no request has asked.
race       a server ends connections when they are used again; --ends says how: half reads on, abort reads a request
           and resets. A breach is a request that is read twice, lost, or fails avoidably: it was made when its
           connection was closed already. closing counts those that were made just before.
lifetimes  threads and processes end at random moments, or lack memory, descriptors or ports; --count says how many
           workers are terminated, and how many processes exit. --only names some of: 
           ${lifetimes.NAMES.join(', ')}.
memory     RSS and heap while requests come and go, of paused responses of 1 GiB, and of idle connections.
reload     nginx gets SIGHUP while 50 connections are busy.

The status is 1 if there is a breach, 2 if the soak itself fails, and 3 if the process does not end when all is over.
`;

const TRANSPORTS = ['native', 'native', 'stream', 'duplex', 'tls'];

/** Requests of one round of a storm without end. */
const ROUND = 20_000;

/** Most faults of a kind that are printed. */
const MOST_FAULTS = 20;

/** Milliseconds in which a process must end when nothing is left to do. */
const MOST_TO_END = 10_000;

const OPTIONS = {
  minutes: { type: 'string' },
  requests: { type: 'string' },
  count: { type: 'string' },
  seed: { type: 'string', default: '1' },
  client: { type: 'string', default: 'ferrequest' },
  transport: { type: 'string', default: TRANSPORTS.join(',') },
  limit: { type: 'string', default: '200' },
  deadline: { type: 'string', default: '30000' },
  ends: { type: 'string', default: 'close' },
  'no-forgeries': { type: 'boolean', default: false },
  only: { type: 'string' },
  connections: { type: 'string' },
  node: { type: 'string' },
  help: { type: 'boolean', default: false },
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
    client, seed, setting: { transports: values.transport.split(','), forges: !values['no-forgeries'] },
    limit: Number(values.limit), deadline: Number(values.deadline),
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

/** Runs storms, and gives the number of breaches. */
async function runStorms(values) {
  const client = clientOf(values.client);
  const until = values.minutes ? Date.now() + Number(values.minutes) * 60_000 : Infinity;
  let left = values.requests ? Number(values.requests) : values.minutes ? Infinity : ROUND;
  let breaches = 0;
  for (let seed = Number(values.seed); left > 0 && Date.now() < until; seed++) {
    const requests = Math.min(left, ROUND);
    breaches += await runStorm(values, client, { seed, requests, until });
    left -= requests;
  }
  return breaches;
}

/** Runs what ends threads and processes, and gives the number of faults. */
async function runLifetimes({ count = '1000', seed, client, only }) {
  let faults = 0;
  for (const what of only?.split(',') ?? lifetimes.NAMES) {
    const began = Date.now();
    const result = await lifetimes.run(what, { count: Number(count), seed: Number(seed), client });
    faults += result.faults.length;
    for (const fault of result.faults.slice(0, MOST_FAULTS)) console.log(`  ${fault}`);
    for (const skipped of result.skipped ?? []) console.log(`  this machine cannot do: ${skipped}`);
    const seconds = ((Date.now() - began) / 1000).toFixed(0);
    console.log(`${process.version} ${client}: ${result.ends} ${what}, ${result.faults.length} faults, ${seconds} s`);
  }
  return faults;
}

/** Measures memory, and gives the number of faults. */
async function runMemory({ requests = '5000000', connections = '10000', transport, client }) {
  const isDefault = transport === OPTIONS.transport.default;
  const faults = await memory.measure(clientOf(client), {
    requests: Number(requests), connections: Number(connections), print: console.log,
    transports: isDefault ? undefined : transport.split(','),
  });
  for (const fault of faults) console.log(`  ${fault}`);
  console.log(`${process.version} ${client}: ${requests} requests, ${faults.length} faults`);
  return faults.length;
}

/** What an agent is told to try again at once. */
const RETRY = { minTimeout: 1, maxRetries: 3 };

/** Reloads nginx under load over each transport, and gives the number of breaches. */
async function runReloads({ count = '50', client: name, transport }) {
  // Says at once which servers the machine lacks.
  const reload = require('./reload/reload');
  if (!reload.isPossible) throw new Error('there is no nginx: apt-get install nginx-light');
  const isDefault = transport === OPTIONS.transport.default;
  let breaches = 0;
  for (const one of isDefault ? reload.TRANSPORTS : transport.split(',')) {
    for (const retry of name === 'node' ? [undefined] : [undefined, RETRY]) {
      const { errors, ...counts } = await reload.run(clientOf(name), { transport: one, count: Number(count), retry });
      printCounts(errors);
      const figures = Object.entries(counts).map(([what, number]) => `${what} ${number}`).join(', ');
      console.log(`${process.version} ${name} ${one}${retry ? ' with retry' : ''}: ${count} reloads, ${figures}`);
      breaches += (retry ? 0 : counts.doubled) + (errors.hung ?? 0) + (errors.corrupted ?? 0);
      if (retry) breaches += counts.idempotent;
    }
  }
  return breaches;
}

/** Counters of stats() that tell how a race was run. */
const RACE_COUNTERS = ['staleReplaced', 'direct'];

/** Runs one race, prints what came of it, and gives the number of breaches. */
async function runRace(client, name, options) {
  const began = Date.now();
  const before = client.http.stats?.();
  const { errors, ...counts } = await race.run(client, options);
  const after = client.http.stats?.();
  printCounts(errors);
  const of = after ? RACE_COUNTERS.map((counter) => [counter, after[counter] - before[counter]]) : [];
  const figures = [...Object.entries(counts), ...of].map(([what, count]) => `${what} ${count}`).join(', ');
  const { transport, requests, ends } = options;
  const seconds = ((Date.now() - began) / 1000).toFixed(0);
  console.log(`${process.version} ${name} ${transport}, ends by ${ends}: ` +
    `${requests} requests, ${figures}; ${seconds} s`);
  return counts.doubled + counts.lost + (name === 'node' ? 0 : counts.avoidable);
}

/** Runs the keep-alive race over each transport, and gives the number of breaches. */
async function runRaces({ requests = String(ROUND), transport, ends, client: name }) {
  const client = clientOf(name);
  const isDefault = transport === OPTIONS.transport.default;
  let breaches = 0;
  for (const one of isDefault ? race.TRANSPORTS : transport.split(',')) {
    breaches += await runRace(client, name, { transport: one, requests: Number(requests), ends: ends.split(',') });
  }
  return breaches;
}

const COMMANDS = {
  storm: runStorms, lifetimes: runLifetimes, race: runRaces, memory: runMemory, reload: runReloads,
};

/** Reads the command line, and gives nothing if there is nothing to do. */
function readArguments() {
  try {
    const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
    const [command = 'storm', ...rest] = positionals;
    if (values.help) {
      console.log(USAGE);
      return undefined;
    }
    if (!Object.hasOwn(COMMANDS, command)) throw new Error(`There is no command ${command}.`);
    if (rest.length > 0) throw new Error(`There is one command too many: ${rest[0]}.`);
    return { command, values };
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

async function main() {
  const given = readArguments();
  if (given === undefined) return;
  const { command, values } = given;
  if (values.node) {
    const { node, ...others } = values;
    const args = Object.entries(others).filter(([, value]) => value !== false)
      .map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value}`));
    const argv = [...process.execArgv, __filename, command, ...args];
    process.exitCode = spawnSync(node, argv, { stdio: 'inherit' }).status ?? 2;
    return;
  }
  process.exitCode = 2;
  const breaches = await COMMANDS[command](values);
  process.exitCode = breaches > 0 ? 1 : 0;
  setTimeout(() => {
    console.log(`the process does not end: ${process.getActiveResourcesInfo()}`);
    process.exit(3);
  }, MOST_TO_END).unref();
}

main();
