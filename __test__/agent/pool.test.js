'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const {
  http, newAgent, poolOf, untilIdle, untilPoolIsEmpty, untilNoConnections, serve, exchange, responseTo, bytesOf, until,
} = require('../support');

/**
 * Starts a server that holds its answers back until the test lets them go.
 * @returns {Promise<import('../support/servers').Peer & { waiting: { url: string, answer: () => void }[], most: number
 *   }>}   waiting: the requests that have arrived and are not answered; most: how many connections were open at once
 */
async function serveHeldBack() {
  const waiting = [];
  const peer = await serve((req, res) => waiting.push({ url: req.url, answer: () => res.end(req.url) }));
  peer.server.on('connection', () => { peer.most = Math.max(peer.most, peer.sockets.size); });
  return Object.assign(peer, { waiting, most: 0 });
}

/** Starts `count` requests, /0 and so on. */
function start(count, options) {
  return Array.from({ length: count }, (_, index) => exchange({ ...options, path: `/${index}` }));
}

describe('the tables of an agent', () => {
  it('show a request, then its idle connection, then nothing', async () => {
    const peer = await serveHeldBack();
    const agent = newAgent({ keepAlive: true });
    const name = agent.getName(peer.address);

    const req = http.get({ ...peer.address, agent });
    expect(agent.totalSocketCount).toBe(1);
    expect(agent.sockets[name]).toHaveLength(1);
    expect(agent.freeSockets).toEqual({});
    expect(agent.requests).toEqual({});

    await until(() => peer.waiting.length === 1);
    expect(agent.sockets[name]).toEqual([req.socket]);
    peer.waiting.shift().answer();
    const res = await responseTo(req);
    expect(agent.sockets[name]).toEqual([req.socket]);
    await bytesOf(res);
    await untilIdle(agent);
    expect(agent.sockets).toEqual({});
    expect(agent.freeSockets).toEqual({ [name]: [req.socket] });
    expect(agent.totalSocketCount).toBe(1);

    agent.destroy();
    await untilPoolIsEmpty(agent);
  });

  it('move an idle connection back among those in use as soon as a request takes it', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    const name = agent.getName(peer.address);
    const { req: first } = await exchange({ ...peer.address, agent });
    await untilIdle(agent);

    const second = http.get({ ...peer.address, agent });
    expect(agent.freeSockets).toEqual({});
    expect(agent.sockets).toEqual({ [name]: [first.socket] });
    await bytesOf(await responseTo(second));
    expect(second.socket).toBe(first.socket);
  });

  it('hold the requests that wait for a connection, under the name of their origin', async () => {
    const peer = await serveHeldBack();
    const agent = newAgent({ maxSockets: 1 });
    const name = agent.getName(peer.address);
    const reqs = [0, 1, 2].map((index) => http.get({ ...peer.address, agent, path: `/${index}` }));
    const bodies = reqs.map(async (req) => bytesOf(await responseTo(req)));
    expect(agent.requests).toEqual({ [name]: [reqs[1], reqs[2]] });
    expect(agent.sockets[name]).toHaveLength(1);

    for (const left of [1, 0]) {
      await until(() => peer.waiting.length === 1);
      peer.waiting.shift().answer();
      await until(() => peer.waiting.length === 1);
      expect(poolOf(agent)).toEqual({ sockets: 1, freeSockets: 0, requests: left });
    }
    expect(agent.requests).toEqual({});
    peer.waiting.shift().answer();
    await Promise.all(bodies);
    await untilPoolIsEmpty(agent);
  });

  it('have a row for each origin, local address and family', async () => {
    const [one, two] = [await serveHeldBack(), await serveHeldBack()];
    const agent = newAgent({ keepAlive: true });
    const answered = [
      exchange({ ...one.address, agent }),
      exchange({ ...two.address, agent }),
      exchange({ ...one.address, agent, family: 4 }),
      exchange({ ...one.address, agent, localAddress: '127.0.0.1' }),
    ];
    expect(Object.keys(agent.sockets).sort()).toEqual([
      `127.0.0.1:${one.port}:`, `127.0.0.1:${one.port}:127.0.0.1`, `127.0.0.1:${one.port}::4`, `127.0.0.1:${two.port}:`,
    ].sort());
    await until(() => one.waiting.length === 3 && two.waiting.length === 1);
    for (const { answer } of [...one.waiting, ...two.waiting]) answer();
    await Promise.all(answered);
    await untilIdle(agent);
    expect(Object.keys(agent.freeSockets)).toHaveLength(4);
  });
});

describe('maxSockets', () => {
  it('is without limit by default', async () => {
    const peer = await serveHeldBack();
    const agent = newAgent();
    const answered = start(20, { ...peer.address, agent });
    await until(() => peer.waiting.length === 20);
    expect(peer.sockets.size).toBe(20);
    for (const { answer } of peer.waiting) answer();
    await Promise.all(answered);
    await untilPoolIsEmpty(agent);
  });

  it.each([[1, true], [3, true], [1, false], [3, false]])(
    'of %i (keepAlive %j) is never passed, and serves in order all that wait', async (maxSockets, keepAlive) => {
      const peer = await serveHeldBack();
      const urls = [];
      peer.server.on('request', ({ url }) => urls.push(url));
      const agent = newAgent({ maxSockets, keepAlive });
      const answered = start(12, { ...peer.address, agent });
      for (let done = 0; done < 12; done += maxSockets) {
        await until(() => peer.waiting.length === maxSockets);
        for (const { answer } of peer.waiting.splice(0)) answer();
      }
      const bodies = (await Promise.all(answered)).map(({ body }) => body.toString());
      expect(bodies).toEqual(Array.from({ length: 12 }, (_, index) => `/${index}`));
      expect(peer.most).toBe(maxSockets);
      if (maxSockets === 1) expect(urls).toEqual(bodies);
    });

  it('holds for each origin on its own', async () => {
    const peers = [await serveHeldBack(), await serveHeldBack()];
    const agent = newAgent({ maxSockets: 2 });
    const answered = peers.flatMap((peer) => start(2, { ...peer.address, agent }));
    await until(() => peers.every((peer) => peer.waiting.length === 2));
    for (const peer of peers) for (const { answer } of peer.waiting) answer();
    await Promise.all(answered);
  });

  it('makes even an agent without keepAlive hand a connection on to the next that waits', async () => {
    const peer = await serve((req, res) => res.end(req.headers.connection));
    const agent = newAgent({ maxSockets: 1 });
    const answers = await Promise.all(start(5, { ...peer.address, agent }));
    expect(answers.map(({ body }) => body.toString())).toEqual(Array(5).fill('keep-alive'));
    expect(peer.accepted.length).toBe(1);
    await untilPoolIsEmpty(agent);
  });
});

describe('maxTotalSockets', () => {
  it('is never passed over several origins', async () => {
    const peers = [await serveHeldBack(), await serveHeldBack(), await serveHeldBack()];
    const agent = newAgent({ maxTotalSockets: 2 });
    const answered = peers.flatMap((peer) => start(3, { ...peer.address, agent }));
    expect(poolOf(agent)).toEqual({ sockets: 2, freeSockets: 0, requests: 7 });
    let most = 0;
    for (let done = 0; done < 9;) {
      await until(() => peers.some((peer) => peer.waiting.length > 0));
      const waiting = peers.flatMap((peer) => peer.waiting.splice(0));
      most = Math.max(most, agent.totalSocketCount);
      for (const { answer } of waiting) answer();
      done += waiting.length;
    }
    await Promise.all(answered);
    expect(most).toBe(2);
    await untilPoolIsEmpty(agent);
  });
});

describe('maxFreeSockets', () => {
  it('closes the connections that are too many when they fall idle', async () => {
    const peer = await serveHeldBack();
    const agent = newAgent({ keepAlive: true, maxFreeSockets: 2 });
    const answered = start(5, { ...peer.address, agent });
    await until(() => peer.waiting.length === 5);
    for (const { answer } of peer.waiting) answer();
    await Promise.all(answered);
    await until(() => peer.sockets.size === 2);
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 2, requests: 0 });
    expect(agent.totalSocketCount).toBe(2);
  });
});

describe('scheduling', () => {
  /** Makes three idle connections, and gives them in the order in which they fell idle. */
  async function threeIdle(peer, agent) {
    const idle = [];
    const answered = start(3, { ...peer.address, agent });
    await until(() => peer.waiting.length === 3);
    while (peer.waiting.length > 0) {
      const before = idle.length;
      peer.waiting.shift().answer();
      await until(() => poolOf(agent).freeSockets === before + 1);
      idle.push(Object.values(agent.freeSockets)[0].at(-1));
    }
    await Promise.all(answered);
    return idle;
  }

  it.each([['lifo', 2], ['fifo', 0]])('%s takes the idle connection of rank %i', async (scheduling, rank) => {
    const peer = await serveHeldBack();
    const agent = newAgent({ keepAlive: true, scheduling });
    const idle = await threeIdle(peer, agent);
    const req = http.get({ ...peer.address, agent });
    await until(() => peer.waiting.length === 1);
    peer.waiting.shift().answer();
    await bytesOf(await responseTo(req));
    expect(idle.indexOf(req.socket)).toBe(rank);
  });
});

describe("the 'free' event", () => {
  it('tells the socket and the options of its request', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    const freed = [];
    agent.on('free', (socket, options) => freed.push({ socket, options }));
    const { req } = await exchange({ ...peer.address, agent, path: '/x' });
    await untilIdle(agent);
    expect(freed).toHaveLength(1);
    expect(freed[0].socket).toBe(req.socket);
    expect(freed[0].options).toMatchObject({ host: '127.0.0.1', port: peer.port });
  });

  it('comes after the request has closed', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    const events = [];
    agent.on('free', () => events.push('free'));
    const req = http.get({ ...peer.address, agent }, (res) => res.on('end', () => events.push('end')).resume());
    req.on('close', () => events.push('close'));
    await untilIdle(agent);
    expect(events).toEqual(['end', 'close', 'free']);
  });

  it('can be taken over: without the listener of the agent nothing is pooled', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    agent.removeAllListeners('free');
    agent.on('free', (socket) => socket.destroy());
    await exchange({ ...peer.address, agent });
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
  });
});

describe("'agentRemove'", () => {
  it('takes a socket out of the tables and leaves it open', async () => {
    const peer = await serveHeldBack();
    const agent = newAgent({ keepAlive: true });
    const req = http.get({ ...peer.address, agent });
    await until(() => peer.waiting.length === 1);
    req.socket.emit('agentRemove');
    expect(agent.sockets).toEqual({});
    expect(agent.totalSocketCount).toBe(0);
    peer.waiting.shift().answer();
    await bytesOf(await responseTo(req));
    expect(req.socket.destroyed).toBe(false);
    expect(agent.freeSockets).toEqual({});
    req.socket.destroy();
    await untilNoConnections(peer);
    expect(agent.totalSocketCount).toBe(0);
  });
});

describe('agent.destroy()', () => {
  it('closes the connections that are idle', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    await Promise.all(start(3, { ...peer.address, agent }));
    await untilIdle(agent);
    agent.destroy();
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
  });

  it('fails the requests in flight with ECONNRESET', async () => {
    const peer = await serveHeldBack();
    const agent = newAgent({ keepAlive: true });
    const answered = start(3, { ...peer.address, agent });
    await until(() => peer.waiting.length === 3);
    const settled = Promise.allSettled(answered);
    agent.destroy();
    for (const result of await settled) {
      expect(result.reason).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });
    }
    await untilPoolIsEmpty(agent);
  });

  it('leaves the agent in working order', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 3; i++) {
      const { req } = await exchange({ ...peer.address, agent });
      expect(req.reusedSocket).toBe(false);
      agent.destroy();
      await untilPoolIsEmpty(agent);
    }
  });

  it('lets the requests that wait go on with new connections', async () => {
    const peer = await serveHeldBack();
    const agent = newAgent({ maxSockets: 1 });
    const answered = start(2, { ...peer.address, agent });
    await until(() => peer.waiting.length === 1);
    peer.waiting.length = 0;
    const failed = expect(answered[0]).rejects.toMatchObject({ code: 'ECONNRESET' });
    agent.destroy();
    await failed;
    await until(() => peer.waiting.length === 1);
    peer.waiting.shift().answer();
    expect((await answered[1]).body.toString()).toBe('/1');
    await untilPoolIsEmpty(agent);
  });
});

it('runs the events of a request that waited in the async context in which it was made', async () => {
  const peer = await serve((req, res) => res.end('x'));
  const agent = newAgent({ keepAlive: true, maxSockets: 1 });
  const storage = new AsyncLocalStorage();
  const seen = await Promise.all(Array.from({ length: 6 }, (_, index) => storage.run(index, async () => {
    const stores = [];
    const req = http.get({ ...peer.address, agent });
    for (const event of ['socket', 'finish', 'response', 'close']) req.on(event, () => stores.push(storage.getStore()));
    const res = await responseTo(req);
    for (const event of ['data', 'end']) res.on(event, () => stores.push(storage.getStore()));
    await new Promise((resolve) => { req.on('close', resolve); });
    return stores;
  })));
  expect(seen).toEqual(seen.map((_, index) => Array(6).fill(index)));
});
