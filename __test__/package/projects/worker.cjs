'use strict';

// Makes a request in a worker that alone has loaded ferrequest, and again in the main thread when that has ended.
const { once } = require('node:events');
const { Worker } = require('node:worker_threads');

const worker = new Worker(require.resolve('./program.cjs'));
once(worker, 'exit').then(([code]) => {
  if (code !== 0) throw new Error(`The worker has ended with ${code}`);
  require('./program.cjs');
});
