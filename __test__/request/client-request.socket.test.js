'use strict';

/** 'socket': the net.Socket that is assigned to a request. */

const net = require('node:net');
const { once } = require('node:events');
const { Duplex } = require('node:stream');
const {
  bytesOf, exchange, http, newAgent, pseudoRandomBytes, quiet, record, responseTo, serve, until,
} = require('../support');

const serveBody = (body = 'body') => serve((req, res) => req.resume().on('end', () => res.end(body)));

describe("'socket'", () => {
  it('comes once, in a later tick than the request is made, with a net.Socket that is connecting', async () => {
    const peer = await serveBody();
    const req = http.get({ ...peer.address, agent: newAgent() });
    const sockets = [];
    req.on('socket', (socket) => sockets.push([socket, socket.connecting, req.socket === socket]));
    expect(req.socket ?? null).toBe(null);
    await bytesOf(await responseTo(req));
    expect(sockets).toHaveLength(1);
    const [[socket, connecting, isAssigned]] = sockets;
    expect(socket).toBeInstanceOf(net.Socket);
    expect(socket).toBeInstanceOf(Duplex);
    expect([connecting, isAssigned]).toEqual([true, true]);
    expect(req.connection).toBe(socket);
  });

  it('comes with a socket that knows its local address as soon as the name is looked up, and no sooner', async () => {
    const peer = await serve((req, res) => res.end(String(req.socket.remotePort)));
    const lookup = (host, options, callback) => {
      if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
      else callback(null, '127.0.0.1', 4);
    };
    const waits = (host, options, callback) => setImmediate(lookup, host, options, callback);
    for (const [look, known] of [[lookup, true], [waits, false]]) {
      const req = http.get({ port: peer.address.port, host: 'somewhere', agent: newAgent(), lookup: look });
      const [socket] = await once(req, 'socket');
      expect(socket.connecting).toBe(true);
      expect([look.name, socket.address().address]).toEqual([look.name, known ? '127.0.0.1' : undefined]);
      const { localPort } = socket;
      const seen = Number(await bytesOf(await responseTo(req)));
      expect(localPort).toBe(known ? seen : undefined);
    }
  });

  it('is followed by the events of the connection, in order', async () => {
    const peer = await serve((req, res) => res.end('body'), { listen: { port: 0, host: 'localhost' } });
    const req = http.get({ port: peer.port, host: 'localhost', agent: newAgent() });
    const { events } = record(req, { socket: true });
    const response = responseTo(req);
    await once(req, 'socket');
    expect(events).toEqual(['req socket']);
    await bytesOf(await response);
    await until(() => req.closed && events.includes('socket close'));
    const connection = events.filter((event) => /^socket (lookup|connect|ready|end|close)$/.test(event));
    expect(connection.slice(0, 3)).toEqual(['socket lookup', 'socket connect', 'socket ready']);
    expect(connection.at(-1)).toBe('socket close');
    expect(events.indexOf('socket ready')).toBeLessThan(events.indexOf('req response'));
    expect(events.indexOf('res end')).toBeLessThan(events.indexOf('socket close'));
  });

  it('tells of the lookup: address, family and host', async () => {
    const peer = await serveBody();
    const lookup = (host, options, callback) => setImmediate(() => {
      if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
      else callback(null, '127.0.0.1', 4);
    });
    const req = http.get({ host: 'name.test', port: peer.port, lookup, agent: newAgent() });
    const response = responseTo(req);
    const [socket] = await once(req, 'socket');
    expect(await once(socket, 'lookup')).toEqual([null, '127.0.0.1', 4, 'name.test']);
    await bytesOf(await response);
  });

  it('has the socket of the pool, which is not connecting, for a reused connection', async () => {
    const peer = await serveBody();
    const agent = newAgent({ keepAlive: true });
    const first = http.get({ ...peer.address, agent });
    const [socket] = await once(first, 'socket');
    await bytesOf(await responseTo(first));
    await until(() => first.closed);
    const second = http.get({ ...peer.address, agent });
    const [again] = await once(second, 'socket');
    expect(again).toBe(socket);
    expect(again.connecting).toBe(false);
    expect(second.reusedSocket).toBe(true);
    await bytesOf(await responseTo(second));
  });
});

describe('the socket of a request', () => {
  it('tells its state: pending, open, addresses, ports', async () => {
    const peer = await serve(() => {});
    const req = http.get({ ...peer.address, agent: newAgent() });
    req.on('error', () => {});
    const [socket] = await once(req, 'socket');
    expect(socket).toMatchObject({ connecting: true, pending: true, readyState: 'opening', destroyed: false });
    await once(socket, 'connect');
    await until(() => peer.accepted.length === 1);
    expect(socket).toMatchObject({
      connecting: false, pending: false, readyState: 'open', destroyed: false, remoteAddress: '127.0.0.1',
      remoteFamily: 'IPv4', remotePort: peer.port, localAddress: '127.0.0.1', localFamily: 'IPv4',
      localPort: peer.accepted[0].remotePort,
    });
    expect(socket.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: socket.localPort });
    req.destroy();
    await until(() => req.closed);
    expect(socket).toMatchObject({ destroyed: true, readyState: 'closed' });
  });

  it('counts the bytes written and read', async () => {
    const body = pseudoRandomBytes(300000);
    const peer = await serveBody(body);
    const req = http.request({ ...peer.address, method: 'POST', agent: newAgent() });
    const response = responseTo(req);
    req.end(body);
    const res = await response;
    const { socket } = req;
    await bytesOf(res);
    await until(() => peer.sockets.size === 0);
    expect(socket.bytesWritten).toBe(peer.accepted[0].bytesRead);
    expect(socket.bytesRead).toBe(peer.accepted[0].bytesWritten);
    expect(socket.bytesRead).toBeGreaterThan(body.length);
  });

  it("'connect' and 'ready' come before anything is sent, and what is set then is sent", async () => {
    const peer = await serve((req, res) => res.end(`${req.headers['x-port']} ${req.socket.remotePort}`));
    const req = http.request({ ...peer.address, agent: newAgent() });
    req.once('socket', (socket) => socket.once('connect', () => {
      req.setHeader('X-Port', socket.localPort);
      req.end();
    }));
    const [told, seen] = (await bytesOf(await responseTo(req))).toString().split(' ');
    expect(told).toBe(seen);
  });

  it.each([['destroy'], ['resetAndDestroy']])('ends the request by %s()', async (method) => {
    const peer = await serve((req) => req.resume());
    const agent = newAgent({ keepAlive: true });
    const req = http.get({ ...peer.address, agent });
    const { events } = record(req);
    let failure;
    req.on('error', (error) => { failure = error; });
    await until(() => peer.sockets.size === 1 && req.writableFinished);
    req.socket[method]();
    await until(() => req.closed);
    expect(events).toEqual(['req socket', 'req finish', 'req error ECONNRESET', 'req close']);
    expect(failure.message).toBe('socket hang up');
    await until(() => peer.sockets.size === 0);
  });

  it('hands on the error with which it is destroyed', async () => {
    const peer = await serve((req) => req.resume());
    const req = http.get({ ...peer.address, agent: newAgent() });
    const [socket] = await once(req, 'socket');
    const failure = new Error('socket broken');
    socket.destroy(failure);
    const errors = [];
    req.on('error', (error) => errors.push(error));
    await until(() => req.closed);
    expect(errors).toEqual([failure]);
    expect(errors[0]).toBe(failure);
  });

  it('of an agent: false request is closed at the end', async () => {
    const peer = await serveBody();
    const req = http.get({ ...peer.address, agent: false });
    const res = await responseTo(req);
    const { socket } = req;
    const closed = once(socket, 'close');
    await bytesOf(res);
    expect(await closed).toEqual([false]);
    await until(() => peer.sockets.size === 0);
  });

  it('has no listeners left over after many requests', async () => {
    const peer = await serveBody();
    const agent = newAgent({ keepAlive: true });
    const counts = new Set();
    for (let i = 0; i < 30; i++) {
      await exchange({ ...peer.address, agent, timeout: 1000 });
      await until(() => Object.values(agent.freeSockets).flat().length === 1);
      const [socket] = Object.values(agent.freeSockets).flat();
      counts.add(socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0));
    }
    await quiet();
    expect(counts.size).toBe(1);
  });
});
