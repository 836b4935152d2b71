'use strict';

/**
 * Shows the main features of ferrequest against a server of its own: `npm run demo`. Every line is about a request that
 * the demo has made, or a response that has come. It exits with 0 only if every check succeeds.
 */

const http = require('ferrequest');

const { Report } = require('./demo/report.js');
const { startServer } = require('./demo/server.js');
const steps = require('./demo/steps.js');

/** Time in ms after which a step that is not over fails the demo. */
const DEADLINE = 20_000;
/** Time in ms after the last step in which the process has to end by itself. */
const LINGER = 5_000;

/**
 * @param {Promise<void>} running
 * @returns {Promise<void>} the same, but rejected if it is not settled in time
 */
function withDeadline(running) {
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${DEADLINE / 1000} s`)), DEADLINE);
  });
  return Promise.race([running, late]).finally(() => clearTimeout(timer));
}

/** @param {Report} report */
async function main(report) {
  const server = await startServer();
  const agent = new http.Agent({ keepAlive: true });
  report.line(`ferrequest on Node ${process.version}, with a server on 127.0.0.1:${server.port}`);
  let trueOnes = 0;
  for (const { title, run } of steps) {
    report.title(title);
    try {
      await withDeadline(run({ report, server, agent }));
      trueOnes++;
    } catch (error) {
      report.failed(error);
    }
  }
  agent.destroy();
  await server.close();

  const { requests, connectionsOpened, connectionsReused } = http.stats();
  report.line();
  report.line(`${requests} requests; ${connectionsOpened} connections opened, ${connectionsReused} reused`);
  report.line(report.paint(trueOnes === steps.length ? 32 : 31, `${trueOnes} of ${steps.length} came true`));
  if (trueOnes === steps.length) process.exitCode = 0;

  // Nothing is open any more, so the process has to end by itself; this timer does not keep it alive.
  setTimeout(() => {
    report.failed(new Error('the process does not end'));
    process.exit(1);
  }, LINGER).unref();
}

// The process ends before main does if nothing keeps it alive: that is a failure too.
process.exitCode = 1;
main(new Report(process.stdout));
