'use strict';

const { execFile, execFileSync, spawnSync } = require('node:child_process');
const { promisify } = require('node:util');

const { MARK_SIGNAL } = require('./profiled-run');

const run = promisify(execFile);
const MAX_OUTPUT = 64 * 1024 * 1024;
const SAMPLES_A_SECOND = '1999';

/** What the machine code that V8 makes is called; perf knows no names in it. */
const COMPILED = 'compiled JavaScript';

/** The calls that an HTTP client can be expected to make; perf wants each by name. */
const SYSTEM_CALLS = [
  'read', 'write', 'readv', 'writev', 'recvfrom', 'sendto', 'recvmsg', 'sendmsg', 'socket', 'connect', 'bind', 'close',
  'shutdown', 'getsockname', 'getpeername', 'getsockopt', 'setsockopt', 'fcntl', 'ioctl', 'dup', 'epoll_wait',
  'epoll_pwait', 'epoll_pwait2', 'epoll_ctl', 'futex', 'sched_yield', 'mmap', 'munmap', 'mprotect', 'madvise',
  'io_uring_enter',
];

/** @returns {string | null} why perf cannot be used here, null if it can */
function perfProblem() {
  const args = ['stat', '-e', 'syscalls:sys_enter_read', 'true'];
  const { error, status, stderr } = spawnSync('perf', args, { encoding: 'utf8' });
  if (error) {
    return 'perf is not installed';
  }
  return status === 0 ? null : `perf may not trace here: ${stderr.trim().split('\n')[0]}`;
}

/**
 * Where a thread's processor time went, as perf sampled it.
 *
 * @typedef {object} HotSpot
 * @property {string} thread its id
 * @property {string} object the kernel, an executable, a library, or code made at run time
 * @property {string} symbol
 * @property {number} share of the process's samples
 *
 * @param {number} pid
 * @param {number} seconds
 * @param {string} dataFile
 * @returns {Promise<HotSpot[]>}
 */
async function recordHotSpots(pid, seconds, dataFile) {
  const common = ['-q', '-e', 'cpu-clock', '-F', SAMPLES_A_SECOND, '-o', dataFile, '-p', String(pid)];
  await run('perf', ['record', ...common, 'sleep', String(seconds)]);
  const report = execFileSync(
    'perf',
    ['report', '-i', dataFile, '--stdio', '--sort', 'pid,dso,symbol', '-F', 'sample,pid,dso,symbol', '-t', '|'],
    { encoding: 'utf8', maxBuffer: MAX_OUTPUT, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  return toHotSpots(report);
}

/**
 * @param {string} report
 * @returns {HotSpot[]} the hottest first
 */
function toHotSpots(report) {
  /** @type {Map<string, HotSpot & { samples: number }>} */
  const spots = new Map();
  let total = 0;
  for (const line of report.split('\n')) {
    const fields = line.split('|').map((field) => field.trim());
    if (line.startsWith('#') || fields.length < 4) {
      continue;
    }
    const [samples, thread, dso, symbol] = fields;
    const object = objectName(dso);
    // "[k] tcp_sendmsg": the mark says kernel or user, which the object says already.
    const name = object === COMPILED ? object : symbol.replace(/^\[[^\]]*\]\s*/, '');
    const id = thread.split(':')[0];
    const key = `${id}|${object}|${name}`;
    const known = spots.get(key) ?? { thread: id, object, symbol: name, share: 0, samples: 0 };
    known.samples += Number(samples);
    total += Number(samples);
    spots.set(key, known);
  }
  return [...spots.values()]
    .map(({ samples, ...spot }) => ({ ...spot, share: samples / total }))
    .sort((a, b) => b.share - a.share);
}

/**
 * @param {string} dso
 * @returns {string}
 */
function objectName(dso) {
  if (dso === '[kernel.kallsyms]' || dso === '[kernel]') {
    return 'kernel';
  }
  return /JIT|anon|memfd/.test(dso) ? COMPILED : dso;
}

/**
 * How often each thread called the kernel.
 *
 * @typedef {object} CallCount
 * @property {string} thread its id
 * @property {string} call
 * @property {number} count between two marks
 *
 * @param {number} pid
 * @param {number} seconds
 * @returns {Promise<CallCount[]>}
 */
async function countSystemCalls(pid, seconds) {
  const available = availableCalls();
  const events = available.flatMap((call) => ['-e', `syscalls:sys_enter_${call}`]);
  // perf takes its time to attach and to let go, so what it counted in belongs between marks of its own command.
  const mark = `kill -${MARK_SIGNAL.replace('SIG', '')} ${pid}`;
  const { stderr } = await run(
    'perf',
    ['stat', '--per-thread', '-x', '|', ...events, '-p', String(pid), 'sh', '-c', `${mark}; sleep ${seconds}; ${mark}`],
    { maxBuffer: MAX_OUTPUT },
  );
  return toCallCounts(stderr);
}

/**
 * @param {string} output lines of `name-id|count|unit|event|...`
 * @returns {CallCount[]} the most frequent first
 */
function toCallCounts(output) {
  return output
    .split('\n')
    .map((line) => line.split('|'))
    .filter((fields) => fields.length > 3 && Number(fields[1]) > 0)
    .map(([thread, count, , event]) => ({
      thread: thread.slice(thread.lastIndexOf('-') + 1),
      call: event.replace('syscalls:sys_enter_', ''),
      count: Number(count),
    }))
    .sort((a, b) => b.count - a.count);
}

/** @returns {string[]} those of the calls that this kernel and architecture have */
function availableCalls() {
  const listing = { encoding: 'utf8', maxBuffer: MAX_OUTPUT };
  const { stdout } = spawnSync('perf', ['list', 'syscalls:sys_enter_*'], listing);
  return SYSTEM_CALLS.filter((call) => new RegExp(`sys_enter_${call}\\b`).test(stdout));
}

module.exports = { COMPILED, perfProblem, recordHotSpots, countSystemCalls };
