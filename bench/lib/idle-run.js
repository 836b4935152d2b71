'use strict';

const { setImmediate: turn, setTimeout: delay } = require('node:timers/promises');

const { MeasurementWindow } = require('./measurement-window');

const KIB = 1024;
const WARM_UP_CONNECTIONS = 100;
/** By then V8 has noticed that nothing happens any more, and shrinks its young generation at the next collection. */
const REST_MS = 10_000;

/**
 * Opens many connections at once, lets them go idle in the pool, and sees what they hold and what they cost.
 *
 * @param {(overrides: Partial<import('../clients').Target>) => Promise<import('../clients').Session>} open
 * @param {import('../workloads').Workload} workload
 * @param {import('./worker').Settings} settings
 * @returns {Promise<import('./steady-run').Sample>}
 */
async function idleRun(open, workload, settings) {
  const warmUp = await open({
    connections: WARM_UP_CONNECTIONS,
    request: { ...workload.request, path: `/gather/${WARM_UP_CONNECTIONS}` },
  });
  await sendTogether(warmUp, WARM_UP_CONNECTIONS);
  warmUp.close();

  const before = await settledRss();
  const session = await open({});
  await sendTogether(session, workload.connections);
  const after = await settledRss();
  const usage = await usageWhileIdle(settings);
  await delay(REST_MS);
  const rested = await settledRss();
  session.close();
  return {
    rssGrowth: (after - before) / KIB / workload.connections,
    restedGrowth: (rested - before) / KIB / workload.connections,
    rss: after / KIB / KIB,
    idleCpu: usage.cpuUs / usage.wallUs,
    server: usage.serverCpuUs / usage.wallUs,
    others: usage.othersCpuUs / usage.wallUs,
  };
}

/**
 * The server answers none of these before the last one has come, so that each has a connection of its own.
 *
 * @param {import('../clients').Session} session
 * @param {number} count
 * @returns {Promise<void>}
 */
function sendTogether(session, count) {
  return new Promise((resolve, reject) => {
    let left = count;
    function onDone(error) {
      if (error) {
        reject(error);
      } else if (--left === 0) {
        resolve();
      }
    }
    for (let sent = 0; sent < count; sent++) {
      session.send(onDone);
    }
  });
}

/** @returns {Promise<number>} bytes, once two turns of the loop and two collections have let go of what they can */
async function settledRss() {
  for (let pass = 0; pass < 2; pass++) {
    await turn();
    /** @type {() => void} */ (globalThis.gc)();
  }
  return process.memoryUsage.rss();
}

/**
 * @param {import('./worker').Settings} settings
 * @returns {Promise<import('./measurement-window').Usage>}
 */
async function usageWhileIdle({ server, timing }) {
  const window = new MeasurementWindow(server.pid);
  await delay(timing.measureMs);
  return window.close();
}

module.exports = { idleRun };
