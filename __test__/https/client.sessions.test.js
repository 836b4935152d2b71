'use strict';

/** Connections and TLS sessions that an https agent uses again. */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const { bytesOf, cleanUp, poolOf, responseTo, until, untilIdle } = require('../support');
const { certificates, exchangeTls, https, newTlsAgent, serveTls } = require('../support/tls');

/** A server that closes each connection after its response, so that only sessions can be used again. */
const serveOnce = (options) => serveTls((req, res) => res.setHeader('Connection', 'close').end('x'), options);

/** Makes a request, waits until the server has sent its sessions, and says whether it has used an old one. */
async function reuses(options) {
  const req = https.get(options);
  // A destroyed socket no longer knows.
  const reused = new Promise((resolve) => { req.once('response', (res) => resolve(res.socket.isSessionReused())); });
  const [socket] = await once(req, 'socket');
  const closed = once(socket, 'close');
  await bytesOf(await responseTo(req));
  await closed;
  return reused;
}

describe.each([['TLSv1.2'], ['TLSv1.3']])('sessions of %s', (maxVersion) => {
  it('are used again by the next connection of an agent', async () => {
    const peer = await serveOnce({ maxVersion });
    const agent = newTlsAgent();
    expect([await reuses({ ...peer.address, agent }), await reuses({ ...peer.address, agent })]).toEqual([false, true]);
  });

  it('are not remembered with maxCachedSessions: 0', async () => {
    const peer = await serveOnce({ maxVersion });
    const agent = newTlsAgent({ maxCachedSessions: 0 });
    const options = { ...peer.address, agent };
    expect([await reuses(options), await reuses(options)]).toEqual([false, false]);
  });

  it('are forgotten one by one when there are too many', async () => {
    const peer = await serveOnce({ maxVersion });
    const agent = newTlsAgent({ maxCachedSessions: 2 });
    const ask = (servername) => reuses({ ...peer.address, agent, servername, rejectUnauthorized: false });
    for (const name of ['a.test', 'b.test', 'c.test']) expect([name, await ask(name)]).toEqual([name, false]);
    expect([await ask('b.test'), await ask('c.test'), await ask('a.test')]).toEqual([true, true, false]);
  });

  it('are not shared between names, nor between agents', async () => {
    const peer = await serveOnce({ maxVersion });
    const agent = newTlsAgent();
    const options = { ...peer.address, rejectUnauthorized: false };
    expect(await reuses({ ...options, agent, servername: 'a.test' })).toBe(false);
    expect(await reuses({ ...options, agent, servername: 'b.test' })).toBe(false);
    expect(await reuses({ ...options, agent: newTlsAgent(), servername: 'a.test' })).toBe(false);
  });

  it('that the server no longer takes are replaced', async () => {
    const peer = await serveOnce({ maxVersion });
    const agent = newTlsAgent();
    await reuses({ ...peer.address, agent });
    peer.server.setTicketKeys(Buffer.alloc(48, 7));
    expect([await reuses({ ...peer.address, agent }), await reuses({ ...peer.address, agent })]).toEqual([false, true]);
  });
});

describe('a session', () => {
  it.each([['TLSv1.2'], ['TLSv1.3']])('of %s comes too late once the peer has answered', async (maxVersion) => {
    const other = await serveOnce({ maxVersion });
    const first = https.get({ ...other.address, agent: newTlsAgent({ maxCachedSessions: 0 }) });
    const [socket] = await once(first, 'socket');
    const session = once(socket, 'session');
    await bytesOf(await responseTo(first));
    const [ofOther] = await session;

    // On a thread of its own, so that it answers while this one is busy.
    const worker = new Worker(`
      const { parentPort, workerData } = require('node:worker_threads');
      const server = require('node:https').createServer(workerData, (req, res) => res.end());
      server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
    `, { eval: true, workerData: { ...certificates.named, maxVersion } });
    cleanUp(() => worker.terminate());
    const [port] = await once(worker, 'message');
    const agent = newTlsAgent({ maxCachedSessions: 0 });
    const req = https.get({ host: '127.0.0.1', port, servername: 'a.test', agent });
    const [given] = await once(req, 'socket');
    given.once('connect', () => {
      for (const end = performance.now() + 200; performance.now() < end;);
      given.setSession(ofOther);
    });
    const res = await responseTo(req);
    expect(res.socket.getPeerCertificate().subjectaltname).toBe('DNS:a.test, DNS:*.b.test');
  });

  it.each([[undefined], [null], ['']])('of an agent is not used where the option `session` is %p', async (session) => {
    const peer = await serveOnce();
    const agent = newTlsAgent();
    const options = { ...peer.address, agent, session };
    expect([await reuses(options), await reuses(options)]).toEqual([false, false]);
  });

  it("is kept by methods of a user's", async () => {
    class KeepingAgent extends https.Agent {
      #sessions = new Map();

      get _getSession() {
        return (key) => this.#sessions.get(key);
      }

      _cacheSession(key, session) {
        this.#sessions.set(key, session);
      }
    }
    const peer = await serveOnce();
    const agent = new KeepingAgent({ ca: certificates.ca });
    expect([await reuses({ ...peer.address, agent }), await reuses({ ...peer.address, agent })]).toEqual([false, true]);
  });

  it('of a connection that breaks is forgotten', async () => {
    let breaks = false;
    const peer = await serveTls((req, res) => {
      if (breaks) req.socket.destroy();
      else res.setHeader('Connection', 'close').end();
    });
    const agent = newTlsAgent();
    await reuses({ ...peer.address, agent });
    breaks = true;
    await expect(exchangeTls({ ...peer.address, agent })).rejects.toMatchObject({ code: 'ECONNRESET' });
    breaks = false;
    expect((await exchangeTls({ ...peer.address, agent })).res.statusCode).toBe(200);
  });

  it("may be given by hand, and 'session' tells it", async () => {
    const peer = await serveOnce({ maxVersion: 'TLSv1.2' });
    // While a name is looked up, no handshake can begin.
    const address = { ...peer.address, host: 'localhost', family: 4 };
    const req = https.get({ ...address, agent: newTlsAgent({ maxCachedSessions: 0 }) });
    const [socket] = await once(req, 'socket');
    const sessions = [];
    socket.on('session', (session) => sessions.push(session));
    await bytesOf(await responseTo(req));
    await until(() => sessions.length > 0);
    const agent = newTlsAgent({ maxCachedSessions: 0 });
    expect(await reuses({ ...address, agent, session: sessions[0] })).toBe(true);

    const later = https.get({ ...address, agent });
    const reused = once(later, 'response').then(([res]) => res.socket.isSessionReused());
    later.once('socket', (given) => {
      if (!given.connecting) return;
      given.setSession(sessions[0]);
      // Node passes over what is no session.
      given.setSession(Buffer.from('no session'));
      expect(Buffer.compare(given.getSession(), sessions[0])).toBe(0);
    });
    expect(await reused).toBe(true);
  });

  it("has keys that an agent tells by 'keylog'", async () => {
    const peer = await serveOnce();
    const agent = newTlsAgent();
    const lines = [];
    agent.on('keylog', (line, socket) => lines.push([String(line), socket]));
    const { socket } = await exchangeTls({ ...peer.address, agent });
    expect(lines.length).toBeGreaterThan(0);
    for (const [line, from] of lines) {
      expect(line).toMatch(/^[A-Z_0-9]+ [0-9a-f]+ [0-9a-f]+\n$/);
      expect(from === socket).toBe(true);
    }
  });
});

describe('connections of an https agent', () => {
  const serveBody = () => serveTls((req, res) => res.end('body'));

  it('are kept alive and used again, with their TLS state', async () => {
    const peer = await serveBody();
    const agent = newTlsAgent({ keepAlive: true });
    const first = await exchangeTls({ ...peer.address, agent });
    await untilIdle(agent);
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 1, requests: 0 });
    const secure = [];
    first.socket.on('secureConnect', () => secure.push('again'));
    for (let i = 0; i < 5; i++) {
      const { req, socket, body } = await exchangeTls({ ...peer.address, agent });
      expect([req.reusedSocket, socket === first.socket, String(body)]).toEqual([true, true, 'body']);
    }
    expect([secure, peer.accepted.length]).toEqual([[], 1]);
  });

  it('gather no listeners from request to request', async () => {
    const peer = await serveBody();
    const agent = newTlsAgent({ keepAlive: true });
    const { socket } = await exchangeTls({ ...peer.address, agent });
    const countListeners = async () => {
      await untilIdle(agent);
      return socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);
    };
    const before = await countListeners();
    for (let i = 0; i < 20; i++) await exchangeTls({ ...peer.address, agent });
    expect(await countListeners()).toBe(before);
  });

  it('are not more than maxSockets; the others wait', async () => {
    const peer = await serveBody();
    const agent = newTlsAgent({ keepAlive: true, maxSockets: 2 });
    const bodies = await Promise.all(Array.from({ length: 10 }, () => exchangeTls({ ...peer.address, agent })));
    expect(bodies.map(({ body }) => String(body))).toEqual(Array(10).fill('body'));
    expect(peer.accepted.length).toBeLessThanOrEqual(2);
  });

  it('that the server closes while they are idle leave the pool', async () => {
    const peer = await serveBody();
    const agent = newTlsAgent({ keepAlive: true });
    await exchangeTls({ ...peer.address, agent });
    await untilIdle(agent);
    for (const socket of peer.accepted) socket.end();
    await until(() => poolOf(agent).freeSockets === 0);
    expect((await exchangeTls({ ...peer.address, agent })).req.reusedSocket).toBe(false);
  });

  it('are closed when they have been idle for the timeout of the agent', async () => {
    const peer = await serveBody();
    const agent = newTlsAgent({ keepAlive: true, timeout: 50 });
    await exchangeTls({ ...peer.address, agent });
    await until(() => poolOf(agent).freeSockets === 0 && peer.sockets.size === 0);
    expect(agent.totalSocketCount).toBe(0);
  });

  it('on which bytes arrive that nobody asked for are closed', async () => {
    const peer = await serveBody();
    const agent = newTlsAgent({ keepAlive: true });
    const first = await exchangeTls({ ...peer.address, agent });
    await untilIdle(agent);
    peer.accepted[0].write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged');
    await until(() => first.socket.destroyed || process.env.ORACLE === 'node');
    const { body } = await exchangeTls({ ...peer.address, agent });
    if (process.env.ORACLE !== 'node') expect(String(body)).toBe('body');
  });

  it('of agent.destroy() are closed, and the agent goes on', async () => {
    const peer = await serveBody();
    const agent = newTlsAgent({ keepAlive: true });
    await exchangeTls({ ...peer.address, agent });
    await untilIdle(agent);
    agent.destroy();
    await until(() => peer.sockets.size === 0);
    expect(String((await exchangeTls({ ...peer.address, agent })).body)).toBe('body');
  });
});
