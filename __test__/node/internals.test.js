'use strict';

/**
 * ferrequest uses parts of Node beyond its documentation (the list is in ARCHITECTURE.md): on the Node that runs, each
 * is there and does what is expected.
 */

const { AsyncLocalStorage } = require('node:async_hooks');
const diagnostics = require('node:diagnostics_channel');
const { once } = require('node:events');
const fs = require('node:fs');
const nodeHttp = require('node:http');
const nodeHttps = require('node:https');
const net = require('node:net');
const path = require('node:path');
const { PerformanceObserver } = require('node:perf_hooks');
const tls = require('node:tls');

const ferrequest = require('../..');
const { kOwnIdentityCheck } = require('../../lib/https/server-identity');
const { NativeHandle } = require('../../lib/socket/native-handle');
const { NativeSocket } = require('../../lib/socket/native-socket');
const internals = require('../../lib/node/internals');
const {
  cleanUp, describeOurs, exchange, itOfLastReleases, nodeMajor, runNode, serve, turnOfEventLoop, until,
} = require('../support');

/** By name, the first major of the supported Nodes that has it. */
const SINCE = {
  kAuthority: 24,
  kDetachAbortSignal: 24,
  kHandle: 20,
  kHeaders: 20,
  kHeadersCount: 20,
  kHighWaterMark: 20,
  kNeedDrain: 20,
  kOutHeaders: 20,
  kProxyConfig: 22,
  kProxyRewrittenToAbsolute: 24,
  kQueuedOptions: 20,
  kQueuedResource: 20,
  kReinitializeHandle: 20,
  kUniqueHeaders: 20,
};

describeOurs('the symbols', () => {
  it('are these', () => {
    expect(Object.keys(internals).filter((name) => name.startsWith('k')).sort()).toEqual(Object.keys(SINCE));
  });

  itOfLastReleases.each(Object.entries(SINCE))('%s is there since Node %i', (name, since) => {
    expect(typeof internals[name]).toBe(nodeMajor >= since ? 'symbol' : 'undefined');
  });
});

/** A test of what not every release has. */
const itWith = (symbol) => (symbol ? it : it.skip);

describeOurs('of an OutgoingMessage', () => {
  it('kOutHeaders holds [name, value] by lower-case name', () => {
    const message = new nodeHttp.OutgoingMessage();
    message.setHeader('X-Name', 'value');
    expect({ ...message[internals.kOutHeaders] }).toEqual({ 'x-name': ['X-Name', 'value'] });
    const other = new nodeHttp.OutgoingMessage();
    other[internals.kOutHeaders] = { __proto__: null, 'x-name': ['X-Name', 'value'] };
    expect(other.getHeader('x-NAME')).toBe('value');
  });

  it('kHighWaterMark is where write() answers false, and kNeedDrain remembers that it did', () => {
    const message = new nodeHttp.OutgoingMessage();
    message._header = 'HEAD';
    message[internals.kHighWaterMark] = 10;
    expect(message.write('12345')).toBe(true);
    expect(message[internals.kNeedDrain]).toBe(false);
    expect(message.write('1234567890')).toBe(false);
    expect(message[internals.kNeedDrain]).toBe(true);
  });

  it('end() gives _send() a callback of a known name, which finishes', () => {
    const message = new nodeHttp.OutgoingMessage();
    message._header = 'HEAD';
    message._send = jest.fn();
    message.end();
    const [, , callback] = message._send.mock.calls.at(-1);
    expect(callback.name).toBe('bound onFinish');
    const onFinish = jest.fn();
    message.on('finish', onFinish);
    callback();
    expect(onFinish).toHaveBeenCalledTimes(1);
  });

  it('kUniqueHeaders has the names whose values go into one line', () => {
    const message = new nodeHttp.OutgoingMessage();
    message[internals.kUniqueHeaders] = new Set(['x-one']);
    message._storeHeader('GET / HTTP/1.1\r\n', { 'X-One': ['a', 'b'], 'X-Two': ['a', 'b'] });
    expect(message._header).toContain('X-One: a; b\r\nX-Two: a\r\nX-Two: b\r\n');
  });

  it('_removedConnection, _removedContLen and _removedTE leave the default fields out', () => {
    const message = new nodeHttp.OutgoingMessage();
    Object.assign(message, { _removedConnection: true, _removedContLen: true, _removedTE: true });
    message._storeHeader('GET / HTTP/1.1\r\n', {});
    expect(message._header).not.toMatch(/connection|content-length|transfer-encoding/i);
  });

  it('_last says whether the connection closes', () => {
    const message = new nodeHttp.OutgoingMessage();
    message.shouldKeepAlive = false;
    message._last = true;
    message._storeHeader('GET / HTTP/1.1\r\n', {});
    expect(message._header).toContain('Connection: close\r\n');
  });

  it('_flush() gives the socket what was written before, by way of _flushOutput()', () => {
    const message = new nodeHttp.OutgoingMessage();
    message._header = 'HEAD\r\n\r\n';
    message.write('body');
    expect(message.outputData.map(({ data }) => String(data)).join('')).toContain('body');
    const written = [];
    message.socket = { writable: true, cork() {}, uncork() {}, write: (data) => written.push(String(data)) };
    let passed = 0;
    message._flushOutput = function flushOutput(socket) {
      passed++;
      return nodeHttp.OutgoingMessage.prototype._flushOutput.call(this, socket);
    };
    message._flush();
    expect(passed).toBe(1);
    expect(written.join('')).toContain('body');
    expect(message.outputData).toEqual([]);
  });
});

describeOurs('of an IncomingMessage', () => {
  it('kHeaders is what `headers` is, once that is made', () => {
    const message = new nodeHttp.IncomingMessage();
    message._addHeaderLines(['A', '1'], 2);
    expect(message[internals.kHeaders]).toBeNull();
    expect(message.headers).toBe(message[internals.kHeaders]);
    message[internals.kHeaders] = { b: '2' };
    expect(message.headers).toEqual({ b: '2' });
  });

  it('_addHeaderLine joins, keeps or collects the fields of one name, and its source tells that it is Node\'s', () => {
    const headers = {};
    for (const name of ['Via', 'Age', 'Set-Cookie']) {
      for (const value of ['1', '2']) new nodeHttp.IncomingMessage()._addHeaderLine(name, value, headers);
    }
    expect({ ...headers, 'set-cookie': [...headers['set-cookie']] }).toEqual({
      via: '1, 2', age: '1', 'set-cookie': ['1', '2'],
    });
    expect(nodeHttp.IncomingMessage.prototype._addHeaderLine.toString()).toContain('matchKnownFields(');
  });

  it('kHeadersCount limits what `headers` is made from', () => {
    const message = new nodeHttp.IncomingMessage();
    message.rawHeaders = ['A', '1', 'B', '2'];
    message[internals.kHeadersCount] = 2;
    expect(message.headers).toEqual({ a: '1' });
  });

  it('_addHeaderLines() takes the fields of a complete message for its trailers', () => {
    const message = new nodeHttp.IncomingMessage();
    message.complete = true;
    message._addHeaderLines(['T', '1'], 2);
    expect(message.rawTrailers).toEqual(['T', '1']);
    expect(message.trailers).toEqual({ t: '1' });
  });

  it('_dump() reads on without anybody, and sets _dumped', async () => {
    const message = new nodeHttp.IncomingMessage(new net.Socket());
    expect(message._dumped).toBe(false);
    message._dump();
    expect(message._dumped).toBe(true);
    message.push(Buffer.alloc(1024 * 1024));
    message.push(null);
    await once(message, 'end');
  });

  itWith(internals.kDetachAbortSignal)('kDetachAbortSignal lets go of what `signal` listens to', () => {
    const socket = new net.Socket();
    const message = new nodeHttp.IncomingMessage(socket);
    const before = socket.listenerCount('close');
    expect(message.signal.aborted).toBe(false);
    expect(socket.listenerCount('close')).toBe(before + 1);
    message[internals.kDetachAbortSignal]();
    expect(socket.listenerCount('close')).toBe(before);
    socket.destroy();
  });
});

describeOurs('of an Agent', () => {
  function queue(agent, request) {
    agent.sockets[agent.getName({ host: 'localhost', port: 80 })] = [{}];
    agent.addRequest(request, { host: 'localhost', port: 80 });
  }

  it('the first listener of \'free\' is its own', () => {
    const agent = new nodeHttp.Agent();
    expect(agent.listenerCount('free')).toBe(1);
    const destroyed = [];
    const socket = { writable: false, destroy: () => destroyed.push(true) };
    agent.listeners('free')[0].call(agent, socket, { host: 'localhost' });
    expect(destroyed).toEqual([true]);
  });

  it('kQueuedOptions and kQueuedResource are with a request that waits, and it is served in that context', () => {
    const agent = new nodeHttp.Agent({ maxSockets: 1 });
    const storage = new AsyncLocalStorage();
    const seen = [];
    const request = { getHeader() {}, onSocket: () => seen.push(storage.getStore()) };
    storage.run('maker', () => queue(agent, request));
    expect(request[internals.kQueuedOptions]).toMatchObject({ host: 'localhost', port: 80 });
    expect(request[internals.kQueuedResource].runInAsyncScope(() => storage.getStore())).toBe('maker');
    const socket = { writable: true, setTimeout() {} };
    storage.run('other', () => agent.emit('free', socket, { host: 'localhost', port: 80 }));
    expect(seen).toEqual(['maker']);
  });

  it('_agentKey in the options of createConnection() is the name of the origin', async () => {
    const { address } = await serve((_req, res) => res.end());
    const keys = [];
    class Watching extends nodeHttp.Agent {
      createConnection(options, callback) {
        keys.push([options._agentKey, this.getName(options)]);
        return super.createConnection(options, callback);
      }
    }
    const agent = new Watching();
    cleanUp(() => agent.destroy());
    await new Promise((resolve, reject) => {
      nodeHttp.get({ ...address, agent }, (res) => res.resume().on('close', resolve)).on('error', reject);
    });
    expect(keys).toHaveLength(1);
    expect(keys[0][0]).toBe(keys[0][1]);
  });

  itWith(internals.kProxyConfig)('kProxyConfig is there with `proxyEnv`, and is looked for by the request', () => {
    const agent = new nodeHttp.Agent({ proxyEnv: { http_proxy: 'http://user:pass@localhost:1' } });
    expect(agent[internals.kProxyConfig]).toMatchObject({ protocol: 'http:', auth: expect.stringMatching(/^Basic /) });
    expect(new nodeHttp.Agent()[internals.kProxyConfig]).toBeUndefined();
  });
});

describeOurs('of https and tls', () => {
  it('a symbol in its options marks a request with a checkServerIdentity of its own, if Node knows such', () => {
    const symbolsOf = (options) => {
      let found;
      const addRequest = (_req, all) => { found = Object.getOwnPropertySymbols(all); };
      nodeHttps.request({ agent: { addRequest, defaultPort: 443, protocol: 'https:' }, ...options });
      return found;
    };
    expect(symbolsOf({})).toEqual([]);
    expect([[], [kOwnIdentityCheck]]).toContainEqual(symbolsOf({ checkServerIdentity() {} }));
  });

  it('a TLSSocket that binds sessions to hosts does not give one without a host to its handle', () => {
    const given = [];
    const { setSession } = tls.TLSSocket.prototype;
    const socket = (rejectUnauthorized) => ({
      _handle: { setSession: (session) => given.push(rejectUnauthorized, session) },
      _tlsOptions: { rejectUnauthorized },
    });
    const session = Buffer.from('session');
    setSession.call(socket(false), session);
    expect(given.splice(0)).toEqual([false, session]);
    setSession.call(socket(true), session);
    expect([[], [true, session]]).toContainEqual(given);
  });
});

describeOurs('of net', () => {
  it('_normalizeArgs() sorts out the arguments of connect()', () => {
    const callback = () => {};
    const [options, found] = net._normalizeArgs([80, 'localhost', callback]);
    expect({ ...options }).toEqual({ port: 80, host: 'localhost' });
    expect(found).toBe(callback);
  });

  it('kHandle holds what `_handle` gives', () => {
    const socket = new net.Socket();
    expect(typeof Object.getOwnPropertyDescriptor(net.Socket.prototype, '_handle').set).toBe('function');
    socket._handle = { close() {} };
    expect(socket[internals.kHandle]).toBe(socket._handle);
  });

  it('kReinitializeHandle gives a socket another handle and closes the one before', () => {
    const socket = new net.Socket();
    const closed = [];
    const handle = () => ({ close: () => closed.push(true), getAsyncId: () => 1 });
    socket._handle = handle();
    const next = handle();
    socket[internals.kReinitializeHandle](next);
    expect(socket._handle).toBe(next);
    expect(closed).toEqual([true]);
  });

  it('_unrefTimer() starts the time of a socket anew', async () => {
    const socket = new net.Socket();
    const block = (milliseconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
    let timedOut = false;
    socket.setTimeout(200, () => { timedOut = true; });
    block(150);
    socket._unrefTimer();
    const anew = Date.now();
    block(100);
    await turnOfEventLoop();
    await turnOfEventLoop();
    // Longer than the timeout since it was set, and shorter, on a machine that keeps up, since it began anew.
    expect(timedOut && Date.now() - anew < 200).toBe(false);
    await until(() => timedOut, 'the timeout');
    socket.destroy();
  });

  it('_onTimeout() emits \'timeout\', and _reset() is what resetAndDestroy() does', () => {
    const socket = new net.Socket();
    let timeouts = 0;
    socket.on('timeout', () => timeouts++);
    socket._onTimeout();
    expect(timeouts).toBe(1);
    expect(typeof socket._reset).toBe('function');
    expect(net.Socket.prototype.resetAndDestroy.toString()).toContain('_reset()');
    socket.destroy();
  });

  it('_writeGeneric() is where _write() and _writev() of a socket end', () => {
    const calls = [];
    class Watching extends net.Socket {
      _writeGeneric(writev, data, encoding, callback) {
        calls.push([writev, writev ? data.map(({ chunk }) => String(chunk)) : String(data)]);
        callback();
      }
    }
    const socket = new Watching();
    socket.write('one');
    socket.cork();
    socket.write('two');
    socket.write('three');
    socket.uncork();
    expect(calls).toEqual([[false, 'one'], [true, ['two', 'three']]]);
    socket.destroy();
  });
});

describeOurs('a NativeHandle', () => {
  /** Of Windows' pipes, of user buffers (`onread`), and of handles that were bound before; ours are none of these. */
  const NEVER_ASKED = new Set(['open', 'setBlocking', 'useUserBuffer', 'fd', 'onread']);

  it('has all that net.Socket of this Node asks of its handle', () => {
    const members = Object.values(Object.getOwnPropertyDescriptors(net.Socket.prototype));
    const source = [net.Socket, ...members.flatMap(({ value, get }) => [value, get])].map(String).join('\n');
    const asked = new Set(Array.from(source.matchAll(/_handle\??\.(\w+)/g), ([, name]) => name));
    expect(asked.size).toBeGreaterThan(10);
    const missing = [...asked].filter((name) => !NEVER_ASKED.has(name) && !(name in new NativeHandle()));
    expect(missing).toEqual([]);
  });

  it('makes net.Socket emit what it emits with a handle of libuv, in the same order', async () => {
    const { address } = await serve((_req, res) => res.end());
    const orderOf = async (socket) => {
      const order = [];
      const names = ['lookup', 'connectionAttempt', 'connectionAttemptFailed', 'connect', 'ready', 'close'];
      for (const name of names) socket.on(name, () => order.push(name));
      socket.connect(address.port, 'localhost');
      order.push('connect() has returned');
      await once(socket, 'ready');
      const { remoteAddress, remotePort, remoteFamily, localAddress, localFamily, readyState, pending } = socket;
      socket.destroy();
      await once(socket, 'close');
      return { order, remoteAddress, remotePort, remoteFamily, localAddress, localFamily, readyState, pending };
    };
    expect(await orderOf(new NativeSocket({}))).toEqual(await orderOf(new net.Socket()));
  });
});

describeOurs('the class of the request that ends a writing side', () => {
  // Its purpose is tested in __test__/socket/native-handle.native-code.test.js.
  it('is native, and what NativeHandle is derived from', () => {
    const { ShutdownRequest } = internals;
    expect(ShutdownRequest.name).toBe('ShutdownWrap');
    expect(String(ShutdownRequest)).toContain('[native code]');
    expect(new NativeHandle()).toBeInstanceOf(ShutdownRequest);
  });
});

describeOurs('a handle of libuv', () => {
  it('says by `fd` whether it has begun to connect, and then by whom and to whom', async () => {
    const { address } = await serve((_req, res) => res.end());
    const socket = new net.Socket();
    cleanUp(() => socket.destroy());
    socket.connect(address.port, address.host);
    const { _handle: handle } = socket;
    expect(handle.fd).toBeLessThan(0);
    expect(handle.hasRef()).toBe(true);
    await once(socket, 'connectionAttempt');
    await once(socket, 'connect');
    expect(socket._handle).toBe(handle);
    expect(handle.fd).toBeGreaterThan(0);
    expect(handle.bytesWritten).toBe(0);
    const [peer, own] = [{}, {}];
    expect([handle.getpeername(peer), handle.getsockname(own)]).toEqual([0, 0]);
    expect([peer.address, peer.port]).toEqual([address.host, address.port]);
    expect([own.address, own.port]).toEqual([socket.localAddress, socket.localPort]);
  });

  it('is closed when kReinitializeHandle puts another one in its place', async () => {
    const socket = new net.Socket();
    socket.connect({ port: 1, host: 'host.test', lookup: () => {} });
    const { _handle: handle } = socket;
    const closed = new Promise((resolve) => {
      const { close } = handle;
      handle.close = function closeTold() {
        return Reflect.apply(close, this, [resolve]);
      };
    });
    const replacement = new NativeHandle();
    socket[internals.kReinitializeHandle](replacement);
    expect(socket._handle).toBe(replacement);
    await closed;
    socket.destroy();
  });
});

describeOurs('what is learnt from Node', () => {
  it('is not seen by those who watch for requests', async () => {
    const script = `
      const { subscribe } = require('node:diagnostics_channel');
      const seen = [];
      for (const name of ['created', 'start', 'error']) subscribe('http.client.request.' + name, () => seen.push(name));
      subscribe('http.server.response.created', () => seen.push('server'));
      require('.');
      console.log(seen.length);`;
    const { stdout, stderr } = await runNode(['-e', script]);
    expect([stdout.trim(), stderr]).toEqual(['0', '']);
    expect(diagnostics.channel('http.client.request.created').hasSubscribers).toBe(false);
  });
});

describeOurs('entries of perf_hooks', () => {
  async function entryOf(http, options) {
    const entries = [];
    const observer = new PerformanceObserver((list) => entries.push(...list.getEntriesByName('HttpClient')));
    observer.observe({ entryTypes: ['http'] });
    cleanUp(() => observer.disconnect());
    await new Promise((resolve, reject) => {
      http.get({ ...options, agent: false }, (res) => res.resume().on('close', resolve)).on('error', reject);
    });
    await until(() => entries.length > 0, 'an entry');
    return entries[0];
  }

  it('are those of Node, made by its own request and its own response', async () => {
    const { address } = await serve((_req, res) => {
      res.sendDate = false;
      res.writeHead(200, 'Fine', { A: 'b' }).end();
    });
    const [node, ours] = [await entryOf(nodeHttp, address), await entryOf(ferrequest, address)];
    // Before Node 24.20 its URL has no port.
    if (internals.kAuthority === undefined) node.detail.req.url = `http://127.0.0.1:${address.port}/`;
    expect(ours.detail).toEqual(node.detail);
    expect(ours.detail.res).toMatchObject({ statusCode: 200, statusMessage: 'Fine', headers: { a: 'b' } });
    expect([ours.entryType, ours.duration > 0, ours.startTime > 0]).toEqual([node.entryType, true, true]);
  });
});

describeOurs('a client made of all these', () => {
  it('works on this Node', async () => {
    const { address } = await serve((_req, res) => res.end('works'));
    const { body } = await exchange({ ...address, agent: false });
    expect(String(body)).toBe('works');
  });
});

describeOurs('ARCHITECTURE.md', () => {
  const root = path.join(__dirname, '..', '..');
  const architecture = fs.readFileSync(path.join(root, 'ARCHITECTURE.md'), 'utf8');
  const [, listed] = architecture.split('## Node\'s private parts in use');
  const sources = fs.readdirSync(path.join(root, 'lib'), { recursive: true }).filter((name) => name.endsWith('.js'))
    .map((name) => fs.readFileSync(path.join(root, 'lib', name), 'utf8'))
    // Comments may name what is not used.
    .map((source) => source.replace(/\/\*\*[^]*?\*\/|\/\/.*$/gm, ''));

  it.each(Object.keys(SINCE))('lists %s', (name) => {
    expect(listed).toContain(`\`${name}\``);
  });

  it('lists every member with an underscore that is used', () => {
    const used = new Set(Array.from(sources.join('\n').matchAll(/\.(_\w+)/g), ([, name]) => name));
    expect(used.size).toBeGreaterThan(20);
    expect([...used].filter((name) => !listed.includes(name))).toEqual([]);
  });

  it('lists none that is not used', () => {
    const all = sources.join('\n');
    const names = Array.from(listed.matchAll(/`(?:[\w.]*\.)?(_\w+|k[A-Z]\w+)`/g), ([, name]) => name);
    expect(names.length).toBeGreaterThan(30);
    expect(names.filter((name) => !all.includes(name))).toEqual([]);
  });
});
