'use strict';

const { threads } = require('../proc');
const { steadyRun } = require('../steady-run');
const { CpuProfiler } = require('./cpu-profiler');

/**
 * What each thread did in the measured window.
 *
 * @typedef {object} ThreadUse
 * @property {string} id
 * @property {string} name
 * @property {boolean} main whether it is the JavaScript thread
 * @property {number} cpuUs
 * @property {number} userTicks
 * @property {number} systemTicks
 * @property {number} switches
 *
 * @typedef {object} ProfiledSample
 * @property {import('../steady-run').Sample} sample
 * @property {import('node:inspector').Profiler.Profile | null} profile only where the profiler was asked for
 * @property {ThreadUse[]} threads
 * @property {number} answers in the window
 * @property {number[]} marks answers so far at each mark that a watcher made with MARK_SIGNAL
 */

/** Sent by whoever watches from outside, at the beginning and the end of its watch. */
const MARK_SIGNAL = 'SIGUSR2';

/**
 * A steady run that also takes the times of every thread, and, if the settings ask for it, a CPU profile of the
 * JavaScript thread: each over exactly the measured window.
 *
 * @param {import('../../clients').Session} session
 * @param {import('../../workloads').Workload} workload
 * @param {import('../worker').Settings} settings
 * @returns {Promise<ProfiledSample>}
 */
async function profiledRun(session, workload, settings) {
  const profiler = settings.profile === 'functions' ? new CpuProfiler() : null;
  let before = threads();
  /** @type {ProfiledSample} */
  const result = { sample: {}, profile: null, threads: [], answers: 0, marks: [] };

  async function onStart(loop) {
    process.on(MARK_SIGNAL, () => result.marks.push(loop.completed));
    await profiler?.start();
    process.send?.({ measuring: true });
    before = threads();
  }

  async function onEnd(answers) {
    result.threads = usedSince(before);
    result.answers = answers;
    result.profile = (await profiler?.stop()) ?? null;
  }

  result.sample = await steadyRun(session, workload, settings, { onStart, onEnd });
  return result;
}

/**
 * @param {import('../proc').ThreadTimes[]} before
 * @returns {ThreadUse[]} the busiest first
 */
function usedSince(before) {
  const earlier = new Map(before.map((thread) => [thread.id, thread]));
  return threads()
    .map((thread) => {
      const start = earlier.get(thread.id);
      const since = (key) => thread[key] - (start?.[key] ?? 0);
      return {
        id: thread.id,
        name: thread.name,
        main: thread.id === String(process.pid),
        cpuUs: since('cpuUs'),
        userTicks: since('userTicks'),
        systemTicks: since('systemTicks'),
        switches: since('voluntarySwitches') + since('involuntarySwitches'),
      };
    })
    .sort((a, b) => b.cpuUs - a.cpuUs);
}

module.exports = { profiledRun, MARK_SIGNAL };
