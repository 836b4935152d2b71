'use strict';

const { number } = require('../report/columns');
const { table } = require('../report/markdown');
const { COMPILED } = require('./perf');
const { readable, selfTimesByFunction, selfTimesByPlace, PSEUDO_FRAMES } = require('./self-times');

const TOP_FUNCTIONS = 25;
const TOP_SPOTS = 20;
const LONGEST_SYMBOL = 80;
const TOP_CALLS = 12;

// Below this a row is noise.
const SMALLEST_US = 0.05;
const SMALLEST_CALLS = 0.005;

/**
 * Everything that was found about one client.
 *
 * @typedef {object} ClientProfile
 * @property {import('../../clients').Client} client
 * @property {import('./profiled-run').ProfiledSample} plain a run without any profiler
 * @property {import('./profiled-run').ProfiledSample} profiled
 * @property {{ spots: import('./perf').HotSpot[], names: Map<string, string> }} [hot]
 * @property {{ calls: import('./perf').CallCount[], answers: number, names: Map<string, string> }} [calls]
 *
 * @param {ClientProfile} found
 * @returns {string} a Markdown section
 */
function clientSection(found) {
  const { client, plain } = found;
  const { rate, cpu, js, switches, server = NaN, others = NaN } = plain.sample;
  const summary =
    `${number(rate, 0)} requests a second; a request takes ${number(cpu, 1)} µs of CPU on all threads, holds the ` +
    `JavaScript thread for ${number(js, 1)} µs and makes ${number(switches, 2)} context switches; the server used ` +
    `${number(server * 100, 0)} % of a processor, and processes that take no part ${number(others * 100, 0)} %.`;
  const parts = [`### ${client.label}`, summary, threadTable(plain), ...functionTables(found)];
  if (found.hot) {
    parts.push(...hotSpotTables(found.hot, plain));
  }
  if (found.calls) {
    parts.push(callTable(found.calls));
  }
  return parts.join('\n\n');
}

/**
 * @param {import('./profiled-run').ProfiledSample} plain
 * @returns {string}
 */
function threadTable({ threads, answers }) {
  const groups = groupThreads(threads);
  const rows = groups.map(({ label, cpuUs, userTicks, systemTicks, switches }) => {
    // The scheduler's total is exact; its division into user and kernel mode is known in ticks only.
    const user = cpuUs * (userTicks / (userTicks + systemTicks || 1));
    return [label, ...[cpuUs, user, cpuUs - user, switches].map((value) => number(value / answers, 2))];
  });
  return table(['thread', 'CPU µs/req', 'user', 'kernel', 'switches/req'], rows);
}

/**
 * @param {import('./profiled-run').ThreadUse[]} threads
 * @returns {(import('./profiled-run').ThreadUse & { label: string })[]} those of one name together
 */
function groupThreads(threads) {
  const groups = new Map();
  for (const thread of threads) {
    const name = thread.main ? 'JavaScript thread' : thread.name;
    const group = groups.get(name) ?? { count: 0, cpuUs: 0, userTicks: 0, systemTicks: 0, switches: 0 };
    group.count++;
    for (const key of ['cpuUs', 'userTicks', 'systemTicks', 'switches']) {
      group[key] += thread[key];
    }
    groups.set(name, group);
  }
  return [...groups].map(([name, group]) => ({ ...group, label: group.count > 1 ? `${group.count} × ${name}` : name }));
}

/**
 * Where the JavaScript thread's time goes. The profiler slows the thread down, so that its shares are applied to the
 * CPU time that was measured without it.
 *
 * @param {ClientProfile} found
 * @returns {string[]}
 */
function functionTables({ plain, profiled }) {
  const functions = selfTimesByFunction(/** @type {NonNullable<typeof profiled.profile>} */ (profiled.profile));
  const idle = functions.find(({ name }) => name === '(idle)')?.us ?? 0;
  const active = functions.reduce((sum, { us }) => sum + us, 0) - idle;
  const perRequest = (entry) => (entry.us / active) * /** @type {number} */ (plain.sample.jsCpu);
  const numbers = (entry) => [number(perRequest(entry), 2), percent(entry.us / active)];
  const worthwhile = (entry) => perRequest(entry) >= SMALLEST_US;

  const real = functions.filter(({ name }) => !PSEUDO_FRAMES.has(name));
  const pseudo = functions.filter(({ name }) => PSEUDO_FRAMES.has(name) && name !== '(idle)');
  const places = [...selfTimesByPlace(real), ...pseudo].sort((a, b) => b.us - a.us).filter(worthwhile);
  const top = real.slice(0, TOP_FUNCTIONS).filter(worthwhile);
  return [
    table(
      ['JavaScript thread, by place', 'µs/req', 'share'],
      places.map((entry) => [readable(entry), ...numbers(entry)]),
    ),
    table(
      ['JavaScript thread, by function', 'where', 'µs/req', 'share'],
      top.map((entry) => [entry.name, entry.where, ...numbers(entry)]),
      2,
    ),
  ];
}

/**
 * Where every thread's time goes, down to the kernel's functions.
 *
 * @param {NonNullable<ClientProfile['hot']>} hot
 * @param {import('./profiled-run').ProfiledSample} plain
 * @returns {string[]}
 */
function hotSpotTables({ spots, names }, { sample }) {
  const numbers = (share) => [number(share * /** @type {number} */ (sample.cpu), 2), percent(share)];
  const byObject = new Map();
  for (const { thread, object, share } of spots) {
    const key = `${names.get(thread) ?? thread}\n${object}`;
    byObject.set(key, (byObject.get(key) ?? 0) + share);
  }
  const objects = [...byObject]
    .sort(([, a], [, b]) => b - a)
    .filter(([, share]) => share * /** @type {number} */ (sample.cpu) >= SMALLEST_US);
  const symbols = spots.filter(({ object }) => object !== COMPILED).slice(0, TOP_SPOTS);
  return [
    table(
      ['thread', 'code in', 'µs/req', 'share'],
      objects.map(([key, share]) => [...key.split('\n'), ...numbers(share)]),
      2,
    ),
    table(
      ['native function', 'in', 'thread', 'µs/req', 'share'],
      symbols.map(({ thread, object, symbol, share }) => [
        symbol.slice(0, LONGEST_SYMBOL),
        object,
        names.get(thread) ?? thread,
        ...numbers(share),
      ]),
      3,
    ),
  ];
}

/**
 * @param {NonNullable<ClientProfile['calls']>} calls
 * @returns {string}
 */
function callTable({ calls, answers, names }) {
  const rows = calls
    .filter(({ count }) => count / answers >= SMALLEST_CALLS)
    .slice(0, TOP_CALLS)
    .map(({ thread, call, count }) => [call, names.get(thread) ?? thread, number(count / answers, 3)]);
  return table(['system call', 'thread', 'calls/req'], rows, 2);
}

/**
 * @param {number} share
 * @returns {string}
 */
function percent(share) {
  return `${number(share * 100, 1)} %`;
}

module.exports = { clientSection };
