'use strict';

/**
 * The process in which one client is measured once. It gets its settings as its only argument, sends one message with
 * the sample, and ends.
 */

const { ClosedLoop } = require('../../bench/lib/closed-loop');
const { openSender } = require('./senders');

/**
 * @typedef {object} Sample
 * @property {number} requests in the measured time
 * @property {number} rate requests a second
 * @property {number} cpu microseconds of CPU time a request, of all threads of the client's process
 * @property {number} p50 milliseconds
 * @property {number} p99 milliseconds
 *
 * @param {import('./senders').Settings} settings
 * @returns {Promise<{ sample: Sample, version: string }>}
 */
async function measure(settings) {
  const { close, send, version } = openSender(settings);
  const loop = new ClosedLoop(onceDone(send), settings.connections);
  await loop.afterTime(settings.warmUpMs);
  loop.latencies.reset();
  const before = { completed: loop.completed, cpu: process.cpuUsage(), at: performance.now() };
  await loop.afterTime(settings.measureMs);
  // Of a slow server at least one response is waited for.
  if (loop.completed === before.completed) await loop.afterAnswers(1);
  const seconds = (performance.now() - before.at) / 1000;
  const { user, system } = process.cpuUsage(before.cpu);
  const requests = loop.completed - before.completed;
  const latencies = { p50: loop.latencies.percentile(0.5), p99: loop.latencies.percentile(0.99) };
  await loop.drain();
  close();
  return { sample: { requests, rate: requests / seconds, cpu: (user + system) / requests, ...latencies }, version };
}

/** Makes sure that a request is done once: request and response may both fail. */
function onceDone(send) {
  return (done) => {
    let isDone = false;
    send((error) => {
      if (isDone) return;
      isDone = true;
      done(error);
    });
  };
}

// Nothing is measured for a command that has ended.
process.once('disconnect', () => process.exit());
measure(JSON.parse(process.argv[2])).catch((error) => ({ error: error.message || String(error.code ?? error) }))
  .then((message) => process.send(message, () => process.exit()));
