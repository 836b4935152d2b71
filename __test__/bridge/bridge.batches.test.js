'use strict';

/**
 * Events that came while the JavaScript thread was busy, and are dispatched in one batch: also in the sandbox of Jest,
 * whose `process` is not Node's.
 */

const ours = require('../..');
const { describeNative, runScript } = require('../support');

/** Gets responses of many connections in one batch. */
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
  const later = [];
  const batch = all(() => {
    order.push('response');
    process.nextTick(() => order.push('tick'));
    Promise.resolve().then(() => order.push('job'));
    process.nextTick(() => later.push(get('/later', () => {})));
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
  await Promise.all(later);
  agent.destroy();
  await peer.terminate();
  return { order, rings: doorbells.at(-1) - doorbells[0] };
}

/** Gets a body in two reads of one connection, which come in one batch. */
async function dispatchTwoReads(http) {
  const { once } = require('node:events');
  const { Worker } = require('node:worker_threads');

  const flag = new Int32Array(new SharedArrayBuffer(4));
  const peer = new Worker(`
    const { parentPort, workerData } = require('node:worker_threads');
    const server = require('node:net').createServer((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\none');
        const look = () => (Atomics.load(workerData, 0) === 1 ? socket.end('two') : setImmediate(look));
        look();
      });
    });
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  `, { eval: true, workerData: flag });
  const [port] = await once(peer, 'message');
  const order = [];
  const { bytesIn } = http.stats();
  const first = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none'.length;
  const req = http.get({ port, host: '127.0.0.1', agent: false }, (res) => {
    res.on('data', (chunk) => {
      order.push(String(chunk));
      process.nextTick(() => order.push('tick'));
      Promise.resolve().then(() => order.push('job'));
      setImmediate(() => order.push('immediate'));
    });
  });
  await once(req, 'finish');
  while (http.stats().bytesIn < bytesIn + first);
  Atomics.store(flag, 0, 1);
  while (http.stats().bytesIn < bytesIn + first + 3);
  await once(req, 'close');
  await peer.terminate();
  return order;
}

/** Runs a function of these in a process of its own. */
async function inChild(main, args) {
  const script = `async (http, args) => {
    console.log(JSON.stringify(await (${main})(http, args)));
  }`;
  const { stdout, stderr } = await runScript(script, { args });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

const PLACES = [
  ['in a process of its own', inChild],
  ['in the sandbox of Jest', (main, args) => main(ours, args)],
];

describeNative.each(PLACES)('a batch of responses of 50 connections %s', (_place, run) => {
  let order;
  let rings;

  beforeAll(async () => {
    ({ order, rings } = await run(dispatchBatch, 50));
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

describeNative.each(PLACES)('two reads of one connection in a batch %s', (_place, run) => {
  it('have ticks and promise jobs between them, and no turn of the event loop', async () => {
    let order;
    // A process that the system has kept waiting for 4 ms lets timers and other I/O have their turn between them.
    for (let tries = 0; tries < 10 && !order?.slice(0, 6).every((each) => each !== 'immediate'); tries++) {
      order = await run(dispatchTwoReads);
      expect(order.filter((each) => each !== 'immediate')).toEqual(['one', 'tick', 'job', 'two', 'tick', 'job']);
    }
    expect(order.slice(0, 6)).toEqual(['one', 'tick', 'job', 'two', 'tick', 'job']);
  });
});
