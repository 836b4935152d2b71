'use strict';

/** A socket that agent.createConnection() gives to a user is a plain stream: all that takes a net.Socket takes it. */

const { fork, spawn } = require('node:child_process');
const { once } = require('node:events');
const http2 = require('node:http2');
const net = require('node:net');
const { finished } = require('node:stream/promises');
const tls = require('node:tls');

const {
  bytesOf, cleanUp, http, newAgent, pseudoRandomBytes, serve, serveRaw, socketPath, unusedPort, until,
} = require('../support');
const { certificates, serveTls } = require('../support/tls');

/** Agents of users: ours, one of a class that calls ours, and one whose method has been replaced by such a call. */
const AGENTS = {
  'of an Agent': () => newAgent({ keepAlive: true }),
  'of a class that extends Agent': () => {
    class Mine extends http.Agent {
      createConnection(...args) {
        return super.createConnection(...args);
      }
    }
    const agent = new Mine({ keepAlive: true });
    cleanUp(() => agent.destroy());
    return agent;
  },
  'of an Agent whose method calls the original': () => {
    const agent = newAgent({ keepAlive: true });
    const { createConnection } = agent;
    agent.createConnection = (...args) => createConnection.apply(agent, args);
    return agent;
  },
};

/** Number of connections of which each has to hear all that a peer says first. */
const PEERS_THAT_SPEAK_FIRST = 50;

/** Waits for 'connect', or for none of it. */
const MOMENTS = {
  'at once': async () => {},
  "in 'connect'": (socket) => once(socket, 'connect'),
  'a while after that': async (socket) => {
    await once(socket, 'connect');
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  },
};

/** Places to which no connection can be made. */
const FAILURES = {
  refused: async () => ({ host: '127.0.0.1', port: await unusedPort() }),
  'refused by a Unix domain socket': async () => ({ path: socketPath() }),
  'not found': async () => ({ host: 'nowhere.invalid', port: 80 }),
};

/** A peer that sends back what it gets. */
const echo = () => serveRaw((socket) => socket.pipe(socket));

/** Runs in a child process: answers on the socket that it is sent, and tells what came. */
const CHILD = `process.on('message', (message, socket) => {
  socket.write('from the child');
  let text = '';
  socket.on('data', (chunk) => { text += chunk; });
  socket.on('end', () => process.send({ message, text }, () => process.disconnect()));
});`;

/** Starts such a child, which ends with the test. */
async function startChild() {
  const file = `${socketPath()}.js`;
  require('node:fs').writeFileSync(file, CHILD);
  const child = fork(file, { execArgv: [] });
  cleanUp(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child;
}

describe.each(Object.entries(AGENTS))('a connection %s', (title, makeAgent) => {
  const connectTo = ({ address }, options) => {
    const socket = makeAgent().createConnection({ ...address, ...options });
    cleanUp(() => socket.destroy());
    return socket;
  };

  it.each([['in \'connect\'', 0], ['5 ms after that', 5], ['50 ms after that', 50]])(
    'gives all that a peer says first to a listener added %s',
    async (moment, milliseconds) => {
      const peer = await serveRaw((socket) => {
        socket.write('220 ready\r\n');
        setImmediate(() => socket.end('221 bye\r\n'));
      });
      const agent = makeAgent();
      const texts = await Promise.all(Array.from({ length: PEERS_THAT_SPEAK_FIRST }, async () => {
        const socket = agent.createConnection(peer.address);
        await once(socket, 'connect');
        if (milliseconds > 0) await new Promise((resolve) => { setTimeout(resolve, milliseconds); });
        return (await bytesOf(socket)).toString();
      }));
      expect(texts).toEqual(Array(PEERS_THAT_SPEAK_FIRST).fill('220 ready\r\n221 bye\r\n'));
    },
  );

  it('can be read by read() and by iteration', async () => {
    const peer = await serveRaw((socket) => socket.end('hello'));
    const socket = connectTo(peer);
    await once(socket, 'readable');
    expect(String(socket.read())).toBe('hello');
    let text = '';
    for await (const chunk of connectTo(peer)) text += chunk;
    expect(text).toBe('hello');
  });

  it('carries large bodies both ways by pipe', async () => {
    const body = pseudoRandomBytes(3 << 20);
    const socket = connectTo(await echo());
    socket.end(body);
    expect((await bytesOf(socket)).equals(body)).toBe(true);
    expect(socket.bytesWritten).toBe(body.length);
    expect(socket.bytesRead).toBe(body.length);
  });

  it('can be half closed', async () => {
    let received = '';
    const peer = await serveRaw((socket) => {
      socket.on('data', (chunk) => { received += chunk; });
      socket.on('end', () => socket.end('answer'));
    });
    const socket = connectTo(peer, { allowHalfOpen: true });
    socket.end('question');
    expect(String(await bytesOf(socket))).toBe('answer');
    expect(received).toBe('question');
  });

  it.each(Object.keys(MOMENTS))('%s can be given to tls.connect()', async (moment) => {
    const peer = await serveTls((req, res) => res.end('secret'));
    const socket = connectTo(peer);
    await MOMENTS[moment](socket);
    const secure = tls.connect({ socket, ca: certificates.ca, servername: 'localhost' });
    await once(secure, 'secureConnect');
    expect(secure.authorized).toBe(true);
    secure.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(String(await bytesOf(secure))).toMatch(/secret/);
  });

  it.each(Object.keys(MOMENTS))('%s can be given to new TLSSocket()', async (moment) => {
    const peer = await serveTls((req, res) => res.end('secret'));
    const socket = connectTo(peer);
    await MOMENTS[moment](socket);
    const secure = new tls.TLSSocket(socket, { rejectUnauthorized: false });
    secure.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(String(await bytesOf(secure))).toMatch(/secret/);
  });

  it.each(Object.keys(MOMENTS))('%s can be given to http2.connect()', async (moment) => {
    const server = http2.createServer((req, res) => res.end('two'));
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    cleanUp(() => server.close());
    const { port } = server.address();
    const socket = connectTo({ address: { host: '127.0.0.1', port } });
    await MOMENTS[moment](socket);
    const session = http2.connect(`http://127.0.0.1:${port}`, { createConnection: () => socket });
    expect(String(await bytesOf(session.request()))).toBe('two');
    session.close();
    await once(session, 'close');
  });

  it('can be sent to a child process', async () => {
    const sockets = [];
    const peer = await serveRaw((socket) => sockets.push(socket));
    const child = await startChild();
    const socket = connectTo(peer);
    await once(socket, 'connect');
    child.send('take this', socket);
    const [chunk] = await once(await until(() => sockets[0]), 'data');
    expect(String(chunk)).toBe('from the child');
    sockets[0].end('to the child');
    const [told] = await once(child, 'message');
    expect(told).toEqual({ message: 'take this', text: 'to the child' });
  });

  it('can be the standard output of a child process', async () => {
    let received = '';
    const peer = await serveRaw((socket) => socket.on('data', (chunk) => { received += chunk; }));
    const socket = connectTo(peer);
    await once(socket, 'connect');
    const child = spawn(process.execPath, ['-p', '"printed"'], { stdio: ['ignore', socket, 'ignore'] });
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    await until(() => received === 'printed\n');
  });

  it.each(Object.keys(FAILURES))('that is %s fails as one of net', async (why) => {
    const address = await FAILURES[why]();
    const failureOf = (socket) => new Promise((resolve) => {
      socket.once('error', (error) => resolve({ ...error, message: error.message }));
    });
    expect(await failureOf(makeAgent().createConnection(address)))
      .toEqual(await failureOf(net.createConnection(address)));
  });

  it('tries one address after the other', async () => {
    const peer = await echo();
    const attempts = [];
    const lookup = (host, options, callback) => {
      const addresses = [{ address: '::1', family: 6 }, { address: '127.0.0.1', family: 4 }];
      setImmediate(() => callback(null, addresses));
    };
    const socket = connectTo({ address: { host: 'two.test', port: peer.port, lookup, autoSelectFamily: true } });
    socket.on('connectionAttempt', (address) => attempts.push(address));
    await once(socket, 'connect');
    socket.end('over IPv4');
    expect(String(await bytesOf(socket))).toBe('over IPv4');
    expect(attempts).toEqual(['::1', '127.0.0.1']);
    expect(socket.autoSelectFamilyAttemptedAddresses).toEqual([`::1:${peer.port}`, `127.0.0.1:${peer.port}`]);
  });

  it('to a Unix domain socket speaks and hears', async () => {
    const path = socketPath();
    await serveRaw((socket) => {
      socket.write('first ');
      socket.pipe(socket);
    }, { path });
    const socket = connectTo({ address: { path } });
    await once(socket, 'connect');
    socket.end('second');
    expect(String(await bytesOf(socket))).toBe('first second');
  });

  it('emits what one of net does, in the same order', async () => {
    const peer = await serve((req, res) => res.end('x'));
    const recordOf = async (socket) => {
      const events = [];
      const { emit } = socket;
      socket.emit = function emitRecorded(name, ...args) {
        events.push(name);
        return Reflect.apply(emit, this, [name, ...args]);
      };
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      socket.resume();
      await finished(socket);
      await until(() => events.includes('close'));
      return events;
    };
    const ours = await recordOf(connectTo(peer));
    expect(ours).toEqual(await recordOf(net.createConnection(peer.address)));
    expect(ours).toContain('connectionAttempt');
  });

  it('keeps the process alive, and lets it end when it is unref\'d', async () => {
    const peer = await echo();
    const socket = connectTo(peer);
    await once(socket, 'connect');
    const resources = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = resources();
    socket.unref();
    expect(resources()).toBe(before - 1);
  });
});
