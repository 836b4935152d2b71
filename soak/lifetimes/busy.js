'use strict';

/**
 * Keeps requests in every phase, native, over streams and over TLS, until its thread or process comes to its end. It
 * runs in a worker, or as a process: `node busy.js JSON`. It tells of its first response.
 */

const net = require('node:net');
const { isMainThread, parentPort, workerData } = require('node:worker_threads');

const certificates = require('../../__test__/support/certificates');

/**
 * @typedef {object} Orders
 * @property {{ plain: number, tls: number, silent: number }} ports
 * @property {'ferrequest' | 'node'} client
 * @property {number} [exitAfter] milliseconds after which the process exits by itself, with the code 7
 */

/** @type {Orders} */
const orders = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const isNode = orders.client === 'node';
const http = isNode ? require('node:http') : require('../..');
const https = isNode ? require('node:https') : require('../../https');

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

let hasTold = false;

function tell() {
  if (hasTold) return;
  hasTold = true;
  if (isMainThread) process.stdout.write('response\n');
  else parentPort.postMessage('response');
}

/** Makes a request whose failure is nothing to anyone: the server is as mortal as the client. */
function request(kind, agent, path, more) {
  const req = kind.module.request({ host: '127.0.0.1', port: kind.port, agent, path, ...more });
  req.on('error', () => {});
  req.on('response', (res) => {
    tell();
    res.on('error', () => {});
  });
  return req;
}

/** Makes one request after the other on an agent. */
function loop(kind, agent) {
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

for (const kind of kinds) {
  request(kind, kind.makeAgent(), '/', { port: orders.ports.silent }).end();
  request(kind, kind.makeAgent(), '/never').end();
  request(kind, kind.makeAgent(), '/half').on('response', (res) => res.resume()).end();
  request(kind, kind.makeAgent(), '/large').on('response', (res) => res.pause()).end();
  request(kind, kind.makeAgent(), '/upgrade', { headers: { Connection: 'upgrade', Upgrade: 'echo' } })
    .on('upgrade', (res, socket) => socket.on('error', () => {}).on('data', (bytes) => socket.write(bytes))).end();
  upload(kind, kind.makeAgent());
  loop(kind, kind.makeAgent());
  const shared = kind.makeAgent();
  for (let i = 0; i < 6; i++) loop(kind, shared);
}

if (orders.exitAfter !== undefined) setTimeout(() => process.exit(7), orders.exitAfter);
