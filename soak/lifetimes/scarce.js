'use strict';

/**
 * A client in a process that lacks something: `node scarce.js JSON`. It tells each step by IPC, waits until its parent
 * has changed what the system gives it, and tells what became of its requests.
 */

const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');

const certificates = require('../../__test__/support/certificates');

/**
 * @typedef {object} Orders
 * @property {{ plain: number, tls: number }} ports
 * @property {'ferrequest' | 'node'} client
 * @property {'native' | 'tls' | 'stream'} transport
 * @property {keyof typeof SCARCITIES} what
 */

/** @type {Orders} */
const orders = JSON.parse(process.argv[2]);
const isNode = orders.client === 'node';
const client = {
  http: isNode ? http : require('../..'),
  https: isNode ? require('node:https') : require('../../https'),
};
const isTls = orders.transport === 'tls';
const { Agent, request } = isTls ? client.https : client.http;

/** Requests that must succeed when nothing is lacking any more. */
const AFTERWARDS = 20;

function makeAgent(options) {
  const agent = new Agent({ keepAlive: true, ca: certificates.ca, ...options });
  return orders.transport === 'stream' ? Object.assign(agent, { createConnection: (to) => net.connect(to) }) : agent;
}

/** Makes a request, and tells `whole`, or the words of its error. */
function outcomeOf(agent, port, path = '/') {
  return new Promise((resolve) => {
    const req = request({ host: '127.0.0.1', port, agent, path });
    let error;
    let open = 1;
    const close = (isWhole) => {
      if (--open > 0) return;
      resolve(error ? `${error.message} (${error.code}, ${error.syscall})` : isWhole ? 'whole' : 'cut');
    };
    req.on('response', (res) => {
      open++;
      res.on('error', (thrown) => { error ??= thrown; });
      res.resume().on('close', () => close(res.complete));
    });
    req.on('error', (thrown) => { error ??= thrown; });
    req.on('close', () => close(req.res?.complete));
    req.end();
  });
}

const outcomesOf = (count, ...rest) => Promise.all(Array.from({ length: count }, () => outcomeOf(...rest)));

/** Counts equal outcomes. */
function count(outcomes) {
  const counts = {};
  for (const outcome of outcomes.sort()) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

/** Has the parent change what the system gives. */
async function ask(what) {
  process.send({ ask: what });
  await once(process, 'message');
}

/** Opens files until there is no descriptor left. */
function takeDescriptors() {
  const taken = [];
  try {
    for (;;) taken.push(fs.openSync('/dev/null'));
  } catch (error) {
    if (error.code !== 'EMFILE') throw error;
  }
  return taken;
}

const free = (descriptors) => descriptors.forEach((descriptor) => fs.closeSync(descriptor));

/** Each gives what became of the requests made while something was lacking. */
const SCARCITIES = {
  /** No descriptor is left for the first request of the process. */
  async 'descriptors from the beginning'(port) {
    const taken = takeDescriptors();
    const agent = makeAgent();
    const during = await outcomesOf(5, agent, port);
    free(taken);
    agent.destroy();
    return during;
  },

  /** None is left while connections idle: these serve, and there are no others. */
  async 'descriptors'(port) {
    const agent = makeAgent();
    const before = await outcomesOf(4, agent, port);
    const taken = takeDescriptors();
    const during = [...await outcomesOf(10, agent, port), ...await outcomesOf(5, agent, port)];
    free(taken);
    agent.destroy();
    return [...before, ...during];
  },

  /** Fewer ports than requests; this process has a network of its own with 16 of them. */
  async 'ports'() {
    const asked = [];
    const server = http.createServer((req, res) => {
      if (req.url === '/never') asked.push(req);
      else res.end('whole');
    });
    // Of a port outside the range.
    await once(server.listen(30_000, '127.0.0.1'), 'listening');
    const agent = makeAgent();
    const waiting = outcomesOf(40, agent, 30_000, '/never');
    // Not before all are read: else some of these closes would be resets.
    while (asked.length < 16) await sleep(5);
    for (const { socket } of asked) socket.destroy();
    const during = await waiting;
    agent.destroy();
    const afterwards = makeAgent({ maxSockets: 4 });
    // The kernel keeps the port of a closed connection for a while.
    while (await outcomeOf(afterwards, 30_000) !== 'whole') await sleep(50);
    during.push(...await outcomesOf(AFTERWARDS, afterwards, 30_000));
    afterwards.destroy();
    server.close();
    return during;
  },

  /** No thread can be made for the first request of the process. */
  async 'threads'(port) {
    await ask('limit');
    const agent = makeAgent();
    const during = await outcomesOf(5, agent, port);
    await ask('lift');
    agent.destroy();
    return during;
  },
};

async function main() {
  const { what, ports } = orders;
  const port = ports[isTls ? 'tls' : 'plain'];
  const during = count(await SCARCITIES[what](port));
  let afterwards;
  // Nobody else is in a network of its own.
  if (what !== 'ports') {
    const agent = makeAgent({ maxSockets: 4 });
    afterwards = count(await outcomesOf(AFTERWARDS, agent, port));
    agent.destroy();
  }
  process.send({ during, afterwards });
  process.disconnect();
}

main();
