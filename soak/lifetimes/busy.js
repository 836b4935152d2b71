'use strict';

/**
 * Keeps requests in every phase, native, over streams and over TLS, until its thread or process comes to its end. It
 * runs in a worker, in a process (`node busy.js JSON`), or in a worker of a cluster. It tells of its first response.
 */

const net = require('node:net');
const { isMainThread, parentPort, workerData } = require('node:worker_threads');

const certificates = require('../../__test__/support/certificates');

/**
 * @typedef {object} Orders
 * @property {{ plain: number, tls: number, silent: number }} ports
 * @property {'ferrequest' | 'node'} client
 * @property {'heavy' | 'light'} [load] light: few requests at a time, so that the I/O thread lends their connections
 * @property {number} [exitAfter] milliseconds after which the process exits by itself, with the code 7
 * @property {boolean} [hoards] the heap is filled, from the first response on
 */

/** @type {Orders} */
const orders = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const isNode = orders.client === 'node';
const http = isNode ? require('node:http') : require('../..');
const https = isNode ? require('node:https') : require('../../https');

/** The I/O thread lends connections; it is not there in every mode of the module. */
const lends = !isNode && http.stats().mode === 'native';

const options = { keepAlive: true };
const kinds = [
  { module: http, port: orders.ports.plain, makeAgent: () => new http.Agent(options) },
  { module: https, port: orders.ports.tls, makeAgent: () => new https.Agent({ ...options, ca: certificates.ca }) },
  {
    module: http,
    port: orders.ports.plain,
    makeAgent: () => Object.assign(new http.Agent(options), { createConnection: (to) => net.connect(to) }),
  },
];

/** What has to be destroyed for the process to end by itself. */
const open = new Set();
let hasStopped = false;
let hasTold = false;

/** Tells of the first response; under a light load, of the first on a lent connection, where there are any. */
function tell() {
  if (hasTold || (orders.load === 'light' && lends && http.stats().direct === 0)) return;
  hasTold = true;
  if (!isMainThread) parentPort.postMessage('response');
  else if (process.send) process.send('response');
  else process.stdout.write('response\n');
  if (orders.hoards) hoard([]);
  if (orders.load === 'light') exitSoon();
}

/** Exits after the time that the orders have, if they have one. */
function exitSoon() {
  if (orders.exitAfter !== undefined) setTimeout(() => process.exit(7), orders.exitAfter);
}

/** Fills the heap. */
function hoard(kept) {
  for (let i = 0; i < 100; i++) kept.push(Array.from({ length: 1000 }, (_, index) => ({ index })));
  setImmediate(hoard, kept);
}

function makeAgent(kind) {
  const agent = kind.makeAgent();
  open.add(agent);
  return agent;
}

/** Makes a request whose failure is nothing to anyone: the server is as mortal as the client. */
function request(kind, agent, path, more) {
  const req = kind.module.request({ host: '127.0.0.1', port: kind.port, agent, path, ...more });
  open.add(req);
  req.on('close', () => open.delete(req));
  req.on('error', () => {});
  req.on('response', (res) => {
    tell();
    res.on('error', () => {});
  });
  return req;
}

/** Makes one request after the other on an agent. */
function loop(kind, agent) {
  if (hasStopped) return;
  const req = request(kind, agent, '/', { method: 'POST' });
  req.on('response', (res) => res.resume().on('end', () => setImmediate(loop, kind, agent)));
  req.end(Buffer.alloc(3000));
}

/** Writes for as long as the peer takes it. */
function upload(kind, agent) {
  const req = request(kind, agent, '/never', { method: 'POST' });
  const more = () => {
    while (!req.destroyed && req.write(Buffer.alloc(50_000)));
  };
  req.on('drain', more);
  more();
}

/** Has requests in every phase. */
function beBusy(kind) {
  request(kind, makeAgent(kind), '/', { port: orders.ports.silent }).end();
  request(kind, makeAgent(kind), '/never').end();
  request(kind, makeAgent(kind), '/half').on('response', (res) => res.resume()).end();
  request(kind, makeAgent(kind), '/large').on('response', (res) => res.pause()).end();
  request(kind, makeAgent(kind), '/upgrade', { headers: { Connection: 'upgrade', Upgrade: 'echo' } })
    .on('upgrade', (res, socket) => {
      open.add(socket);
      socket.on('error', () => {}).on('data', (bytes) => socket.write(bytes));
    }).end();
  upload(kind, makeAgent(kind));
  loop(kind, makeAgent(kind));
  const shared = makeAgent(kind);
  for (let i = 0; i < 6; i++) loop(kind, shared);
}

/** Makes requests one after the other, each on a connection that was idle; some are called off in their response. */
function trickle(kind, agent, number = 0) {
  if (hasStopped) return;
  const path = number % 7 === 6 ? '/half' : '/';
  const req = request(kind, agent, path).on('close', () => setImmediate(trickle, kind, agent, number + 1));
  req.on('response', (res) => {
    res.resume();
    if (path === '/half') setImmediate(() => req.destroy());
  });
  req.end();
}

/** Calls everything off, after which nothing may keep the process. */
function stop() {
  hasStopped = true;
  for (const one of open) one.destroy();
}

for (const kind of kinds) {
  if (orders.load === 'light') trickle(kind, makeAgent(kind));
  else beBusy(kind);
}

if (isMainThread) process.on('disconnect', stop);
if (orders.load !== 'light') exitSoon();
