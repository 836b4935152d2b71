'use strict';

const fs = require('node:fs');

// USER_HZ, the unit of /proc/*/stat, is 100 on every architecture that Node runs on (proc(5), time(7)).
const TICK_US = 10_000;

/**
 * @param {string} path
 * @returns {string | null} null where the system has no such file, or the process has gone
 */
function readIfThere(path) {
  try {
    return fs.readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}

/**
 * The CPU time of one thread. The scheduler's own count has nanoseconds; where the kernel was built without it, ticks.
 *
 * @param {string} directory `/proc/<pid>` for a main thread, `/proc/<pid>/task/<tid>` for any
 * @returns {number} microseconds, NaN if it cannot be known
 */
function threadCpu(directory) {
  const schedstat = readIfThere(`${directory}/schedstat`);
  if (schedstat !== null) {
    return Number(schedstat.split(' ')[0]) / 1000;
  }
  const ticks = cpuTicks(directory);
  return ticks ? (ticks.user + ticks.system) * TICK_US : NaN;
}

/**
 * @param {string} directory
 * @returns {{ user: number, system: number } | null} clock ticks
 */
function cpuTicks(directory) {
  const stat = readIfThere(`${directory}/stat`);
  if (stat === null) {
    return null;
  }
  // The name, in parentheses, can contain anything; utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { user: Number(fields[11]), system: Number(fields[12]) };
}

/**
 * Time that the whole machine's processors were at work, for anyone.
 *
 * @returns {number} microseconds, NaN if it cannot be known
 */
function machineCpu() {
  const line = readIfThere('/proc/stat')?.split('\n', 1)[0];
  if (!line) {
    return NaN;
  }
  const [user, nice, system, , , irq, softirq, steal] = line.trim().split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK_US;
}

/**
 * Every thread of this process: its name, CPU time and context switches.
 *
 * @typedef {object} ThreadTimes
 * @property {string} id
 * @property {string} name
 * @property {number} cpuUs
 * @property {number} userTicks
 * @property {number} systemTicks
 * @property {number} voluntarySwitches
 * @property {number} involuntarySwitches
 *
 * @returns {ThreadTimes[]}
 */
function threads() {
  return fs.readdirSync('/proc/self/task').map((id) => {
    const directory = `/proc/self/task/${id}`;
    const status = readIfThere(`${directory}/status`) ?? '';
    const ticks = cpuTicks(directory) ?? { user: NaN, system: NaN };
    return {
      id,
      name: (readIfThere(`${directory}/comm`) ?? '').trim(),
      cpuUs: threadCpu(directory),
      userTicks: ticks.user,
      systemTicks: ticks.system,
      voluntarySwitches: numberAfter(status, '\nvoluntary_ctxt_switches:'),
      involuntarySwitches: numberAfter(status, '\nnonvoluntary_ctxt_switches:'),
    };
  });
}

/**
 * @param {string} text
 * @param {string} label
 * @returns {number}
 */
function numberAfter(text, label) {
  const at = text.indexOf(label);
  return at === -1 ? NaN : Number.parseInt(text.slice(at + label.length), 10);
}

module.exports = { threadCpu, machineCpu, threads, TICK_US };
