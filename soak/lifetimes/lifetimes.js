'use strict';

/** Ends threads and processes at random moments, with requests in every phase, and looks what is left of them. */

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Worker } = require('node:worker_threads');

const { Random } = require('../../__test__/differential/random');
const { serve } = require('./server');

const BUSY = path.join(__dirname, 'busy.js');
const ROOT = path.join(__dirname, '..', '..');

/** Threads or processes that run at a time. */
const AT_A_TIME = 3;

/** Milliseconds between the first response and the end, at most. */
const LONGEST_LIFE = 40;

/** Milliseconds that an end may take, and what is left of it, on a busy machine. */
const PATIENCE = 20_000;

/**
 * @typedef {object} Result
 * @property {number} ends how many there were
 * @property {string[]} faults what was not as it must be
 */

/** @returns {{ descriptors: number, threads: number }} what this process holds; zeros where /proc does not say */
function holdings() {
  const count = (folder) => (process.platform === 'linux' ? fs.readdirSync(folder).length : 0);
  return { descriptors: count('/proc/self/fd'), threads: count('/proc/self/task') };
}

/** Waits until a condition holds, and tells a fault if it does not. */
async function expectSoon(faults, condition, what) {
  const deadline = Date.now() + PATIENCE;
  while (!condition()) {
    if (Date.now() > deadline) {
      faults.push(what());
      return;
    }
    await sleep(5);
  }
}

/** Calls a function so many times, some calls at a time. */
async function times(count, call) {
  let next = 0;
  const one = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, count) }, one));
}

/** Says after which time an end came, or that it did not. */
function withPatience(promise, what) {
  return Promise.race([promise, sleep(PATIENCE, undefined, { ref: false }).then(() => { throw new Error(what); })]);
}

/**
 * Terminates workers, each at a random moment: while it loads, connects, or has requests in every phase.
 * @param {{ count: number, seed: number, client?: string }} options
 * @returns {Promise<Result>}
 */
async function terminateWorkers({ count, seed, client = 'ferrequest' }) {
  const server = await serve();
  const faults = [];
  const workerData = { ports: server.ports, client };
  const terminate = async (index) => {
    const random = new Random(seed * 1000 + index);
    const worker = new Worker(BUSY, { workerData });
    worker.on('error', (error) => faults.push(`worker ${index}: ${error.stack}`));
    await withPatience(once(worker, random.oneIn(5) ? 'online' : 'message'), `worker ${index} does not begin`);
    await sleep(random.below(LONGEST_LIFE));
    const code = await withPatience(worker.terminate(), `worker ${index} does not end`);
    if (code !== 1) faults.push(`worker ${index} ended with ${code}`);
  };
  // What the first workers leave for good: threads of libuv's pool, descriptors of the system's random numbers.
  await times(AT_A_TIME, terminate);
  await expectSoon(faults, () => server.count() === 0, () => `${server.count()} connections of the first workers`);
  const before = holdings();
  await times(count, terminate);
  await expectSoon(faults, () => server.count() === 0, () => `${server.count()} connections are left`);
  await expectSoon(faults, () => holdings().threads <= before.threads,
    () => `${holdings().threads} threads, ${before.threads} before`);
  await expectSoon(faults, () => holdings().descriptors <= before.descriptors,
    () => `${holdings().descriptors} descriptors, ${before.descriptors} before`);
  await server.close();
  return { ends: count, faults };
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
    const orders = { ports: server.ports, client, exitAfter: signal ? undefined : after };
    const child = spawn(process.execPath, [...execArgv, BUSY, JSON.stringify(orders)]);
    let stderr = '';
    child.stderr.on('data', (text) => { stderr += text; });
    const ended = once(child, 'close');
    if (signal) {
      await withPatience(once(child.stdout, 'data'), `process ${index} does not begin`);
      await sleep(after);
      child.kill(signal);
    }
    child.stdout.resume();
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    const [code, by] = await ended;
    clearTimeout(timer);
    const isRight = signal ? by === signal : code === 7;
    if (!isRight || stderr !== '') faults.push(`process ${index} ended with ${code ?? by}: ${stderr}`);
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
    const ended = once(worker, 'exit');
    const [answers] = await withPatience(once(worker, 'message'), `worker ${index} says nothing`);
    if (answers !== requests) faults.push(`worker ${index} has ${answers} answers`);
    const [code] = await withPatience(ended, `worker ${index} does not end`);
    if (code !== 0) faults.push(`worker ${index} ended with ${code}`);
  }));
  await expectSoon(faults, () => server.count() === 0, () => `${server.count()} connections are left`);
  await expectSoon(faults, () => holdings().threads <= before.threads,
    () => `${holdings().threads} threads, ${before.threads} before`);
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

module.exports = { endProcesses, resetModule, runManyWorkers, terminateWorkers };
