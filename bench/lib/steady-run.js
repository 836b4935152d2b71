'use strict';

const { monitorEventLoopDelay } = require('node:perf_hooks');

const { MIB } = require('../workloads');
const { BusyWork } = require('./busy-work');
const { ClosedLoop } = require('./closed-loop');
const { MeasurementWindow } = require('./measurement-window');

// Milliseconds between two samples of the event-loop delay, the shortest that the timers of the loop have.
const DELAY_RESOLUTION_MS = 1;

/**
 * One measurement of one client: what it did in the window, per request, or per MiB where bodies are what counts.
 *
 * @typedef {object} Sample
 * @property {number} [rate] units a second
 * @property {number} [cpu] microseconds of CPU a unit, all threads
 * @property {number} [js] microseconds on the JavaScript thread a unit
 * @property {number} [jsCpu] CPU microseconds of the JavaScript thread a unit
 * @property {number} [switches] context switches a unit
 * @property {number} [p50] milliseconds
 * @property {number} [p99] milliseconds
 * @property {number} [loopDelay] milliseconds, the 99th percentile of the event-loop delay
 * @property {number} [resumed] share of the TLS handshakes that resumed a session
 * @property {number} [rss] MiB at the end
 * @property {number} [rssGrowth] KiB a connection
 * @property {number} [restedGrowth] the same after a rest
 * @property {number} [idleCpu] share of one processor used while idle
 * @property {number} [server] share of one processor that the server used
 * @property {number} [others] share of one processor that processes used which take no part
 *
 * Who wants to look at the window itself.
 *
 * @typedef {object} Observer
 * @property {(loop: ClosedLoop) => Promise<void>} [onStart]
 * @property {(answers: number) => Promise<void>} [onEnd]
 *
 * @param {import('../clients').Session} session
 * @param {import('../workloads').Workload} workload
 * @param {import('./worker').Settings} settings
 * @param {Observer} [observer]
 * @returns {Promise<Sample>}
 */
async function steadyRun(session, workload, settings, observer = {}) {
  const byCount = workload.transferBytes !== undefined;
  const loop = new ClosedLoop(session.send, workload.connections);
  const busy = workload.busyShare ? new BusyWork(workload.busyShare) : null;

  await (byCount ? loop.afterAnswers(settings.timing.warmUpTransfers) : warmUp(loop, settings.timing));
  await observer.onStart?.(loop);
  loop.latencies.reset();
  const before = loop.completed;
  const heldBefore = heldSoFar(busy);
  const delay = workload.loopDelay ? startDelayMonitor() : null;
  const window = new MeasurementWindow(settings.server.pid);
  await (byCount ? loop.afterAnswers(settings.timing.transfers) : loop.afterTime(settings.timing.measureMs));
  const usage = window.close();
  const ofLoop = delay ? { loopDelay: delayPercentile(delay) } : {};
  const answers = loop.completed - before;
  const ended = observer.onEnd?.(answers);
  const rss = process.memoryUsage.rss() / MIB;
  const held = heldSoFar(busy);
  const ofOthers = { wallUs: held.wallUs - heldBefore.wallUs, cpuUs: held.cpuUs - heldBefore.cpuUs };
  const sample = perUnit(usage, answers * unitsPerAnswer(workload), ofOthers);
  const latencies = { p50: loop.latencies.percentile(0.5), p99: loop.latencies.percentile(0.99) };

  await ended;
  busy?.stop();
  await loop.drain();
  return { ...sample, ...latencies, ...ofLoop, rss };
}

/**
 * Lets a loop run until V8 has compiled its code.
 *
 * @param {ClosedLoop} loop
 * @param {import('./options').Timing} timing
 */
async function warmUp(loop, { warmUpMs, warmUpAnswers, longestWarmUpMs }) {
  await loop.afterTime(warmUpMs);
  const missing = warmUpAnswers - loop.completed;
  if (missing > 0) {
    await Promise.race([loop.afterAnswers(missing), loop.afterTime(longestWarmUpMs - warmUpMs)]);
  }
}

/** @returns {import('node:perf_hooks').IntervalHistogram} */
function startDelayMonitor() {
  const monitor = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  monitor.enable();
  return monitor;
}

/**
 * Stops the monitor, and computes by how much its timer was late.
 *
 * @param {import('node:perf_hooks').IntervalHistogram} monitor
 * @returns {number} Milliseconds, the 99th percentile.
 */
function delayPercentile(monitor) {
  monitor.disable();
  // What the histogram has is the nanoseconds between two calls of the timer.
  return Math.max(0, monitor.percentile(99) / 1e6 - DELAY_RESOLUTION_MS);
}

/**
 * @param {import('../workloads').Workload} workload
 * @returns {number}
 */
function unitsPerAnswer({ transferBytes }) {
  return transferBytes === undefined ? 1 : transferBytes / MIB;
}

/**
 * @param {BusyWork | null} busy
 * @returns {{ wallUs: number, cpuUs: number }} what work that is not the client's took of the JavaScript thread
 */
function heldSoFar(busy) {
  return busy ? { wallUs: busy.spentMs * 1000, cpuUs: busy.spentCpuUs } : { wallUs: 0, cpuUs: 0 };
}

/**
 * @param {import('./measurement-window').Usage} usage
 * @param {number} units
 * @param {{ wallUs: number, cpuUs: number }} held by other work, which is not the client's
 * @returns {Sample}
 */
function perUnit(usage, units, held) {
  return {
    rate: units / (usage.wallUs / 1e6),
    cpu: (usage.cpuUs - held.cpuUs) / units,
    js: (usage.jsUs - held.wallUs) / units,
    jsCpu: (usage.jsCpuUs - held.cpuUs) / units,
    switches: usage.switches / units,
    server: usage.serverCpuUs / usage.wallUs,
    others: usage.othersCpuUs / usage.wallUs,
  };
}

module.exports = { steadyRun, unitsPerAnswer };
