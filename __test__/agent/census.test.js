'use strict';

const http = require('../../index');
const { once } = require('node:events');
const net = require('node:net');
const { describeOurs, exchange, newAgent, serve, unusedPort, until, untilIdle, untilPoolIsEmpty } =
  require('../support');
const { describeTransports } = require('../support/transports');
const { isOracle } = require('../support/conditions');

describeTransports('agent.getCurrentStatus()', (transport) => {
  it('counts sockets and requests, and tells them by origin', async () => {
    const peer = await transport.serve((req, res) => {
      if (req.url === '/held') peer.held = res;
      else res.end();
    });
    const agent = transport.newAgent({ keepAlive: true, maxSockets: 1 });
    const options = { ...peer.address, agent };
    await exchange(options);
    await exchange(options);
    await untilIdle(agent);
    const [name] = Object.keys(agent.freeSockets);
    expect(agent.getCurrentStatus()).toEqual({
      createSocketCount: 1, createSocketErrorCount: 0, closeSocketCount: 0, errorSocketCount: 0, timeoutSocketCount: 0,
      requestCount: 2, freeSockets: { [name]: 1 }, sockets: {}, requests: {},
    });
    const held = exchange({ ...options, path: '/held' });
    const waiting = exchange(options);
    const one = { [name]: 1 };
    expect(agent.getCurrentStatus()).toMatchObject({ freeSockets: {}, sockets: one, requests: one });
    expect(agent.stats()).toMatchObject({ freeSockets: 0, sockets: 1, requests: 1, requestCount: 2 });
    await until(() => peer.held);
    peer.held.end();
    await Promise.all([held, waiting]);
    await untilIdle(agent);
    expect(agent.stats()).toMatchObject({ createSocketCount: 1, requestCount: 4, freeSockets: 1 });
    agent.destroy();
    await untilPoolIsEmpty(agent);
    expect(agent.stats()).toMatchObject({ closeSocketCount: 1, errorSocketCount: 0, freeSockets: 0, sockets: 0 });
  });

  it('counts sockets that fail, and those that are idle for too long', async () => {
    const peer = await transport.serve((req, res) => res.end());
    const agent = transport.newAgent({ keepAlive: true, timeout: 300 });
    await once(http.get({ ...peer.address, port: await unusedPort(), agent }), 'error');
    await untilPoolIsEmpty(agent);
    expect(agent.stats()).toMatchObject({ createSocketCount: 1, closeSocketCount: 1, errorSocketCount: 1 });
    await exchange({ ...peer.address, agent });
    await until(() => agent.stats().closeSocketCount === 2);
    expect(agent.stats()).toMatchObject({ createSocketCount: 2, errorSocketCount: 1 });
    // On a busy machine the connection may be so slow in the making that its timeout is told then too.
    expect(agent.stats().timeoutSocketCount).toBeGreaterThan(0);
  });

  it('counts requests that emit a timeout', async () => {
    const peer = await transport.serveRaw((socket) => socket.resume());
    const agent = transport.newAgent({ keepAlive: true });
    const req = http.get({ ...peer.address, agent, timeout: 20 });
    req.on('error', () => {});
    await once(req, 'timeout');
    req.destroy();
    await untilPoolIsEmpty(agent);
    expect(agent.stats()).toMatchObject({ timeoutSocketCount: 1, closeSocketCount: 1, errorSocketCount: 0 });
  });

  it('needs no listeners that sockets of an agent of Node have not', async () => {
    const peer = await transport.serve((req, res) => res.end());
    const agent = transport.newAgent({ keepAlive: true });
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    const [socket] = Object.values(agent.freeSockets).flat();
    expect(['agentRemove', 'timeout', 'free'].map((name) => socket.listenerCount(name))).toEqual([1, 1, 1]);
  });
}, ({ isLent }) => !isLent && !isOracle);

describeOurs('agent.stats()', () => {
  it('counts connections that createConnection could not make', async () => {
    const agent = newAgent();
    agent.createConnection = (options, callback) => { callback(new Error('not today')); };
    await once(http.get({ agent }), 'error');
    expect(agent.stats()).toMatchObject({ createSocketCount: 0, createSocketErrorCount: 1 });
  });

  it('counts the close of a socket that the agent has from elsewhere', async () => {
    const peer = await serve((req, res) => res.end());
    class OwnAgent extends http.Agent {
      addRequest(req) {
        req.onSocket(net.connect(peer.address));
      }
    }
    const agent = new OwnAgent();
    await exchange({ ...peer.address, agent });
    await until(() => agent.stats().closeSocketCount === 1);
    expect(agent.stats()).toMatchObject({ createSocketCount: 1, errorSocketCount: 0, timeoutSocketCount: 0 });
  });

  it('lets a socket go that has been upgraded', async () => {
    const peer = await serve();
    peer.server.on('upgrade', (req, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    });
    const agent = newAgent();
    const req = http.get({ ...peer.address, agent, headers: { Connection: 'upgrade', Upgrade: 'x' } });
    const [, socket] = await once(req, 'upgrade');
    socket.resume().end();
    await once(socket, 'close');
    expect(agent.stats()).toMatchObject({ createSocketCount: 1, closeSocketCount: 0, sockets: 0 });
  });
});
