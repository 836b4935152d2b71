'use strict';

/** Ends threads and processes at random moments, with requests in every phase, and looks what is left of them. */

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Worker } = require('node:worker_threads');

const { Random } = require('../../__test__/differential/random');
const { serve } = require('./server');
const { AT_A_TIME, PATIENCE, expectNoMore, expectSoon, holdings, times, withPatience } = require('./watching');

const BUSY = path.join(__dirname, 'busy.js');
const ROOT = path.join(__dirname, '..', '..');

/** Milliseconds between the first response and the end, at most. */
const LONGEST_LIFE = 40;

/** @typedef {import('./watching').Result} Result */

/** Orders of a client that keeps connections lent, for one in three, and of one with requests in every phase. */
const loadOf = (index) => (index % 3 === 2 ? 'light' : 'heavy');

/**
 * Ends workers, each at a random moment: while it loads, connects, or has requests in every phase.
 * @param {object} options
 * @param {number} options.count
 * @param {string} [options.client]
 * @param {import('node:worker_threads').WorkerOptions} [options.workerOptions]
 * @param {object} [options.orders]
 * @param {(worker: Worker, index: number) => Promise<string|undefined>} options.end gives what was wrong
 * @returns {Promise<Result>}
 */
async function endWorkers({ count, client = 'ferrequest', workerOptions = {}, orders = {}, end }) {
  const server = await serve();
  const faults = [];
  const one = async (index) => {
    const workerData = { ports: server.ports, client, load: loadOf(index), ...orders };
    const worker = new Worker(BUSY, { ...workerOptions, workerData });
    const fault = await end(worker, index);
    if (fault !== undefined) faults.push(`worker ${index} ${fault}`);
  };
  // What the first workers leave for good: threads of libuv's pool, descriptors of the system's random numbers.
  await times(AT_A_TIME, one);
  await expectSoon(faults, () => server.count() === 0, () => `${server.count()} connections of the first workers`);
  const before = holdings();
  await times(count, one);
  await expectSoon(faults, () => server.count() === 0, () => `${server.count()} connections are left`);
  await expectNoMore(faults, before);
  await server.close();
  return { ends: count, faults };
}

/**
 * Terminates workers, each at a random moment.
 * @param {{ count: number, seed: number, client?: string }} options
 * @returns {Promise<Result>}
 */
function terminateWorkers({ seed, ...options }) {
  const end = async (worker, index) => {
    const random = new Random(seed * 1000 + index);
    let error;
    worker.on('error', (thrown) => { error = thrown; });
    await withPatience(once(worker, random.oneIn(5) ? 'online' : 'message'), `worker ${index} does not begin`);
    await sleep(random.below(LONGEST_LIFE));
    const code = await withPatience(worker.terminate(), `worker ${index} does not end`);
    if (error !== undefined) return `failed: ${error.stack}`;
    return code === 1 ? undefined : `ended with ${code}`;
  };
  return endWorkers({ ...options, end });
}

/**
 * Has workers fill their heap until Node ends them, with requests in every phase.
 * @param {{ count: number, client?: string }} options
 * @returns {Promise<Result>}
 */
function exhaustWorkers(options) {
  const end = async (worker, index) => {
    let error;
    worker.on('error', (thrown) => { error = thrown; });
    // once() would reject for the error.
    const ended = new Promise((resolve) => { worker.on('exit', resolve); });
    const code = await withPatience(ended, `worker ${index} does not end`);
    const isOrderly = code === 1 && error?.code === 'ERR_WORKER_OUT_OF_MEMORY';
    return isOrderly ? undefined : `ended with ${code}: ${error?.stack}`;
  };
  const resourceLimits = { maxOldGenerationSizeMb: 48 };
  return endWorkers({ ...options, workerOptions: { resourceLimits }, orders: { hoards: true }, end });
}

/**
 * Runs busy.js as a process, and tells how it ended.
 * @param {object} orders
 * @param {object} [options]
 * @param {string[]} [options.execArgv]
 * @param {(child: import('node:child_process').ChildProcess) => void} [options.onBusy] called when the process has had
 *   a response
 * @returns {Promise<{ end: number|string, stderr: string }>} end: exit code, or signal
 */
async function runBusy(orders, { execArgv = [], onBusy } = {}) {
  // A timer of Node's own: those of a test are gone when it has failed, and the process would run on.
  const limits = { timeout: PATIENCE, killSignal: 'SIGKILL' };
  const child = spawn(process.execPath, [...execArgv, BUSY, JSON.stringify(orders)], limits);
  let stderr = '';
  child.stderr.on('data', (text) => { stderr += text; });
  child.stdout.once('data', () => onBusy?.(child));
  const [code, signal] = await once(child, 'close');
  return { end: code ?? signal, stderr };
}

/**
 * Has processes call `process.exit()`, or gives them a signal, each at a random moment.
 * @param {{ count: number, seed: number, client?: string, signal?: NodeJS.Signals, execArgv?: string[] }} options
 * @returns {Promise<Result>}
 */
async function endProcesses({ count, seed, client = 'ferrequest', signal, execArgv = [] }) {
  const server = await serve();
  const faults = [];
  await times(count, async (index) => {
    const random = new Random(seed * 1000 + index);
    const after = random.below(LONGEST_LIFE * 2);
    const orders = { ports: server.ports, client, load: loadOf(index), ...!signal && { exitAfter: after } };
    const onBusy = (child) => signal && setTimeout(() => child.kill(signal), after);
    const { end, stderr } = await runBusy(orders, { execArgv, onBusy });
    if (end !== (signal ?? 7) || stderr !== '') faults.push(`process ${index} ended with ${end}: ${stderr}`);
  });
  await expectSoon(faults, () => server.count() === 0, () => `${server.count()} connections are left`);
  await server.close();
  return { ends: count, faults };
}

/**
 * Has processes fill their heap until V8 aborts them, with requests in every phase.
 * @param {{ count: number, client?: string }} options
 * @returns {Promise<Result>}
 */
async function exhaustProcesses({ count, client = 'ferrequest' }) {
  const server = await serve();
  const faults = [];
  await times(count, async (index) => {
    const orders = { ports: server.ports, client, load: loadOf(index), hoards: true };
    const { end, stderr } = await runBusy(orders, { execArgv: ['--max-old-space-size=48'] });
    const isOrderly = end === 'SIGABRT' && stderr.includes('JavaScript heap out of memory');
    if (!isOrderly) faults.push(`process ${index} ended with ${end}: ${stderr}`);
  });
  await expectSoon(faults, () => server.count() === 0, () => `${server.count()} connections are left`);
  await server.close();
  return { ends: count, faults };
}

/** Makes some requests in a worker, one after the other, and ends by itself. */
async function requestInWorker() {
  const { parentPort, workerData } = require('node:worker_threads');
  const http = require(workerData.root);
  const agent = new http.Agent({ keepAlive: true });
  const answers = [];
  const get = () => new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port: workerData.port, agent }, (res) => res.resume().on('end', resolve))
      .on('error', reject);
  });
  for (let i = 0; i < workerData.requests; i++) answers.push(await get());
  parentPort.postMessage(answers.length);
}

/**
 * Runs many workers at the same time, each with requests of its own, in a process that never loads the module itself.
 * @param {{ count: number, requests?: number }} options
 * @returns {Promise<Result>}
 */
async function runManyWorkers({ count, requests = 20 }) {
  const server = await serve();
  const faults = [];
  const before = holdings();
  const workerData = { root: ROOT, port: server.ports.plain, requests };
  await Promise.all(Array.from({ length: count }, async (_, index) => {
    const worker = new Worker(`(${requestInWorker})()`, { eval: true, workerData });
    let answers;
    worker.on('error', (error) => faults.push(`worker ${index} failed: ${error.stack}`));
    worker.on('message', (message) => { answers = message; });
    const ended = new Promise((resolve) => { worker.on('exit', resolve); });
    const code = await withPatience(ended, `worker ${index} does not end`);
    if (answers !== requests) faults.push(`worker ${index} has ${answers} answers`);
    if (code !== 0) faults.push(`worker ${index} ended with ${code}`);
  }));
  await expectSoon(faults, () => server.count() === 0, () => `${server.count()} connections are left`);
  await expectNoMore(faults, before, ['threads']);
  await server.close();
  return { ends: count, faults };
}

/** Loads the module anew so many times, with a request of each copy, half of them under way when the next is loaded. */
async function resetInProcess({ root, port, count }) {
  const fsOfProcess = require('node:fs');
  const holds = () => ['/proc/self/fd', '/proc/self/task'].map((folder) => fsOfProcess.readdirSync(folder).length);
  const load = require('node:module').createRequire(`${root}/reset.js`);
  const answers = [];
  const once = (http, agent, path) => new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port, agent, path }, (res) => {
      answers.push(path);
      res.on('error', () => {}).resume().on('end', resolve);
      if (path === '/half') resolve();
    }).on('error', reject);
  });
  let before;
  for (let i = 0; i < count; i++) {
    const http = load(root);
    const agent = new http.Agent({ keepAlive: true });
    await once(http, agent, '/');
    await once(http, agent, i % 2 ? '/half' : '/');
    setImmediate(() => {
      agent.destroy();
    });
    for (const file of Object.keys(require.cache)) {
      if (file.startsWith(root) && !file.endsWith('.node')) delete require.cache[file];
    }
    if (i === 10) before = holds();
  }
  for (let i = 0; i < 2000 && holds()[0] > before[0]; i++) await new Promise((resolve) => { setTimeout(resolve, 5); });
  console.log(JSON.stringify({ answers: answers.length, before, after: holds() }));
}

/**
 * Resets the module in a process, as test runners do.
 * @param {{ count: number }} options
 * @returns {Promise<Result>}
 */
async function resetModule({ count }) {
  const server = await serve();
  const faults = [];
  const source = `(${resetInProcess})(${JSON.stringify({ root: ROOT, port: server.ports.plain, count })})`;
  const child = spawn(process.execPath, ['-e', source]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => { stdout += text; });
  child.stderr.on('data', (text) => { stderr += text; });
  const [code] = await once(child, 'close');
  if (code !== 0 || stderr !== '') {
    faults.push(`ended with ${code}: ${stderr}`);
  } else {
    const { answers, before, after } = JSON.parse(stdout);
    if (answers !== 2 * count) faults.push(`${answers} answers`);
    if (after[0] > before[0]) faults.push(`${after[0]} descriptors, ${before[0]} after the first copies`);
    if (after[1] > before[1]) faults.push(`${after[1]} threads, ${before[1]} after the first copies`);
  }
  await server.close();
  return { ends: count, faults };
}

module.exports = {
  BUSY, endProcesses, exhaustProcesses, exhaustWorkers, resetModule, runManyWorkers, terminateWorkers,
};
