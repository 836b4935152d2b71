'use strict';

/** setNoDelay(), setSocketKeepAlive() and the options of the same purpose, read back from the kernel. */

const { once } = require('node:events');
const {
  bytesOf, describeLinux, exchange, http, newAgent, poolOf, responseTo, serve, socketOptions, until,
} = require('../support');

const MOMENTS = {
  'at once': (req, act) => act(req),
  "in 'socket'": (req, act) => req.once('socket', () => act(req)),
  "in 'connect'": (req, act) => req.once('socket', (socket) => socket.once('connect', () => act(req))),
};

/** Starts a request to a silent server and waits until it is connected. */
async function connected(options, prepare = () => {}) {
  const peer = await serve((req) => req.resume());
  const req = http.request({ ...peer.address, agent: newAgent(), ...options });
  req.on('error', () => {});
  prepare(req);
  req.flushHeaders();
  await until(() => peer.sockets.size === 1 && req.socket && !req.socket.connecting);
  return req;
}

/** Expects the kernel's options of a socket to become these, soon. */
async function expectOptions({ localPort, remotePort }, expected) {
  for (const deadline = Date.now() + 3000; Date.now() < deadline;) {
    const options = socketOptions(localPort, remotePort);
    if (Object.entries(expected).every(([name, value]) => options[name] === value)) return;
  }
  expect(socketOptions(localPort, remotePort)).toMatchObject(expected);
}

describeLinux('on the socket of the kernel', () => {
  it('a request has TCP_NODELAY and not SO_KEEPALIVE by default', async () => {
    const req = await connected();
    await expectOptions(req.socket, { TCP_NODELAY: 1, SO_KEEPALIVE: 0 });
    req.destroy();
  });

  it('a request of an agent with keepAlive has SO_KEEPALIVE, with its delay', async () => {
    const req = await connected({ agent: newAgent({ keepAlive: true, keepAliveMsecs: 7000 }) });
    await expectOptions(req.socket, { TCP_NODELAY: 1, SO_KEEPALIVE: 1, TCP_KEEPIDLE: 7 });
    req.destroy();
  });

  it("a request of an agent with noDelay: false has Nagle's algorithm on", async () => {
    const req = await connected({ agent: newAgent({ noDelay: false }) });
    await expectOptions(req.socket, { TCP_NODELAY: 0, SO_KEEPALIVE: 0 });
    req.destroy();
  });

  it.each([
    ['setNoDelay()', (req) => req.setNoDelay(), { noDelay: false }, 1],
    ['setNoDelay(true)', (req) => req.setNoDelay(true), { noDelay: false }, 1],
    ['setNoDelay(false)', (req) => req.setNoDelay(false), { noDelay: true }, 0],
  ])('%s sets TCP_NODELAY, whenever it is called', async (_, act, agentOptions, expected) => {
    for (const when of Object.values(MOMENTS)) {
      const req = await connected({ agent: newAgent(agentOptions) }, (request) => when(request, act));
      await expectOptions(req.socket, { TCP_NODELAY: expected });
      req.destroy();
    }
  });

  it.each([
    ['setSocketKeepAlive(true, 5000)', (req) => req.setSocketKeepAlive(true, 5000), {},
      { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 5 }],
    ['setSocketKeepAlive(true)', (req) => req.setSocketKeepAlive(true), {}, { SO_KEEPALIVE: 1 }],
    ['setSocketKeepAlive(false)', (req) => req.setSocketKeepAlive(false), { keepAlive: true }, { SO_KEEPALIVE: 0 }],
    ['setSocketKeepAlive()', (req) => req.setSocketKeepAlive(), { keepAlive: true }, { SO_KEEPALIVE: 0 }],
  ])('%s sets SO_KEEPALIVE, whenever it is called', async (_, act, agentOptions, expected) => {
    for (const when of Object.values(MOMENTS)) {
      const req = await connected({ agent: newAgent(agentOptions) }, (request) => when(request, act));
      await expectOptions(req.socket, expected);
      req.destroy();
    }
  });

  it('both can be changed back and forth while the request lasts', async () => {
    const req = await connected();
    for (let i = 0; i < 3; i++) {
      req.setNoDelay(false);
      req.setSocketKeepAlive(true, 3000 + i * 1000);
      await expectOptions(req.socket, { TCP_NODELAY: 0, SO_KEEPALIVE: 1, TCP_KEEPIDLE: 3 + i });
      req.setNoDelay(true);
      req.setSocketKeepAlive(false);
      await expectOptions(req.socket, { TCP_NODELAY: 1, SO_KEEPALIVE: 0 });
    }
    req.destroy();
  });

  it("the socket's own setNoDelay() and setKeepAlive() work, also after an upgrade", async () => {
    const peer = await serve();
    peer.server.on('upgrade', (req, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    });
    const req = http.get({ ...peer.address, headers: { Connection: 'Upgrade', Upgrade: 'x' } });
    const [, socket] = await once(req, 'upgrade');
    expect(socket.setNoDelay(false)).toBe(socket);
    expect(socket.setKeepAlive(true, 9000)).toBe(socket);
    await expectOptions(socket, { TCP_NODELAY: 0, SO_KEEPALIVE: 1, TCP_KEEPIDLE: 9 });
    socket.destroy();
  });

  it('an idle connection of the pool keeps SO_KEEPALIVE', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true, keepAliveMsecs: 4000 });
    await exchange({ ...peer.address, agent });
    await until(() => poolOf(agent).freeSockets === 1);
    const [socket] = Object.values(agent.freeSockets).flat();
    await expectOptions(socket, { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 4 });
  });
});

describe('setNoDelay() and setSocketKeepAlive()', () => {
  it('may be called at any time, also after the end', async () => {
    const peer = await serve((req, res) => res.end());
    const req = http.get({ ...peer.address, agent: newAgent() });
    const call = () => {
      req.setNoDelay();
      req.setSocketKeepAlive(true);
    };
    call();
    req.once('socket', call);
    const res = await responseTo(req);
    call();
    await bytesOf(res);
    await until(() => req.closed);
    expect(call).not.toThrow();
  });
});
