'use strict';

/**
 * Takes from a process what the system gives it: descriptors, ports, threads. The client and node:http meet the same;
 * what their requests end with must be the same too, and all must succeed when nothing is lacking any more.
 */

const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

const { serve } = require('./server');
const { PATIENCE } = require('./watching');

const SCARCE = path.join(__dirname, 'scarce.js');

/** Descriptors that a process may have. */
const MOST_DESCRIPTORS = 64;

/** The user that has few rights, nobody: the system does not limit the threads of root. */
const NOBODY = 65_534;

// Node may read that file meanwhile, and has a descriptor for it or not.
const env = { ...process.env, NODE_EXTRA_CA_CERTS: '' };

const canRun = (command, ...args) => spawnSync(command, args).status === 0;
const isRoot = process.getuid?.() === 0;

/** Ports in the network of a process: those that connections get. */
const NETWORK = 'ip link set lo up && echo "40000 40015" > /proc/sys/net/ipv4/ip_local_port_range && exec "$0" "$@"';

/**
 * @typedef {object} Kind
 * @property {() => boolean} isPossible tells whether this machine can do it
 * @property {string[]} [command] what starts the process
 * @property {object} [options] of spawn
 * @property {(pid: number, what: string) => void} [answer] changes what the process gets
 * @property {string[]} [transports]
 */

/** Gives the command that runs another with so many descriptors. */
const limited = (descriptors) => ['sh', '-c', `ulimit -n ${descriptors} && exec "$0" "$@"`];

/** @type {Record<string, Kind>} */
const KINDS = {
  'descriptors from the beginning': { isPossible: () => true, command: limited(MOST_DESCRIPTORS) },
  'descriptors': { isPossible: () => true, command: limited(MOST_DESCRIPTORS) },
  'ports': {
    isPossible: () => isRoot && canRun('unshare', '-n', 'sh', '-c', NETWORK, 'true'),
    command: ['unshare', '-n', 'sh', '-c', NETWORK],
    transports: ['native', 'stream'],
  },
  'threads': {
    isPossible: () => isRoot && canRun('prlimit', '--nproc'),
    options: { uid: NOBODY, gid: NOBODY },
    answer: (pid, what) => spawnSync('prlimit', ['--pid', pid, `--nproc=${what === 'limit' ? 1 : 10_000}:10000`]),
  },
};

/**
 * Runs a client under one scarcity.
 * @returns {Promise<{ during: object, afterwards: object }>}
 */
async function runUnder(what, orders) {
  const { command = [], options, answer } = KINDS[what];
  const [file, ...args] = [...command, process.execPath, SCARCE, JSON.stringify({ ...orders, what })];
  const stdio = ['ignore', 'inherit', 'pipe', 'ipc'];
  const child = spawn(file, args, { ...options, env, stdio, timeout: PATIENCE, killSignal: 'SIGKILL' });
  let result;
  let stderr = '';
  child.stderr.on('data', (text) => { stderr += text; });
  child.on('message', (message) => {
    if (message.ask === undefined) {
      result = message;
    } else {
      answer(child.pid, message.ask);
      child.send('done');
    }
  });
  const [code, signal] = await once(child, 'close');
  return { ...result, end: code ?? signal, stderr };
}

/**
 * @param {{ client?: string }} [options]
 * @returns {Promise<import('./watching').Result & { skipped: string[] }>} ends: of processes
 */
async function lack({ client = 'ferrequest', kinds = Object.keys(KINDS) } = {}) {
  const { ports, close } = await serve();
  const faults = [];
  const skipped = kinds.filter((what) => !KINDS[what].isPossible());
  let ends = 0;
  for (const what of kinds.filter((kind) => !skipped.includes(kind))) {
    for (const transport of KINDS[what].transports ?? ['native', 'tls', 'stream']) {
      const ofNode = await runUnder(what, { ports, transport, client: 'node' });
      const ofClient = await runUnder(what, { ports, transport, client });
      ends += 2;
      const [expected, got] = [ofNode, ofClient].map((outcome) => JSON.stringify(outcome));
      if (got !== expected) faults.push(`${what}, ${transport}: ${got}; node:http: ${expected}`);
    }
  }
  await close();
  return { ends, faults, skipped };
}

module.exports = { KINDS, lack };
