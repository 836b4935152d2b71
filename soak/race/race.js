'use strict';

/**
 * Runs the keep-alive race: a server ends each idle connection at the moment at which the next request goes out on it.
 * The server counts how often it has read each request.
 *
 * A failure is avoidable if the server had closed the connection before it read anything: the client hears of an end. A
 * reset says nothing, because a server may read a request and then reset the connection.
 */

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

const certificate = require('../../__test__/support/certificate');

/** Requests in progress at a time: few make the I/O thread lend the connections that idle. */
const CHAINS = { native: 64, lent: 2, tls: 32, 'lent-tls': 2 };

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

/**
 * Makes requests one after the other, each at the moment at which its connection ends.
 * @param {object} race
 * @param {() => number|undefined} take Gives the number of the next request.
 */
async function runChain({ module, address, ends, failures }, take) {
  const agent = new module.Agent({ keepAlive: true, maxSockets: 1 });
  for (let number = take(); number !== undefined; number = take()) {
    const idle = 1 + number % MOST_IDLE;
    const isPost = number % 2 === 1;
    const error = await request(module, {
      ...address, agent, method: isPost ? 'POST' : 'GET', path: `/${number}/${idle}/${ends[number % ends.length]}`,
    }, isPost ? 'body' : undefined);
    if (error !== null) failures.set(number, error);
    await wait(idle, (number * 7919) % MOST_LATE);
  }
  agent.destroy();
}

/**
 * Counts what became of the requests.
 * @param {number} requests
 * @param {Map<number, string>} failures Their errors, by number.
 * @param {Map<number, number>} reads How often each was read.
 */
function judge(requests, failures, reads) {
  const counts = { failed: failures.size, read: 0, reset: 0, avoidable: 0, doubled: 0, lost: 0, errors: {} };
  for (let number = 0; number < requests; number++) {
    const times = reads.get(number) ?? 0;
    const error = failures.get(number);
    if (times > 1) counts.doubled++;
    if (error === undefined) {
      if (times === 0) counts.lost++;
      continue;
    }
    counts.errors[error] = (counts.errors[error] ?? 0) + 1;
    if (times > 0) counts.read++;
    else if (/read ECONNRESET|write ECONNRESET/.test(error)) counts.reset++;
    else counts.avoidable++;
  }
  return counts;
}

/**
 * Runs one race.
 * @param {{ http: object, https: object }} client
 * @param {{ transport: string, requests: number, ends: string[] }} options
 */
async function run(client, { transport, requests, ends }) {
  const isTls = transport.endsWith('tls');
  const server = fork(path.join(__dirname, 'server.js'), [isTls ? 'tls' : 'tcp'], { execArgv: [] });
  const [{ port }] = await once(server, 'message');
  const race = {
    module: isTls ? client.https : client.http,
    address: { host: '127.0.0.1', port, ...(isTls && { ca: certificate.cert, servername: 'localhost' }) },
    ends,
    failures: new Map(),
  };
  let next = 0;
  const take = () => (next < requests ? next++ : undefined);
  await Promise.all(Array.from({ length: CHAINS[transport] }, () => runChain(race, take)));
  server.send('reads');
  const [{ reads }] = await once(server, 'message');
  server.disconnect();
  return judge(requests, race.failures, new Map(reads));
}

module.exports = { TRANSPORTS: Object.keys(CHAINS), run };
