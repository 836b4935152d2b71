'use strict';

/** A storm of faults: whatever a server does, a request that is tried again comes to one end, with its whole body. */

const http = require('../../index');
const { isOracle, untilPoolIsEmpty } = require('../support');
const { describeTransports } = require('../support/transports');

const REQUESTS = 90;
const AT_A_TIME = 15;

/** Numbers from 0 to 1 that are the same in each run. */
function random(seed) {
  return () => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed / 0x7fffffff;
  };
}

/** What the server does with a request that has been read. */
const ANSWERS = [
  (req) => req.socket.destroy(),
  (req, res) => res.writeHead(503).end('short'),
  (req, res) => res.writeHead(503).end('long '.repeat(40_000)),
  (req, res) => res.writeHead(502, { Connection: 'close' }).end('last'),
  (req) => req.socket.end('HTTP/1.1 503 Until The End\r\n\r\nof the connection'),
  (req, res) => {
    res.writeHead(503).write('cut');
    setImmediate(() => req.socket.destroy());
  },
  (req, res) => setImmediate(() => res.end(req.url)),
  (req, res) => res.end(req.url),
];

describeTransports('requests with `retry` in a storm of faults', (transport) => {
  it('come to one end each, and arrive whole', async () => {
    const next = random(20_261_129);
    const arrived = new Map();
    const peer = await transport.serve((req, res) => {
      const bodies = arrived.get(req.url) ?? [];
      arrived.set(req.url, bodies);
      const index = bodies.push(null) - 1;
      req.on('error', () => {});
      if (next() < 0.15) {
        req.socket.destroy();
        return;
      }
      let body = '';
      req.setEncoding('latin1').on('data', (text) => { body += text; });
      req.on('end', () => {
        bodies[index] = body;
        ANSWERS[Math.floor(next() * ANSWERS.length)](req, res);
      });
    });
    const retry = { minTimeout: 1, maxTimeout: 4 };
    const agent = transport.newAgent({ keepAlive: true, maxSockets: 6, retry });
    const faults = [];

    /** Makes a request, and notes what is wrong with it. */
    async function make(index) {
      const path = `/${index}`;
      const method = ['GET', 'PUT', 'POST'][index % 3];
      const parts = method === 'GET' ? [] : Array.from({ length: index % 4 }, (_, part) => `${part} `.repeat(3000));
      const req = http.request({ ...peer.address, agent, path, method });
      const events = [];
      let text = '';
      req.on('finish', () => events.push('finish'));
      req.on('error', () => events.push('error'));
      const closed = new Promise((resolve) => { req.once('close', resolve); });
      req.on('close', () => events.push('close'));
      req.on('response', (res) => {
        events.push('response');
        res.setEncoding('latin1').on('data', (chunk) => { text += chunk; }).on('error', () => {});
        if (res.statusCode === 200) res.on('end', () => text !== path && faults.push(`${path} got ${text}`));
      });
      const isCalledOff = index % 10 === 9;
      if (isCalledOff) setTimeout(() => !events.includes('response') && req.destroy(), index % 7);
      for (const part of parts) {
        req.write(part);
        await new Promise((resolve) => { setImmediate(resolve); });
      }
      req.end();
      await closed;
      // For an event too many.
      await new Promise((resolve) => { setImmediate(resolve); });
      const bodies = arrived.get(path) ?? [];
      const count = (name) => events.filter((event) => event === name).length;
      const isRight = count('close') === 1 && count('response') + count('error') >= 1 && count('response') <= 1 &&
        count('error') <= 1 && count('finish') <= 1 && bodies.length <= req.attempts &&
        (method !== 'POST' || bodies.length <= 1);
      if (!isRight) faults.push(`${method} ${path} ${events} ${bodies.length} of ${req.attempts}`);
      const isWhole = bodies.every((body) => body === null || body === parts.join(''));
      if (!isWhole && !isCalledOff) faults.push(`${path} did not arrive whole`);
    }

    let begun = 0;
    await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
      while (begun < REQUESTS) await make(begun++);
    }));
    expect(faults).toEqual([]);
    expect(agent.stats()).toMatchObject({ sockets: 0, requests: 0 });
    agent.destroy();
    await untilPoolIsEmpty(agent);
  });
}, ({ isLent }) => !isLent && !isOracle);
