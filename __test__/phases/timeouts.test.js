'use strict';

/** The option `timeouts` ends a request that takes too long in one of its phases, and no other. */

const { createHook } = require('node:async_hooks');
const { once } = require('node:events');
const net = require('node:net');
const { Worker } = require('node:worker_threads');
const {
  cleanUp, describeOurs, exchange, http, itLinux, newAgent, onRequestHead, poolOf, responseTo, serve, serveRaw, until,
} = require('../support');
const { https } = require('../support/tls');
const { httpsAgentFor, serveTunnels } = require('../support/proxy');
const { describeTransports } = require('../support/transports');

/** Milliseconds of a limit that is to be passed, and of one that never is. */
const SHORT = 30;
const LONG = 600_000;

/** @returns {Promise<{ error: Error, req: import('node:http').ClientRequest }>} what a request ends with */
async function failure(options, use = (req) => req.end()) {
  const req = http.request(options);
  const error = new Promise((resolve, reject) => {
    req.once('error', resolve).once('close', () => reject(new Error('closed without an error')));
  });
  use(req);
  return { error: await error, req };
}

const expected = (event) => ({
  name: 'Error',
  code: 'ERR_FERREQUEST_TIMEOUT',
  event,
  timeout: SHORT,
  message: `Timeout awaiting '${event}' for ${SHORT} ms`,
});

/** A lookup that finds nothing, ever. */
const unanswered = () => {};

/** Starts a server that takes no connection, and fills its queue: further ones wait in the kernel. */
async function serveNobody() {
  const worker = new Worker(`
    const { workerData: { flag }, parentPort } = require('node:worker_threads');
    const server = require('node:net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      Atomics.wait(flag, 0, 0);
    });
  `, { eval: true, workerData: { flag: new Int32Array(new SharedArrayBuffer(4)) } });
  cleanUp(() => worker.terminate());
  const [port] = await once(worker, 'message');
  const sockets = Array.from({ length: 6 }, () => net.connect(port, '127.0.0.1').on('error', () => {}));
  cleanUp(() => sockets.forEach((socket) => socket.destroy()));
  await until(() => sockets.filter(({ connecting }) => !connecting).length >= 2);
  return port;
}

/** @returns {() => object[]} gives the timers of LONG that have been made since */
function watchTimers() {
  const timers = [];
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'Timeout' && resource._idleTimeout === LONG) timers.push(resource);
    },
  });
  hook.enable();
  cleanUp(() => hook.disable());
  return () => timers;
}

describeOurs('timeouts', () => {
  describeTransports('of requests', (transport) => {
    it.each([
      ['response', () => {}, (req) => req.end()],
      ['request', (socket) => socket.write('HTTP/1.1 200 OK\r\n'), (req) => req.end()],
      ['send', () => {}, (req) => req.write('not the last')],
    ])('tell that %s takes too long', async (event, answer, use) => {
      const peer = await transport.serveRaw((socket) => socket.once('data', () => answer(socket)).resume());
      const agent = await transport.agentTo(peer);
      const options = { ...peer.address, agent, method: 'POST', timeouts: { [event]: SHORT, queue: LONG, read: LONG } };
      const { error, req } = await failure(options, use);
      expect(error).toMatchObject(expected(event));
      expect(req.destroyed).toBe(true);
      await until(() => poolOf(agent).sockets === 0);
    });

    it('tell the response too that read takes too long', async () => {
      const peer = await transport.serveRaw((socket) => {
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345'));
      });
      const agent = await transport.agentTo(peer);
      let ofResponse;
      const timeouts = { response: LONG, read: SHORT, request: LONG };
      const { error } = await failure({ ...peer.address, agent, timeouts }, (req) => {
        req.on('response', (res) => res.on('error', (cause) => { ofResponse = cause; }).resume()).end();
      });
      expect(error).toMatchObject(expected('read'));
      await until(() => ofResponse !== undefined);
      expect(ofResponse).toBe(error);
    });

    it('tell that the queue of the agent takes too long, and the request leaves it', async () => {
      const heads = [];
      const peer = await transport.serveRaw((socket) => onRequestHead(socket, (head) => {
        heads.push(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
        if (!head.includes('/slow')) heads.at(-1)();
      }));
      const agent = await transport.agentTo(peer, { maxSockets: 1, timeouts: { queue: SHORT } });
      const first = exchange({ ...peer.address, agent, path: '/slow' });
      const { error, req } = await failure({ ...peer.address, agent });
      expect(error).toMatchObject(expected('queue'));
      expect(poolOf(agent)).toEqual({ sockets: 1, freeSockets: 0, requests: 0 });
      const third = exchange({ ...peer.address, agent, timeouts: { queue: 0 } });
      await until(() => heads.length === 1);
      heads[0]();
      await Promise.all([first, third]);
      expect(req.socket).toBeNull();
      expect(heads).toHaveLength(2);
    });

    it('leave a request alone that is in time, and its connection', async () => {
      const peer = await transport.serve((req, res) => req.resume().on('end', () => res.end('body')));
      const limits = ['queue', 'lookup', 'connect', 'secureConnect', 'send', 'response', 'read', 'request'];
      const timeouts = Object.fromEntries(limits.map((name) => [name, LONG]));
      const agent = await transport.agentTo(peer, { timeouts });
      const timers = watchTimers();
      for (let i = 0; i < 2; i++) {
        const { body } = await exchange({ ...peer.address, agent, method: 'POST', body: 'body' });
        expect(String(body)).toBe('body');
        await until(() => poolOf(agent).freeSockets === 1);
      }
      expect(peer.accepted).toHaveLength(1);
      // Each of those that were started has been stopped.
      expect(timers().length).toBeGreaterThan(limits.length);
      expect(timers().filter(({ _destroyed }) => !_destroyed)).toEqual([]);
    });
  });

  describeTransports('of new connections', (transport) => {
    it('tell that lookup takes too long', async () => {
      const agent = transport.newAgent({ lookup: unanswered });
      const options = { host: 'name.test', port: 1, agent, protocol: agent.protocol, timeouts: { lookup: SHORT } };
      const { error } = await failure(options);
      expect(error).toMatchObject(expected('lookup'));
      expect(error.phase).toBe('lookup');
      await until(() => poolOf(agent).sockets === 0);
    });

    itLinux('tell that connect takes too long', async () => {
      const agent = transport.newAgent();
      const options = { host: '127.0.0.1', port: await serveNobody(), agent, protocol: agent.protocol };
      const { error } = await failure({ ...options, timeouts: { lookup: LONG, connect: SHORT } });
      expect(error).toMatchObject(expected('connect'));
      expect(error.phase).toBe('connect');
    });
  }, ({ isLent }) => !isLent);

  describeTransports('of handshakes', (transport) => {
    it('tell that secureConnect takes too long', async () => {
      const peer = await serveRaw((socket) => socket.resume());
      const agent = transport.newAgent();
      const options = { ...peer.address, agent, protocol: 'https:', timeouts: { secureConnect: SHORT, send: 1 } };
      const { error } = await failure(options);
      expect(error).toMatchObject(expected('secureConnect'));
      expect(error.phase).toBe('secureConnect');
    });
  }, ({ isTls }) => isTls);

  describeTransports('of what came while the event loop was busy', (transport) => {
    it('let it be told first', async () => {
      let peerSocket;
      const peer = await transport.serveRaw((socket) => {
        peerSocket = socket;
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n'));
      });
      const req = http.get({ ...peer.address, agent: transport.newAgent(), timeouts: { read: 100 } });
      const res = await responseTo(req);
      peerSocket.write('body');
      for (const end = Date.now() + 400; Date.now() < end;);
      expect(String(Buffer.concat(await res.toArray()))).toBe('body');
    });
  }, ({ isLent, isTls }) => !isLent && !isTls);

  it('do nothing to a request that its user has called off', async () => {
    const peer = await serveRaw(() => {});
    const timers = watchTimers();
    const errors = [];
    const req = http.get({ ...peer.address, timeouts: { request: LONG } });
    expect(timers().map(({ _destroyed }) => _destroyed)).toEqual([false]);
    req.on('error', (error) => errors.push(error.message)).destroy();
    expect(timers().map(({ _destroyed }) => _destroyed)).toEqual([true]);
    await new Promise((resolve) => { req.on('close', resolve); });
    expect(errors).toEqual(['socket hang up']);
  });

  it('of the request come over those of its agent, and 0 is none', async () => {
    const peer = await serve((req, res) => req.url === '/answer' && setTimeout(() => res.end(), 20));
    const agent = newAgent({ timeouts: { response: 1 } });
    const { error } = await failure({ ...peer.address, agent, timeouts: { request: LONG } });
    expect(error).toMatchObject({ event: 'response', timeout: 1 });
    await exchange({ ...peer.address, agent, path: '/answer', timeouts: { response: 0 } });
  });

  it('end a connection that createConnection never gives', async () => {
    const { error } = await failure({ createConnection: unanswered, timeouts: { queue: SHORT } });
    expect(error).toMatchObject(expected('queue'));
  });

  it('end a request whose agent brings a socket too late, and the agent keeps that', async () => {
    const peer = await serve();
    const agent = newAgent({ keepAlive: true });
    let give;
    agent.createConnection = (options, callback) => {
      give = () => callback(null, net.connect(options));
    };
    const { error, req } = await failure({ ...peer.address, agent, timeouts: { queue: SHORT } });
    expect(error).toMatchObject(expected('queue'));
    const again = [];
    req.on('error', (late) => again.push(late));
    give();
    await until(() => poolOf(agent).freeSockets === 1 || poolOf(agent).sockets === 0);
    expect(again).toEqual([]);
  });

  it('end a tunnel that takes too long to be made', async () => {
    const proxy = await serveTunnels(() => undefined);
    const agent = httpsAgentFor(proxy);
    const req = https.get({ host: 'localhost', port: 1, agent, timeouts: { queue: SHORT } });
    const errors = [];
    req.on('error', (error) => errors.push(error));
    await new Promise((resolve) => { req.on('close', resolve); });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject(expected('queue'));
    await until(() => poolOf(agent).sockets === 0 && proxy.sockets.size === 0);
  });

  it.each([
    [{ timeouts: { read: '1s' } }, 'ERR_INVALID_ARG_TYPE', '"options.timeouts.read" property must be of type number.'],
    [{ timeouts: { read: null } }, 'ERR_INVALID_ARG_TYPE', '"options.timeouts.read" property must be of type number.'],
    [{ timeouts: { read: -1 } }, 'ERR_OUT_OF_RANGE', 'The value of "options.timeouts.read" is out of range.'],
    [{ timeouts: { read: NaN } }, 'ERR_OUT_OF_RANGE', 'The value of "options.timeouts.read" is out of range.'],
    [{ timeouts: { read: Infinity } }, 'ERR_OUT_OF_RANGE', 'The value of "options.timeouts.read" is out of range.'],
  ])('%j are refused', (options, code, message) => {
    const refused = expect.objectContaining({ code, message: expect.stringContaining(message) });
    const thrownBy = (call) => {
      try {
        return call();
      } catch (error) {
        return error;
      }
    };
    expect(thrownBy(() => http.request({ port: 1, ...options }))).toEqual(refused);
    expect(thrownBy(() => new http.Agent(options))).toEqual(refused);
    expect(thrownBy(() => new https.Agent(options))).toEqual(refused);
  });

  it.each([
    [undefined], [null], [{}], [{ read: undefined }],
    // Somebody else's: the last is that of @npmcli/agent.
    [1000], ['1s'], [[]], [{ read: 1, socket: 1 }], [{ connection: 1, idle: 1, response: 1, transfer: 1 }],
  ])('%j are none', async (timeouts) => {
    const peer = await serve((req, res) => res.end());
    await exchange({ ...peer.address, agent: newAgent({ timeouts }), timeouts });
  });

  it('are an own property of options: one on Object.prototype is none', async () => {
    const peer = await serve((req, res) => setTimeout(() => res.end(), 20));
    const agent = newAgent();
    Object.setPrototypeOf(agent.options, { timeouts: { response: 1 } });
    await exchange({ ...peer.address, agent });
  });
});
