'use strict';

/**
 * Measures memory: RSS and heap while many requests come and go, among them requests that are aborted, that share an
 * AbortSignal, and whose responses are paused; a paused response without end; and connections that idle.
 *
 * The server is a process of its own, so that RSS is the client's.
 */

const { fork } = require('node:child_process');
const { once, setMaxListeners } = require('node:events');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

/** Requests in progress at a time. */
const IN_PROGRESS = 50;

/** Requests between two looks at the memory, at least. */
const LOOK_EVERY = 10_000;

/** Bytes by which RSS may differ between the second quarter of the looks and the last: a collector is never still. */
const MOST_GROWTH = 24 << 20;

/** Bytes that a paused response may hold: docs/compat.md says how they come to be. */
const MOST_PAUSED = 6 << 20;

/** Connections that are kept idle. */
const IDLE_CONNECTIONS = 1000;

function collect() {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heapUsed, external };
}

const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Makes a request in one of the ways that leave most behind. */
function request(http, options, number, signal) {
  return new Promise((resolve) => {
    const way = number % 8;
    const shared = way === 0 || way === 1 ? { signal } : {};
    const req = http.request({ ...options, path: way === 2 ? '/never' : '/', ...shared }, (res) => {
      res.on('error', () => {});
      if (way === 3) {
        res.destroy();
      } else if (way === 4) {
        res.pause();
        setImmediate(() => res.resume());
      } else {
        res.resume();
      }
    });
    req.on('error', () => {}).on('close', resolve);
    if (way === 2) setTimeout(() => req.destroy(), 1);
    req.end();
  });
}

/** Makes requests, and notes the memory now and then. */
async function flood(http, options, count, print) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: IN_PROGRESS });
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  const looks = [];
  let made = 0;
  const requestUntil = async (end) => {
    while (made < end) await request(http, { ...options, agent }, made++, signal);
  };
  const every = Math.max(LOOK_EVERY, Math.ceil(count / 40));
  for (let end = Math.min(every, count); looks.length * every < count; end = Math.min(end + every, count)) {
    await Promise.all(Array.from({ length: IN_PROGRESS }, () => requestUntil(end)));
    looks.push(collect());
    const { rss, heapUsed } = looks.at(-1);
    print(`${String(made).padStart(9)} requests: RSS ${mebibytes(rss)}, heap ${mebibytes(heapUsed)}`);
  }
  agent.destroy();
  return looks;
}

/** Tells by how much the last looks exceed those of the second quarter. */
function growthOf(looks, name) {
  const median = (list) => list.map((look) => look[name]).sort((a, b) => a - b)[list.length >> 1];
  const quarter = looks.length >> 2;
  return median(looks.slice(-quarter)) - median(looks.slice(quarter, 2 * quarter));
}

/** Measures what a paused response holds whose peer sends without end. */
async function pause(http, options) {
  const before = collect();
  const req = http.get({ ...options, path: '/endless', agent: false });
  req.on('error', () => {});
  const [res] = await once(req, 'response');
  res.on('error', () => {});
  await once(res, 'readable');
  let last = -1;
  // Until nothing more comes.
  for (let still = 0; still < 20; still++) {
    if (req.socket.bytesRead !== last) still = 0;
    last = req.socket.bytesRead;
    await sleep(10);
  }
  const after = collect();
  req.destroy();
  await once(req, 'close');
  return { read: last, held: after.rss - before.rss };
}

/** Measures what an idle connection holds. */
async function idle(http, options) {
  const agent = new http.Agent({ keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS });
  // What the first request makes for good is not a connection's.
  await once(http.get({ ...options, agent: false }, (res) => res.resume()), 'close');
  const before = collect();
  // All of them at a time, so that each has a connection of its own.
  await Promise.all(Array.from({ length: IDLE_CONNECTIONS }, () => new Promise((resolve) => {
    http.get({ ...options, agent, path: '/once' }, (res) => res.resume().on('close', resolve)).on('error', resolve);
  })));
  await sleep(100);
  const after = collect();
  const count = Object.values(agent.freeSockets).flat().length;
  agent.destroy();
  return { count, rss: (after.rss - before.rss) / count, heap: (after.heapUsed - before.heapUsed) / count };
}

/**
 * @param {{ http: typeof import('node:http') }} client
 * @param {{ requests: number, print: (line: string) => void }} options
 * @returns {Promise<string[]>} what was not as it must be
 */
async function measure({ http }, { requests, print }) {
  const server = fork(path.join(__dirname, 'server.js'), { execArgv: [] });
  const [{ port }] = await once(server, 'message');
  const options = { host: '127.0.0.1', port };
  const faults = [];
  // First, while the process has no memory to spare.
  const { count, rss, heap } = await idle(http, options);
  print(`${count} idle connections: ${rss.toFixed(0)} bytes of RSS each, ${heap.toFixed(0)} of them heap`);
  const looks = await flood(http, options, requests, print);
  for (const name of ['rss', 'heapUsed']) {
    const growth = growthOf(looks, name);
    print(`${name} has grown by ${mebibytes(growth)}`);
    if (growth > MOST_GROWTH) faults.push(`${name} has grown by ${mebibytes(growth)}`);
  }
  const { read, held } = await pause(http, options);
  print(`a paused response: ${mebibytes(read)} read, RSS ${mebibytes(held)} more`);
  if (read > MOST_PAUSED) faults.push(`a paused response reads ${mebibytes(read)}`);
  server.disconnect();
  return faults;
}

module.exports = { growthOf, measure };
