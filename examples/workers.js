'use strict';

/** Makes requests in worker threads. Each has an agent, an I/O thread and counters of its own; nothing is shared. */

const { createServer } = require('node:http');
const { once } = require('node:events');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const http = require('ferrequest');
const { listen } = require('./support/server.js');

const WORKERS = 2;
const REQUESTS = 50;

async function work() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 5 });
  await Promise.all(Array.from({ length: REQUESTS }, async () => {
    const [response] = await once(http.get(workerData.url, { agent }), 'response');
    await once(response.resume(), 'end');
  }));
  agent.destroy();
  parentPort.postMessage(http.stats().responses);
}

async function main() {
  const server = await listen(createServer((_request, response) => response.end('hello')));
  const counts = await Promise.all(Array.from({ length: WORKERS }, async () => {
    const worker = new Worker(__filename, { workerData: { url: server.url } });
    const [[count]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    return count;
  }));
  console.log(`${counts.join(' and ')} responses in workers, ${http.stats().responses} in the main thread`);
  await server.close();
}

if (isMainThread) main();
else work();
