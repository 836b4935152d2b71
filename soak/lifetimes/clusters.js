'use strict';

/** Ends the workers of a cluster, in every way in which a cluster ends them, and looks what is left of them. */

const cluster = require('node:cluster');
const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');

const { Random } = require('../../__test__/differential/random');
const { BUSY } = require('./lifetimes');
const { serve } = require('./server');
const { expectNoMore, expectSoon, holdings, times, withPatience } = require('./watching');

/** Milliseconds between the first response and the end, at most. */
const LONGEST_LIFE = 40;

/**
 * How a worker ends, and with what.
 * @type {Record<string, { end: (worker: import('node:cluster').Worker) => void, by: number | string }>}
 */
const WAYS = {
  // It calls off what is under way, and has to end by itself.
  'worker.disconnect()': { end: (worker) => worker.disconnect(), by: 0 },
  'worker.kill()': { end: (worker) => worker.kill(), by: 'SIGTERM' },
  'SIGKILL': { end: (worker) => worker.process.kill('SIGKILL'), by: 'SIGKILL' },
  // Node has a worker exit when its primary is gone.
  'a channel that closes': { end: (worker) => worker.process.disconnect(), by: 0 },
};

/**
 * @param {{ count: number, seed: number, client?: string }} options
 * @returns {Promise<import('./watching').Result>}
 */
async function endClusterWorkers({ count, seed, client = 'ferrequest' }) {
  const server = await serve();
  const faults = [];
  const before = holdings();
  await times(count, async (index) => {
    const random = new Random(seed * 1000 + index);
    const names = Object.keys(WAYS);
    const name = names[index % names.length];
    const { end, by } = WAYS[name];
    // Each load meets each way.
    const load = Math.floor(index / names.length) % 3 === 2 ? 'light' : 'heavy';
    cluster.setupPrimary({ exec: BUSY, args: [JSON.stringify({ ports: server.ports, client, load })], silent: true });
    const worker = cluster.fork();
    let stderr = '';
    worker.process.stderr.on('data', (text) => { stderr += text; });
    worker.process.stdout.resume();
    const ended = once(worker.process, 'exit');
    await withPatience(once(worker, 'message'), `worker ${index} does not begin`);
    await sleep(random.below(LONGEST_LIFE));
    end(worker);
    const [code, signal] = await withPatience(ended, `worker ${index} does not end by ${name}`);
    const came = code ?? signal;
    if (came !== by || stderr !== '') faults.push(`${name}: ${index} ended with ${came}: ${stderr}`);
  });
  await expectSoon(faults, () => server.count() === 0, () => `${server.count()} connections are left`);
  await expectNoMore(faults, before, ['descriptors']);
  await server.close();
  return { ends: count, faults };
}

module.exports = { endClusterWorkers };
