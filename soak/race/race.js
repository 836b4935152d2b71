'use strict';

/**
 * Runs the keep-alive race: a server ends each idle connection at the moment at which the next request goes out on it.
 * The server counts how often it has read each request, and tells when it had closed each connection.
 *
 * A failure is avoidable if the request was made when its connection was closed already: the kernel knew. All others
 * went out just before, or at the same time.
 */

const { fork } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');

const certificate = require('../../__test__/support/certificate');

/** Requests in progress at a time: few make the I/O thread lend the connections that idle. */
const CHAINS = { native: 64, lent: 2, stream: 32, tls: 32, 'lent-tls': 2, 'node-tls': 32 };

/** Options of agents that make the connections of a transport; a context of the user's keeps TLS with Node. */
const AGENTS = {
  stream: () => ({ createConnection: (...args) => net.createConnection(...args) }),
  'node-tls': () => ({ secureContext: tls.createSecureContext({ ca: certificate.cert }) }),
};

/** Milliseconds for which a connection idles at most. */
const MOST_IDLE = 4;

/** Microseconds by which a request is late at most: the server's timer needs a while to fire. */
const MOST_LATE = 600;

/** Milliseconds after which a request has failed. */
const DEADLINE = 20_000;

/**
 * Makes one request.
 * @returns {Promise<string|null>} The error, in a few words; null without one.
 */
function request(module, options, body) {
  return new Promise((resolve) => {
    const req = module.request({ ...options, timeout: DEADLINE }, (res) => {
      res.on('error', (error) => resolve(error.message));
      res.on('end', () => resolve(res.complete ? null : 'cut')).resume();
    });
    req.on('timeout', () => req.destroy(new Error('hung')));
    req.on('error', (error) => resolve(error.message));
    req.end(body);
  });
}

/** Waits for some milliseconds and microseconds. */
async function wait(milliseconds, microseconds) {
  await new Promise((resolve) => { setTimeout(resolve, milliseconds); });
  const until = performance.now() + microseconds / 1000;
  while (performance.now() < until);
}

/** Makes the agent of one chain, which has one connection at a time. */
function agentOf({ module, transport }) {
  const { createConnection, ...options } = AGENTS[transport]?.() ?? {};
  const agent = new module.Agent({ keepAlive: true, maxSockets: 1, ...options });
  if (createConnection) agent.createConnection = createConnection;
  return agent;
}

/**
 * Makes requests one after the other, each at the moment at which its connection ends.
 * @param {object} race
 * @param {() => number|undefined} take Gives the number of the next request.
 */
async function runChain(race, take) {
  const { module, address, ends, failures, made } = race;
  const agent = agentOf(race);
  let before;
  for (let number = take(); number !== undefined; number = take()) {
    const idle = 1 + number % MOST_IDLE;
    const isPost = number % 2 === 1;
    made.set(number, { at: process.hrtime.bigint(), before });
    before = number;
    const error = await request(module, {
      ...address, agent, method: isPost ? 'POST' : 'GET', path: `/${number}/${idle}/${ends[number % ends.length]}`,
    }, isPost ? 'body' : undefined);
    if (error !== null) failures.set(number, error);
    await wait(idle, (number * 7919) % MOST_LATE);
  }
  agent.destroy();
}

/**
 * Counts what became of the requests. `closing` counts those that were made while the server was about to close their
 * connection: it read none of them there.
 * @param {number} requests
 * @param {{ failures: Map<number, string>, made: Map<number, { at: bigint, before?: number }> }} race Errors by number;
 *   when each request was made, and the number of the one before on its connection.
 * @param {{ reads: Map<number, number>, closed: Map<number, bigint> }} server How often each request was read; when the
 *   connection was closed that had carried it last.
 */
function judge(requests, { failures, made }, { reads, closed }) {
  const counts = { failed: failures.size, closing: 0, avoidable: 0, read: 0, unread: 0, doubled: 0, lost: 0 };
  const errors = {};
  for (let number = 0; number < requests; number++) {
    const times = reads.get(number) ?? 0;
    const error = failures.get(number);
    const { at, before } = made.get(number);
    if (closed.get(before) >= at) counts.closing++;
    if (times > 1) counts.doubled++;
    if (error === undefined) {
      if (times === 0) counts.lost++;
      continue;
    }
    errors[error] = (errors[error] ?? 0) + 1;
    if (closed.get(before) < at) counts.avoidable++;
    else if (times > 0) counts.read++;
    else counts.unread++;
  }
  return { ...counts, errors };
}

/**
 * Runs one race.
 * @param {{ http: object, https: object }} client
 * @param {{ transport: string, requests: number, ends: string[] }} options
 */
async function run(client, { transport, requests, ends }) {
  const isTls = transport.endsWith('tls');
  const server = fork(path.join(__dirname, 'server.js'), [isTls ? 'tls' : 'tcp'], {
    serialization: 'advanced', execArgv: [],
  });
  const [{ port }] = await once(server, 'message');
  const race = {
    module: isTls ? client.https : client.http,
    address: { host: '127.0.0.1', port, ...(isTls && { ca: certificate.cert, servername: 'localhost' }) },
    transport,
    ends,
    failures: new Map(),
    made: new Map(),
  };
  let next = 0;
  const take = () => (next < requests ? next++ : undefined);
  await Promise.all(Array.from({ length: CHAINS[transport] }, () => runChain(race, take)));
  server.send('report');
  const [{ reads, closed }] = await once(server, 'message');
  server.disconnect();
  return judge(requests, race, { reads: new Map(reads), closed: new Map(closed) });
}

module.exports = { TRANSPORTS: Object.keys(CHAINS), run };
