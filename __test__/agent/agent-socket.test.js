'use strict';

const { EventEmitter, once } = require('node:events');
const nodeHttp = require('node:http');
const net = require('node:net');
const path = require('node:path');
const stream = require('node:stream');

const ferrequest = require('../..');
const {
  cleanUp, describeNative, describeOurs, http, isNative, itNative, newAgent, runNode, serve, untilNoConnections,
} = require('../support');

/** Collects what an agent says of the connection of one request: by its event 'free', and by the socket's listeners. */
async function describeSocket(http, agentOptions, requestOptions) {
  const agent = new http.Agent(agentOptions);
  cleanUp(() => agent.destroy());
  const free = once(agent, 'free');
  const req = http.get({ ...requestOptions, agent }, (res) => res.resume());
  const names = ['free', 'close', 'timeout', 'agentRemove', 'error', 'end', 'connect', 'lookup', 'ready', 'data',
    'drain', 'readable', 'finish', 'prefinish', 'pause', 'resume', 'newListener', 'connectionAttempt'];
  // At once: while it connects, a stream of libuv's waits for that to read.
  const [socket, listeners] = await new Promise((resolve) => {
    req.once('socket', (s) => resolve([s, Object.fromEntries(names.map((name) => [name, s.listenerCount(name)]))]));
  });
  const table = Object.keys(agent.sockets).map((name) => [name, agent.sockets[name].length, agent.totalSocketCount]);
  const [freed, options] = await free;
  const { agent: own, ...others } = options;
  return {
    listeners, table, order: Object.keys(options), others,
    isItsOwn: own === agent, isTheSocket: freed === socket, timeout: socket.timeout,
    prototype: Object.getPrototypeOf(options),
    allowHalfOpen: socket.allowHalfOpen, highWaterMark: socket.writableHighWaterMark,
  };
}

describeOurs('a new socket of an agent', () => {
  const cases = [
    ['keepAlive', { keepAlive: true }, {}],
    ['options of both', { keepAlive: true, extra: 1, timeout: 5000 }, { extra: 2, own: 3 }],
    ['a timeout of the request', { keepAlive: true }, { timeout: 3000 }],
    ['a Host field that is a name', { keepAlive: true, keepAliveMsecs: 2500 }, { headers: { host: 'a.example:80' } }],
    ['a Host field in brackets', { keepAlive: true }, { headers: { host: '[::1]:80' } }],
    ['a servername', { keepAlive: true }, { servername: 'given.example' }],
    ['options of the stream', { keepAlive: true, noDelay: false }, { highWaterMark: 1234, allowHalfOpen: true }],
    ['a symbol', { keepAlive: true }, { [Symbol.for('mine')]: 1 }],
  ];

  it.each(cases)('has the options, entries and listeners of Node\'s, with %s', async (_name, agentOptions, options) => {
    const { address } = await serve((_req, res) => res.end());
    const node = await describeSocket(nodeHttp, agentOptions, { ...address, ...options });
    const ours = await describeSocket(ferrequest, agentOptions, { ...address, ...options });
    // Before Node 20.18 and 22.9 it waits as long as the server has said, and not a second less.
    if (node.timeout === 5000) node.timeout = 4000;
    // A socket of libuv is listened to for the time at which it is connected.
    if (!isNative) node.listeners.connect++;
    expect(ours).toEqual(node);
    expect(Object.getOwnPropertySymbols(ours.others)).toEqual(Object.getOwnPropertySymbols(node.others));
  });

  it('is made by a createSocket that somebody has put in place of Node\'s', async () => {
    const { address } = await serve((_req, res) => res.end());
    let made = 0;
    class Watching extends ferrequest.Agent {
      createSocket(...rest) {
        made++;
        return super.createSocket(...rest);
      }
    }
    const agent = new Watching();
    cleanUp(() => agent.destroy());
    await once(ferrequest.get({ ...address, agent }, (res) => res.resume()), 'close');
    expect(made).toBe(1);
  });

  it('is refused as Node refuses it, and takes no place', () => {
    for (const http of [nodeHttp, ferrequest]) {
      const agent = new http.Agent();
      const refusal = (options) => {
        const get = () => http.get({ host: '127.0.0.1', agent, ...options });
        return expect(get).toThrow(expect.objectContaining({ name: expect.any(String), code: options.code }));
      };
      refusal({ port: 1e9, code: 'ERR_SOCKET_BAD_PORT' });
      refusal({ headers: { host: ['a', 'b'] }, code: 'ERR_INVALID_ARG_TYPE' });
      expect(agent.totalSocketCount).toBe(0);
    }
  });

  it('leaves the tables with its last byte, for agent: false too', async () => {
    const peer = await serve((_req, res) => res.end());
    const req = ferrequest.get({ ...peer.address, agent: false }, (res) => res.resume());
    const { agent } = req;
    expect(agent.totalSocketCount).toBe(1);
    await once(req, 'close');
    await untilNoConnections(peer);
    expect([agent.sockets, agent.freeSockets, agent.requests, agent.totalSocketCount]).toEqual([{}, {}, {}, 0]);
  });

  it('is not made while an idle one is there, although no other is in use', async () => {
    const peer = await serve((_req, res) => res.end());
    const agent = new ferrequest.Agent({ keepAlive: true });
    cleanUp(() => agent.destroy());
    for (const reused of [false, true]) {
      const req = ferrequest.get({ ...peer.address, agent }, (res) => res.resume());
      const free = once(agent, 'free');
      await once(req, 'close');
      await free;
      expect(req.reusedSocket).toBe(reused);
    }
  });
});

describeOurs('the constructors of net.Socket and its streams', () => {
  it('look at no option that ours are not given', () => {
    const { ReadableState } = stream.Readable;
    const { WritableState } = stream.Writable;
    const sources = [net.Socket, stream.Duplex, stream.Readable, stream.Writable, ReadableState, WritableState,
      EventEmitter.init];
    const names = sources.map(String).join('\n').matchAll(/(?:options|opts)\??\.(\w+)/g);
    const asked = new Set(Array.from(names, ([, name]) => name));
    expect(asked.size).toBeGreaterThan(15);
    // Of sockets that are not connected by an agent, or are set by net itself.
    for (const name of ['fd', 'onread', 'emitClose', 'autoDestroy', 'decodeStrings']) asked.delete(name);
    const seen = new Set();
    const options = new Proxy({}, {
      get(_target, name) {
        seen.add(name);
        return undefined;
      },
    });
    const { NativeSocket } = require('../../lib/socket/native-socket');
    new NativeSocket(options).destroy();
    const given = [...seen, 'handle', 'manualStart'];
    expect([...asked].filter((name) => !given.includes(name))).toEqual([]);
  });
});

describe('captureRejections of a request', () => {
  it("makes what an async listener of the socket rejects with the socket's error", async () => {
    const { address } = await serve((_req, res) => res.end());
    const req = http.get({ ...address, agent: newAgent(), captureRejections: true });
    const failure = new Error('of a listener');
    req.on('socket', (socket) => socket.on('connect', async () => {
      throw failure;
    }));
    expect(await once(req, 'error')).toEqual([failure]);
  });
});

describeOurs('an idle connection', () => {
  itNative('holds neither the last request nor its response', async () => {
    const { address } = await serve((_req, res) => res.end('body'));
    const scriptFor = (module) => `
      const http = require('${module}');
      const agent = new http.Agent({ keepAlive: true });
      const refs = [];
      const request = () => new Promise((resolve) => {
        const req = http.get({ ...${JSON.stringify(address)}, agent }, (res) => {
          refs.push(new WeakRef(req), new WeakRef(res));
          res.resume();
        });
        agent.once('free', () => setImmediate(resolve));
      });
      request().then(async () => {
        for (let turn = 0; turn < 20 && refs.some((ref) => ref.deref()); turn++) {
          await new Promise(setImmediate);
          gc();
        }
        const idle = Object.values(agent.freeSockets).flat().length;
        console.log(idle, refs.length, refs.filter((ref) => ref.deref()).length);
        agent.destroy();
      });`;
    const run = (module) => runNode(['--expose-gc', '-e', scriptFor(module)]);
    const { stdout, stderr } = await run('.');
    // The engine of Node 22.0 keeps both on its stack, for Node's own client too.
    const node = (await run('node:http')).stdout.trim();
    expect([stdout.trim(), stderr]).toEqual([node, '']);
    if (node !== '1 2 2') expect(node).toBe('1 2 0');
  });
});

describeNative('the doorbell', () => {
  it('is rung for several connections at once, although each has been read from twice', async () => {
    const { stdout, stderr } = await runNode([path.join(__dirname, '..', 'fixtures', 'doorbells.js')]);
    expect(stderr).toBe('');
    // Of 40; what has to be rung for is the end of each writing side.
    expect(Number(stdout)).toBeGreaterThan(0);
    expect(Number(stdout)).toBeLessThan(20);
  });
});
