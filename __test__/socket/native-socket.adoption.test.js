'use strict';

/** The I/O thread takes a connection over from libuv when a request gets it that an agent has made for a user. */

const { AsyncLocalStorage } = require('node:async_hooks');
const { once } = require('node:events');
const nodeHttp = require('node:http');

const {
  bytesOf, cleanUp, describeLinux, describeOurs, exchange, http, isNative, newAgent,
  onRequestHead, pseudoRandomBytes, responseTo, serve, serveRaw, socketPath, until, untilIdle, untilPoolIsEmpty,
  unusedPort,
} = require('../support');
const { socketOptions } = require('../support/kernel');
const { hasPerl } = require('../support/perl');
const { Recorder } = require('../support/recorder');

/** Moments at which createConnection() of a user gives the connection that the agent has made. */
const MOMENTS = {
  'at once': (socket, give) => give(),
  'in a tick': (socket, give) => process.nextTick(give),
  'when its address is known': (socket, give) => socket.once('connectionAttempt', give),
  'while it connects': (socket, give) => socket.once('connectionAttempt', () => process.nextTick(give)),
  "in 'connect'": (socket, give) => socket.once('connect', give),
  "in 'ready'": (socket, give) => socket.once('ready', give),
  'a while after it has connected': (socket, give) => socket.once('connect', () => setTimeout(give, 10)),
};

/** Peers by the way to them: options of a server's listen(), and of requests. */
const WAYS = {
  'an address': () => [{ host: '127.0.0.1', port: 0 }],
  'an IPv6 address': () => [{ host: '::1', port: 0 }],
  'a name': () => [{ host: '127.0.0.1', port: 0 }, { host: 'localhost' }],
  'the second address of a name': () => [{ host: '127.0.0.1', port: 0 }, {
    host: 'two.test',
    autoSelectFamily: true,
    lookup: (host, options, callback) => {
      const addresses = [{ address: '::1', family: 6 }, { address: '127.0.0.1', family: 4 }];
      setImmediate(() => callback(null, addresses));
    },
  }],
  'a Unix domain socket': () => [{ path: socketPath() }],
};

/** An agent whose connections come at one of the MOMENTS. `touch` does something to each before. */
function agentGiving(moment, touch = () => {}, options = {}) {
  class Giving extends http.Agent {
    createConnection(connectionOptions, callback) {
      const socket = super.createConnection(connectionOptions);
      touch(socket);
      socket.once('error', callback);
      MOMENTS[moment](socket, () => {
        socket.removeListener('error', callback);
        callback(null, socket);
      });
    }
  }
  const agent = new Giving({ keepAlive: true, ...options });
  cleanUp(() => agent.destroy());
  return agent;
}

/** Starts a server that is reached in one of the WAYS, and gives the options of requests to it. */
async function serveBy(way, handler) {
  const [listen, options] = WAYS[way]();
  const peer = await serve(handler, { listen });
  return { ...peer, address: { ...peer.address, ...options } };
}

const echo = (req, res) => req.pipe(res);

/** Tells whether the I/O thread has the connection of a request, where there is an I/O thread. */
const isOfIoThread = ({ socket }) => !isNative || socket.isNative;

describe.each(Object.keys(WAYS))('a connection to %s', (way) => {
  // To a Unix domain socket, connect() has begun before it returns.
  const moments = Object.keys(MOMENTS).filter((moment) => !moment.startsWith('wh') || !way.startsWith('a Unix'));

  it.each(moments)('given %s is the I/O thread\'s, and serves request after request', async (moment) => {
    const { address } = await serveBy(way, echo);
    const agent = agentGiving(moment);
    const body = pseudoRandomBytes(200000);
    for (const isReused of [false, true, true]) {
      const { req, body: echoed } = await exchange({ ...address, agent, method: 'POST', body });
      expect(echoed.equals(body)).toBe(true);
      expect(req.reusedSocket).toBe(isReused);
      expect(isOfIoThread(req)).toBe(true);
      await untilIdle(agent);
    }
  });
});

describe.each(Object.keys(MOMENTS))('a connection given %s', (moment) => {
  it('emits what that of Node\'s agent does, in the same order', async () => {
    const recordOf = async (client) => {
      const { address } = await serve((req, res) => res.end('x'));
      class Giving extends client.Agent {
        createConnection(options, callback) {
          const socket = super.createConnection(options);
          MOMENTS[moment](socket, () => callback(null, socket));
        }
      }
      const agent = new Giving({ keepAlive: true });
      const req = client.request({ ...address, agent });
      const recorder = new Recorder(req, { socket: true });
      req.end();
      await bytesOf(await responseTo(req));
      await untilIdle(agent);
      agent.destroy();
      await untilPoolIsEmpty(agent);
      return [...recorder.of('req'), ...recorder.of('socket').filter((entry) => !entry.endsWith(' data'))];
    };
    expect(await recordOf(http)).toEqual(await recordOf(nodeHttp));
  });

  it('keeps the order of what a request has written before', async () => {
    const { address } = await serve(echo);
    const agent = agentGiving(moment);
    const req = http.request({ ...address, agent, method: 'POST' });
    const parts = Array.from({ length: 40 }, (_, index) => Buffer.alloc(index * 100, index));
    const order = [];
    for (const [index, part] of parts.slice(0, 20).entries()) req.write(part, () => order.push(index));
    req.on('socket', () => {
      for (const part of parts.slice(20)) req.write(part);
      req.end();
    });
    const res = await responseTo(req);
    expect((await bytesOf(res)).equals(Buffer.concat(parts))).toBe(true);
    expect(order).toEqual(parts.slice(0, 20).map((_, index) => index));
  });

  it('tells its addresses and counts its bytes', async () => {
    const { address } = await serve((req, res) => res.end(`${req.socket.remotePort} ${req.socket.bytesRead}`));
    const agent = agentGiving(moment);
    const { req, body } = await exchange({ ...address, agent });
    const { socket } = req;
    expect(String(body)).toBe(`${socket.localPort} ${socket.bytesWritten}`);
    expect(socket.bytesRead).toBeGreaterThan(0);
    expect(socket.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: socket.localPort });
    expect([socket.remoteAddress, socket.remotePort, socket.remoteFamily]).toEqual(['127.0.0.1', address.port, 'IPv4']);
  });

  it('times out', async () => {
    const peer = await serveRaw(() => {});
    const req = http.request({ ...peer.address, agent: agentGiving(moment), timeout: 20 });
    req.end();
    await once(req, 'timeout');
    req.destroy();
    const [error] = await once(req, 'error');
    expect(error.code).toBe('ECONNRESET');
  });

  it('that is refused fails the request', async () => {
    const agent = agentGiving(moment);
    const port = await unusedPort();
    await expect(exchange({ host: '127.0.0.1', port, agent })).rejects.toMatchObject({ code: 'ECONNREFUSED', port });
    await untilIdle(agent);
  });

  it('closes with a request that is called off', async () => {
    const peer = await serve(() => {});
    const agent = agentGiving(moment);
    const req = http.request({ ...peer.address, agent });
    req.on('socket', () => req.destroy());
    const [error] = await once(req, 'error');
    expect(error.code).toBe('ECONNRESET');
    await untilPoolIsEmpty(agent);
    await until(() => peer.sockets.size === 0);
  });

  it('runs what it brings in the async context of the request', async () => {
    const { address } = await serve((req, res) => res.end('x'));
    const storage = new AsyncLocalStorage();
    const agent = agentGiving(moment);
    const contexts = [];
    await storage.run('request', async () => {
      const req = http.request({ ...address, agent });
      req.on('response', () => contexts.push(storage.getStore()));
      req.end();
      await bytesOf(await responseTo(req));
    });
    expect(contexts).toEqual(['request']);
  });

  it.each([
    ['written on', (socket) => socket.write('POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')],
    ['listened to', (socket) => socket.on('data', () => {})],
  ])('and %s before serves its request as a stream', async (what, touch) => {
    const urls = [];
    const peer = await serveRaw((socket) => onRequestHead(socket, (head) => {
      urls.push(head.split(' ', 2)[1]);
      if (urls.at(-1) === '/') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx');
    }));
    const { req, body } = await exchange({ ...peer.address, agent: agentGiving(moment, touch) });
    expect(String(body)).toBe('x');
    expect(urls).toEqual(what === 'written on' ? ['/first', '/'] : ['/']);
    if (isNative) expect(req.socket.isNative).toBe(false);
  });

  it('can be listened to from \'socket\' on', async () => {
    const { address } = await serve((req, res) => res.end('body'));
    const req = http.request({ ...address, agent: agentGiving(moment) });
    let raw = '';
    req.on('socket', (socket) => socket.on('data', (chunk) => { raw += chunk; }));
    req.end();
    expect(String(await bytesOf(await responseTo(req)))).toBe('body');
    expect(raw).toMatch(/^HTTP\/1.1 200 OK[^]*body/);
  });

  it('can be upgraded', async () => {
    const peer = await serve(() => {});
    peer.server.on('upgrade', (req, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ');
      socket.pipe(socket);
    });
    const headers = { Connection: 'Upgrade', Upgrade: 'echo' };
    const req = http.request({ ...peer.address, agent: agentGiving(moment), headers });
    req.end();
    const [, socket, head] = await once(req, 'upgrade');
    socket.end('again');
    expect(String(head) + String(await bytesOf(socket))).toBe('hello again');
  });

  it('keeps what ref() and unref() have said', async () => {
    const { address } = await serve((req, res) => res.end('x'));
    const agent = agentGiving(moment, (socket) => socket.unref());
    const { req } = await exchange({ ...address, agent });
    expect(req.socket._handle.hasRef()).toBe(false);
  });
});

describeOurs('a connection of our agent', () => {
  it('given to a request of Node\'s own client serves that', async () => {
    const { address } = await serve((req, res) => res.end('x'));
    const agent = newAgent({ keepAlive: true });
    for (const isReused of [false, true]) {
      const req = nodeHttp.request({ ...address, agent });
      req.end();
      expect(String(await bytesOf(await responseTo(req)))).toBe('x');
      expect(req.reusedSocket).toBe(isReused);
      await untilIdle(agent);
    }
  });

  it.each(Object.keys(MOMENTS))('with a local address serves a request that gets it %s', async (moment) => {
    const { address } = await serve((req, res) => res.end(req.socket.remoteAddress));
    const agent = agentGiving(moment);
    for (const isReused of [false, true]) {
      const { req, body } = await exchange({ ...address, agent, localAddress: '127.0.0.2' });
      expect(String(body)).toBe('127.0.0.2');
      expect(req.reusedSocket).toBe(isReused);
      await untilIdle(agent);
    }
  });

  it('that has served nobody is given to options.createConnection of a request', async () => {
    const { address } = await serve((req, res) => res.end('x'));
    const agent = newAgent();
    const createConnection = (options) => agent.createConnection(options);
    const { req, body } = await exchange({ ...address, agent: false, createConnection });
    expect(String(body)).toBe('x');
    expect(isOfIoThread(req)).toBe(true);
  });
});

(isNative && hasPerl ? describeLinux : describe.skip)('options of the kernel', () => {
  it.each(Object.keys(MOMENTS))('of a connection given %s hold, also for the one that replaces it', async (moment) => {
    const peer = await serve((req, res) => res.end('x'));
    const set = (socket) => socket.setNoDelay(true).setKeepAlive(true, 77000);
    const agent = agentGiving(moment, set, { keepAliveMsecs: 77000 });
    const optionsOf = ({ req: { socket } }) => socketOptions(socket.localPort, socket.remotePort);
    const expected = {
      SO_KEEPALIVE: 1, TCP_NODELAY: 1, TCP_KEEPIDLE: 77, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 10, IP_TOS: 0,
    };
    const req = http.request({ ...peer.address, agent });
    req.end();
    const res = await responseTo(req);
    expect(optionsOf({ req })).toEqual(expected);
    await bytesOf(res);
    await untilIdle(agent);
    // In this turn of the event loop: the client has not heard of it when it makes the request.
    peer.server.closeAllConnections();
    const again = await exchange({ ...peer.address, agent });
    expect(again.req.socket).toBe(req.socket);
    expect(String(again.body)).toBe('x');
    expect(peer.accepted.length).toBe(2);
    expect(optionsOf(again)).toEqual(expected);
  });
});
