'use strict';

/** Responses of many connections that came while the JavaScript thread was busy, and are dispatched in one batch. */

const { describeOurs, runScript } = require('../support');

/** Runs in a process of its own: Jest's `process` cannot run ticks. */
async function dispatchBatch(http, connections) {
  const { once } = require('node:events');
  const { Worker } = require('node:worker_threads');

  const peer = new Worker(`
    const held = [];
    const server = require('node:http').createServer((req, res) => {
      if (req.url === '/later') return res.end('body');
      held.push(res);
      if (held.length === ${connections}) for (const one of held.splice(0)) one.end('body');
    });
    server.listen(0, '127.0.0.1', () => require('node:worker_threads').parentPort.postMessage(server.address().port));
  `, { eval: true });
  const [port] = await once(peer, 'message');
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const order = [];
  const doorbells = [];

  function get(path, onResponse) {
    return new Promise((resolve, reject) => {
      const req = http.get({ port, host: '127.0.0.1', agent, path }, (res) => {
        onResponse();
        res.resume();
        res.on('end', resolve);
      });
      req.on('error', reject);
    });
  }
  const all = (onResponse) => Promise.all(Array.from({ length: connections }, () => get('/together', onResponse)));

  const bytesBefore = http.stats().bytesIn;
  await all(() => {});
  const bytes = http.stats().bytesIn - bytesBefore;
  await new Promise((resolve) => { setTimeout(resolve); });
  const batch = all(() => {
    order.push('response');
    process.nextTick(() => order.push('tick'));
    Promise.resolve().then(() => order.push('job'));
    process.nextTick(get, '/later', () => {});
    doorbells.push(http.stats().doorbells);
  });
  await new Promise((resolve) => {
    setImmediate(() => {
      // Everything is there before the first is dispatched.
      while (http.stats().bytesIn < bytesBefore + 2 * bytes);
      resolve();
    });
  });
  await batch;
  console.log(JSON.stringify({ order, rings: doorbells.at(-1) - doorbells[0] }));
  process.exit();
}

describeOurs('a batch of responses of 50 connections', () => {
  let order;
  let rings;

  beforeAll(async () => {
    const { stdout, stderr } = await runScript(dispatchBatch, { args: 50 });
    expect(stderr).toBe('');
    ({ order, rings } = JSON.parse(stdout));
  });

  it('lets nextTicks and promise jobs run after at most 16 of them', () => {
    const runs = order.join(' ').match(/response(?: response)*/g).map((run) => run.split(' ').length);
    expect(runs.reduce((a, b) => a + b)).toBe(50);
    expect(Math.max(...runs)).toBeLessThanOrEqual(16);
    // One is all of a batch that was not one.
    expect(Math.max(...runs)).toBeGreaterThan(1);
  });

  it('runs the ticks and jobs of the first before it goes on to later ones', () => {
    const places = (name) => order.flatMap((each, index) => (each === name ? [index] : []));
    const [responses, ticks, jobs] = ['response', 'tick', 'job'].map(places);
    expect([responses.length, ticks.length, jobs.length]).toEqual([50, 50, 50]);
    expect(responses.every((at, i) => at < ticks[i])).toBe(true);
    expect(ticks.every((at, i) => at < jobs[i])).toBe(true);
    // The 17th comes when all is done that the first has made due.
    expect(jobs[0]).toBeLessThan(responses[16]);
  });

  it('sends what the first of them cause while the others are dispatched', () => {
    expect(rings).toBeGreaterThan(0);
  });
});
