'use strict';

const nodeHttp = require('node:http');
const {
  http, newAgent, poolOf, untilIdle, untilPoolIsEmpty, untilNoConnections, serve, serveRaw, exchange, responseTo,
  bytesOf, until,
  record, unusedPort, cleanUp,
} = require('../support');

/** A server that holds every answer back, and an agent with one connection, on which a first request is under way. */
async function busyPool(options) {
  const waiting = [];
  const peer = await serve((req, res) => waiting.push({ url: req.url, answer: () => res.end(req.url) }));
  const agent = newAgent({ maxSockets: 1, ...options });
  const first = exchange({ ...peer.address, agent, path: '/first' });
  await until(() => waiting.length === 1);
  return { waiting, peer, agent, first };
}

/** @returns a promise of the 'close' of a request */
function closed(req) {
  return new Promise((resolve) => { req.once('close', resolve); });
}

const hangUp = { code: 'ECONNRESET', message: 'socket hang up' };

describe('a request that waits for a connection', () => {
  it.each([
    ['destroy()', (req) => req.destroy(), ['req error ECONNRESET', 'req close']],
    ['destroy(error)', (req) => req.destroy(new Error('mine')), ['req error mine', 'req close']],
    ['abort()', (req) => req.abort(), ['req abort', 'req close']],
  ])('is never sent after %s', async (_how, stop, events) => {
    const { waiting, peer, agent, first } = await busyPool();
    const req = http.get({ ...peer.address, agent, path: '/stopped' });
    const { events: seen } = record(req);
    req.on('error', () => {});
    expect(poolOf(agent).requests).toBe(1);
    stop(req);
    expect(req.destroyed).toBe(true);
    const next = exchange({ ...peer.address, agent, path: '/next' });
    waiting.shift().answer();
    await until(() => waiting.length === 1);
    expect(waiting[0].url).toBe('/next');
    waiting.shift().answer();
    await Promise.all([first, next]);
    await untilPoolIsEmpty(agent);
    expect(seen.filter((event) => event !== 'req finish')).toEqual(events);
    expect(peer.accepted.length).toBe(1);
  });

  it('is stopped by its signal with an AbortError', async () => {
    const { waiting, peer, agent, first } = await busyPool();
    const controller = new AbortController();
    const stopped = expect(exchange({ ...peer.address, agent, signal: controller.signal }))
      .rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    controller.abort();
    waiting.shift().answer();
    await first;
    await stopped;
    await untilPoolIsEmpty(agent);
  });

  it('does not count its own timeout while it waits', async () => {
    const { waiting, peer, agent, first } = await busyPool();
    const req = http.get({ ...peer.address, agent, timeout: 30 });
    let timeouts = 0;
    req.on('timeout', () => timeouts++);
    // One that does not wait, and started later, shows that the time is over.
    const other = http.get({ ...peer.address, agent: newAgent(), path: '/other', timeout: 60 });
    await new Promise((resolve) => { other.once('timeout', resolve); });
    expect(timeouts).toBe(0);
    const otherDone = responseTo(other).then(bytesOf);
    waiting.pop().answer();
    await otherDone;
    waiting.shift().answer();
    await first;
    await new Promise((resolve) => { req.once('timeout', resolve); });
    await until(() => waiting.length === 1);
    const response = responseTo(req);
    waiting.shift().answer();
    await bytesOf(await response);
  });

  it('takes many of its kind out of the queue with it and leaves the rest', async () => {
    const { waiting, peer, agent, first } = await busyPool({ keepAlive: true });
    const requests = Array.from({ length: 30 }, (_, index) => exchange({ ...peer.address, agent, path: `/${index}` }));
    const settled = Promise.allSettled(requests);
    const queued = [...Object.values(agent.requests)[0]];
    expect(queued).toHaveLength(30);
    queued.forEach((req, index) => index % 3 !== 0 && req.destroy());
    const urls = [];
    const survivors = requests.filter((_, index) => index % 3 === 0);
    const done = Promise.all([first, ...survivors]);
    const answering = setInterval(() => waiting.splice(0).forEach(({ url, answer }) => urls.push(url) && answer()), 1);
    cleanUp(() => clearInterval(answering));
    await done;
    expect(urls).toEqual(['/first', ...survivors.map((_, index) => `/${index * 3}`)]);
    const results = await settled;
    expect(results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason)).toEqual(
      Array(20).fill(expect.objectContaining(hangUp)));
    await untilIdle(agent);
    expect(peer.accepted.length).toBe(1);
  });
});

describe('an agent survives requests that are stopped', () => {
  const stages = {
    'at once': (req) => req.destroy(),
    'on the next tick': (req) => process.nextTick(() => req.destroy()),
    "on 'socket'": (req) => req.once('socket', () => req.destroy()),
    'when connected': (req) => req.once('socket', (socket) => socket.once('connect', () => req.destroy())),
    "on 'finish'": (req) => req.once('finish', () => req.destroy()),
    "on 'response'": (req) => req.once('response', () => req.destroy()),
    "in the first 'data'": (req) => req.once('response', (res) => res.once('data', () => req.destroy())),
    "in the response's 'end'": (req) => req.once('response', (res) => res.resume().once('end', () => req.destroy())),
  };

  it.each(Object.keys(stages))('%s, one after the other', async (stage) => {
    const peer = await serve((req, res) => res.end(Buffer.alloc(300_000)));
    const agent = newAgent({ keepAlive: true, maxSockets: 2 });
    for (let i = 0; i < 6; i++) {
      const req = http.get({ ...peer.address, agent });
      req.on('error', () => {});
      stages[stage](req);
      await closed(req);
    }
    const { res, body } = await exchange({ ...peer.address, agent });
    expect(res.statusCode).toBe(200);
    expect(body).toHaveLength(300_000);
    agent.destroy();
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
  });

  it('at all stages mixed, with more that wait', async () => {
    const peer = await serve((req, res) => res.end(Buffer.alloc(100_000)));
    const agent = newAgent({ keepAlive: true, maxSockets: 3 });
    const kinds = Object.values(stages);
    const stopped = Array.from({ length: 64 }, (_, index) => {
      const req = http.get({ ...peer.address, agent });
      req.on('error', () => {});
      kinds[index % kinds.length](req);
      return closed(req);
    });
    const bodies = Array.from({ length: 16 }, async () => (await exchange({ ...peer.address, agent })).body.length);
    await Promise.all(stopped);
    expect(await Promise.all(bodies)).toEqual(Array(16).fill(100_000));
    agent.destroy();
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
  });
});

describe('a request that is destroyed in the tick in which it gets a connection', () => {
  /** Ends of the connection, by the time of the request's 'close'. */
  async function fateOf(module, isNew) {
    const peer = await serve((req, res) => res.end());
    const agent = new module.Agent({ keepAlive: true });
    cleanUp(() => agent.destroy());
    const options = { ...peer.address, agent };
    if (!isNew) {
      module.get(options, (res) => res.resume());
      await until(() => poolOf(agent).freeSockets === 1);
    }
    const req = module.request(options);
    const { events } = record(req);
    const [[socket]] = Object.values(agent.sockets);
    req.on('error', () => {}).destroy();
    await closed(req);
    return { events, destroyed: socket.destroyed, ...poolOf(agent) };
  }

  it.each([['a new', true], ['an idle', false]])("leaves %s one as Node's own agent would", async (_which, isNew) => {
    expect(await fateOf(http, isNew)).toEqual(await fateOf(nodeHttp, isNew));
  });

  it('lets a request that waits have it', async () => {
    const { waiting, peer, agent, first } = await busyPool({ keepAlive: true });
    const stopped = http.get({ ...peer.address, agent, path: '/stopped' });
    stopped.on('error', () => {});
    const next = exchange({ ...peer.address, agent, path: '/next' });
    const { onSocket } = stopped;
    stopped.onSocket = (...arguments_) => {
      onSocket.apply(stopped, arguments_);
      stopped.destroy();
    };
    waiting.shift().answer();
    await until(() => waiting.length === 1);
    expect(waiting[0].url).toBe('/next');
    waiting.shift().answer();
    await Promise.all([first, next]);
    expect(peer.accepted.length).toBe(1);
  });
});

describe('a pool whose server fails', () => {
  it('gives each request that waits an ECONNREFUSED of its own', async () => {
    const port = await unusedPort();
    const agent = newAgent({ maxSockets: 2, keepAlive: true });
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, () => exchange({ host: '127.0.0.1', port, agent })));
    expect(results.map(({ reason }) => reason?.code)).toEqual(Array(12).fill('ECONNREFUSED'));
    expect(new Set(results.map(({ reason }) => reason)).size).toBe(12);
    await untilPoolIsEmpty(agent);
  });

  it('goes on to the next that waits when a connection breaks', async () => {
    const peer = await serveRaw((socket, index) => {
      socket.once('data', () => {
        if (index % 2 === 0) socket.resetAndDestroy();
        else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      });
    });
    const agent = newAgent({ maxSockets: 1, keepAlive: true });
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => exchange({ ...peer.address, agent })));
    expect(results.map(({ reason, value }) => reason?.code ?? value.res.statusCode)).toEqual(
      Array(5).fill(['ECONNRESET', 200]).flat());
    expect(peer.accepted.length).toBe(10);
    await untilPoolIsEmpty(agent);
  });
});
