'use strict';

/** Requests over a Unix domain socket, with the option socketPath. */

const fs = require('node:fs');
const net = require('node:net');
const { once } = require('node:events');
const {
  bytesOf, exchange, http, newAgent, onRequestHead, poolOf, pseudoRandomBytes, quiet, responseTo, serve, serveRaw,
  socketPath, until, untilPoolIsEmpty,
} = require('../support');

const describeUnix = process.platform === 'win32' ? describe.skip : describe;

const serveUnix = (handler) => serve(handler, { listen: { path: socketPath() } });

describeUnix('a request over a Unix domain socket', () => {
  it('gets there with its path and the default host', async () => {
    const peer = await serveUnix((req, res) => res.end(JSON.stringify([req.url, req.headers.host])));
    const { body } = await exchange({ ...peer.address, path: '/path?query' });
    expect(JSON.parse(body)).toEqual(['/path?query', 'localhost']);
  });

  it('gets there by a createConnection of its own, which finds the path of the socket (51900)', async () => {
    const peer = await serveUnix((req, res) => res.end(req.url));
    const createConnection = jest.fn((options) => net.createConnection(options));
    const { body } = await exchange({ ...peer.address, path: '/path', createConnection });
    expect(body.toString()).toBe('/path');
    expect(createConnection.mock.calls[0][0].path).toBe(peer.address.socketPath);
  });

  it('names the host it is given, and looks nothing up', async () => {
    const peer = await serveUnix((req, res) => res.end(req.headers.host));
    const lookup = jest.fn();
    const { body } = await exchange({ ...peer.address, host: 'name.test', port: 81, lookup });
    expect(body.toString()).toBe('name.test:81');
    expect(lookup).not.toHaveBeenCalled();
  });

  it.each([[0], [1], [65537], [5 << 20]])('carries a body of %i bytes there and back', async (size) => {
    const body = pseudoRandomBytes(size);
    const peer = await serveUnix((req, res) => req.pipe(res));
    const req = http.request({ ...peer.address, method: 'POST' });
    const response = responseTo(req);
    req.write(body.subarray(0, size / 3));
    req.end(body.subarray(size / 3));
    expect((await bytesOf(await response)).equals(body)).toBe(true);
  });

  it('has a net.Socket without addresses or ports', async () => {
    const peer = await serveUnix((req, res) => res.end());
    const req = http.get(peer.address);
    const res = await responseTo(req);
    expect(req.socket).toBeInstanceOf(net.Socket);
    expect(req.socketPath).toBe(peer.address.socketPath);
    expect(req.socket.remotePort).toBeUndefined();
    expect(req.socket.remoteAddress).toBeUndefined();
    await bytesOf(res);
  });

  it('is pooled under a name of its own, and its connection is reused', async () => {
    const peer = await serveUnix((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    const name = `localhost:::${peer.address.socketPath}`;
    expect(agent.getName(peer.address)).toBe(name);
    expect((await exchange({ ...peer.address, agent })).req.reusedSocket).toBe(false);
    await until(() => poolOf(agent).freeSockets === 1);
    expect(Object.keys(agent.freeSockets)).toHaveLength(1);
    expect(Object.keys(agent.freeSockets)[0]).toContain(peer.address.socketPath);
    expect((await exchange({ ...peer.address, agent })).req.reusedSocket).toBe(true);
    expect(peer.accepted).toHaveLength(1);
    agent.destroy();
    await untilPoolIsEmpty(agent);
  });

  it('can be destroyed while it waits, and its peer sees it', async () => {
    const peer = await serveUnix(() => {});
    const req = http.get(peer.address);
    await until(() => peer.sockets.size === 1 && req.writableFinished);
    req.destroy();
    expect((await once(req, 'error'))[0]).toMatchObject({ code: 'ECONNRESET' });
    await until(() => peer.sockets.size === 0);
  });

  it('can be upgraded', async () => {
    const peer = await serveRaw((socket) => onRequestHead(socket, () => {
      socket.removeAllListeners('data');
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.pipe(socket);
    }), { path: socketPath() });
    const req = http.get({ ...peer.address, headers: { Connection: 'Upgrade', Upgrade: 'echo' } });
    const [, socket] = await once(req, 'upgrade');
    socket.write('hello');
    expect((await once(socket, 'data'))[0].toString()).toBe('hello');
    socket.end();
    await once(socket, 'close');
  });

  it('can have setTimeout, setNoDelay and setSocketKeepAlive called, the last two to no effect', async () => {
    const peer = await serveUnix(() => {});
    const req = http.get(peer.address);
    req.on('error', () => {});
    req.setNoDelay(true);
    req.setSocketKeepAlive(true, 1000);
    req.setTimeout(30);
    await once(req, 'timeout');
    req.destroy();
    await until(() => req.closed);
  });

  it.each([
    ['ENOENT', () => socketPath()],
    ['ECONNREFUSED', () => {
      const path = socketPath();
      // A server's socket file outlives it if nobody removes it.
      fs.writeFileSync(path, '');
      return path;
    }],
  ])('fails with %s where nobody listens', async (code, pathOf) => {
    const path = pathOf();
    const agent = newAgent({ keepAlive: true });
    const [error] = await once(http.get({ socketPath: path, agent }), 'error');
    expect(error).toMatchObject({ code, syscall: 'connect', address: path, message: `connect ${code} ${path}` });
    await quiet(3);
    await untilPoolIsEmpty(agent);
  });
});
