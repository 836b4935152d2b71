'use strict';

/**
 * Measures memory: RSS and heap while many requests come and go, among them requests that are aborted, that share an
 * AbortSignal, and whose responses are paused; paused responses over each transport; and connections that idle.
 *
 * The server is a process of its own, so that RSS is the client's.
 */

const { fork } = require('node:child_process');
const { once, setMaxListeners } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const certificates = require('../../__test__/support/certificates');
const { LARGE, TOGETHER } = require('./sizes');

/** Requests in progress at a time. */
const IN_PROGRESS = 50;

/** Requests between two looks at the memory, at least. */
const LOOK_EVERY = 10_000;

/** Bytes by which RSS may differ between the second quarter of the looks and the last: a collector is never still. */
const MOST_GROWTH = 24 << 20;

/** Bytes that a paused response may have read: docs/compat.md says how they come to be. */
const MOST_PAUSED = 6 << 20;

/** Collections until memory counts as it is, at most, and bytes by which two looks at the same memory may differ. */
const MOST_COLLECTIONS = 100;
const SAME = 16 << 10;

/** Bytes of memory that a paused response may hold. */
const MOST_HELD = 8 << 20;

const TRANSPORTS = {
  native: ({ http }) => ({ module: http, port: 'plain', agentOptions: {} }),
  stream: ({ http }) => ({ module: http, port: 'plain', agentOptions: {}, createConnection: (to) => net.connect(to) }),
  tls: ({ https }) => ({ module: https, port: 'tls', agentOptions: { ca: certificates.ca } }),
};

function collect() {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heapUsed, external };
}

/** Collects until nothing more goes: what was closed lets its memory go in later turns. */
async function collectAll() {
  let last = collect();
  for (let i = 0; i < MOST_COLLECTIONS; i++) {
    await sleep(20);
    const next = collect();
    if (Math.abs(next.heapUsed + next.external - last.heapUsed - last.external) < SAME) return next;
    last = next;
  }
  return last;
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

/** Makes an agent of a transport, and options for requests on it. */
function agentOf({ module, port, agentOptions, createConnection }, ports, options) {
  const agent = new module.Agent({ keepAlive: true, ...agentOptions, ...options });
  if (createConnection) agent.createConnection = createConnection;
  return { module, agent, host: '127.0.0.1', port: ports[port] };
}

/** Waits until a paused response reads no more. */
async function untilStill(socket) {
  let last = -1;
  for (let still = 0; still < 20; still++) {
    if (socket.bytesRead !== last) still = 0;
    last = socket.bytesRead;
    await sleep(10);
  }
}

/**
 * Measures what a paused response holds, and then reads it to its end.
 * @param {string} path of a response of known size
 */
async function pause({ module, ...options }, path) {
  const before = await collectAll();
  const req = module.get({ ...options, path });
  req.on('error', () => {});
  const [res] = await once(req, 'response');
  res.on('error', () => {});
  await once(res, 'readable');
  await untilStill(req.socket);
  const { bytesRead: read } = req.socket;
  const after = await collectAll();
  let bytes = 0;
  res.on('data', (chunk) => { bytes += chunk.length; });
  await once(res, 'close');
  options.agent.destroy();
  const held = (name) => after[name] - before[name];
  return { read, rss: held('rss'), memory: held('heapUsed') + held('external'), bytes };
}

/** Measures what an idle connection holds. */
async function idle(newAgent, connections) {
  const agents = [];
  // What the first requests make for good is not a connection's.
  const get = ({ module, ...options }) => new Promise((resolve) => {
    module.get({ ...options, path: '/together' }, (res) => res.resume().on('close', resolve)).on('error', resolve);
  });
  const connect = async () => {
    const options = newAgent({ maxFreeSockets: TOGETHER });
    // They are answered when all have come, so that each has a connection of its own.
    await Promise.all(Array.from({ length: TOGETHER }, () => get(options)));
    return options.agent;
  };
  (await connect()).destroy();
  const before = await collectAll();
  while (agents.length * TOGETHER < connections) agents.push(await connect());
  const after = await collectAll();
  const count = agents.flatMap((agent) => Object.values(agent.freeSockets)).flat().length;
  for (const agent of agents) agent.destroy();
  return { count, rss: (after.rss - before.rss) / count, heap: (after.heapUsed - before.heapUsed) / count };
}

/** Measures idle connections and paused responses over a transport, and gives what was not as it must be. */
async function measureTransport(client, name, { ports, connections, print }) {
  const newAgent = (options) => agentOf(TRANSPORTS[name](client), ports, options);
  const faults = [];
  // First, while the process has no memory to spare.
  const { count, rss, heap } = await idle(newAgent, connections);
  print(`${count} idle connections, ${name}: ${rss.toFixed(0)} bytes of RSS each, ${heap.toFixed(0)} of them heap`);
  for (const [path, { size, words }] of Object.entries(LARGE)) {
    const paused = await pause(newAgent(), path);
    print(`${words}, paused, ${name}: ${mebibytes(paused.read)} read, ${mebibytes(paused.memory)} held, ` +
      `RSS ${mebibytes(paused.rss)} more`);
    if (paused.read > MOST_PAUSED) faults.push(`${words}, ${name}: ${mebibytes(paused.read)} are read`);
    if (paused.memory > MOST_HELD) faults.push(`${words}, ${name}: ${mebibytes(paused.memory)} are held`);
    if (paused.bytes !== size) faults.push(`${words}, ${name}: ${paused.bytes} bytes came of ${size}`);
  }
  return faults;
}

/**
 * @param {{ http: typeof import('node:http'), https: typeof import('node:https') }} client
 * @param {object} options
 * @param {number} options.requests
 * @param {number} options.connections
 * @param {string[]} [options.transports]
 * @param {(line: string) => void} options.print
 * @returns {Promise<string[]>} what was not as it must be
 */
async function measure(client, { requests, connections, transports = Object.keys(TRANSPORTS), print }) {
  const server = fork(path.join(__dirname, 'server.js'), { execArgv: [] });
  const [{ ports }] = await once(server, 'message');
  const faults = [];
  for (const name of transports) faults.push(...await measureTransport(client, name, { ports, connections, print }));
  if (requests > 0) {
    const looks = await flood(client.http, { host: '127.0.0.1', port: ports.plain }, requests, print);
    for (const name of ['rss', 'heapUsed']) {
      const growth = growthOf(looks, name);
      print(`${name} has grown by ${mebibytes(growth)}`);
      if (growth > MOST_GROWTH) faults.push(`${name} has grown by ${mebibytes(growth)}`);
    }
  }
  server.disconnect();
  return faults;
}

module.exports = { growthOf, measure };
