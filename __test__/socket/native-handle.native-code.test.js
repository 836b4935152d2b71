'use strict';

/**
 * No handle of ours reaches native code of Node's that takes it for its own. Each way there ends in a clear result, and
 * is tried in a process of its own, which a mistake would end.
 */

const { describeNative, runScript } = require('../support');

/**
 * Makes a connection, idle, lent or in use by a request, and gives its socket to something of Node's.
 * @param {typeof import('../..')} http
 * @param {{ state: string, names: string[], before?: string }} args names: of the ways, tried one after the other;
 *   before: run first
 */
async function main(http, { state, names, before }) {
  const { fork, spawn, spawnSync } = require('node:child_process');
  const { EventEmitter, once } = require('node:events');
  const fs = require('node:fs');
  const nodeHttp = require('node:http');
  const http2 = require('node:http2');
  const net = require('node:net');
  const os = require('node:os');
  const path = require('node:path');
  const tls = require('node:tls');
  const v8 = require('node:v8');

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
  process.on('exit', () => fs.rmSync(folder, { recursive: true }));
  const server = nodeHttp.createServer((req, res) => {
    if (req.url === '/never') return;
    res.end('x');
  });
  const peers = [];
  server.on('connection', (socket) => peers.push(socket.on('error', () => {})));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const agent = new http.Agent({ keepAlive: true });
  const options = { host: '127.0.0.1', port: server.address().port, agent };
  const ask = (url) => new Promise((resolve, reject) => {
    const req = http.get({ ...options, path: url }, (res) => {
      const { socket } = res;
      res.resume().on('end', () => setImmediate(resolve, socket));
    });
    req.on('error', reject);
    if (url === '/never') server.once('request', () => resolve(req.socket));
  });
  let socket = await ask(state === 'busy' ? '/never' : '/');
  if (state === 'lent') {
    while (http.stats().direct === 0) socket = await ask('/');
  }
  if (!socket.isNative) throw new Error('the socket is not native');
  if (before) Reflect.construct(Function, [before])();
  socket.on('error', () => {});

  /** Runs `source` in a child process with a channel. */
  const start = (source, stdio = ['ignore', 'inherit', 'inherit', 'ipc']) => {
    const file = path.join(folder, `${process.hrtime.bigint()}.js`);
    fs.writeFileSync(file, source);
    return fork(file, { stdio });
  };
  const TAKER = 'process.on("message", (message, socket) => socket.end("child", () => process.send(message)));';

  const send = async (keepOpen) => {
    const child = start(TAKER);
    const received = once(peers.at(-1), 'data');
    try {
      child.send('hello', socket, { keepOpen });
      const [message] = await once(child, 'message');
      const [chunk] = await received;
      // One that has been sent away serves no other request.
      if (!keepOpen) await ask('/');
      return [message, String(chunk)];
    } finally {
      child.kill();
    }
  };
  const ways = {
    'child.send()': () => send(false),
    'child.send() with keepOpen': () => send(true),
    'child.send() of the handle': () => {
      const child = start(TAKER);
      try {
        return child.send('hello', socket._handle);
      } finally {
        child.kill();
      }
    },
    'spawn()': () => spawn(process.execPath, ['-v'], { stdio: ['ignore', socket, 'ignore'] }),
    'spawn() of the handle': () => spawn(process.execPath, ['-v'], { stdio: ['ignore', socket._handle, 'ignore'] }),
    'spawnSync()': () => spawnSync(process.execPath, ['-v'], { stdio: ['ignore', socket, 'ignore'] }),
    'fork()': () => start('', ['ignore', socket, 'ignore', 'ipc']),
    'tls.connect()': () => tls.connect({ socket }),
    'new TLSSocket()': () => new tls.TLSSocket(socket),
    'tls.Server': () => tls.createServer().emit('connection', socket),
    'http.Server': () => nodeHttp.createServer().emit('connection', socket),
    'http2.connect()': () => once(http2.connect('http://a.test', { createConnection: () => socket }), 'error'),
    'http2.Server': () => http2.createServer().on('sessionError', () => {}).emit('connection', socket),
    'new net.Socket()': () => new net.Socket({ handle: socket._handle }).write('x'),
    'server.listen()': async () => (await once(net.createServer().listen(socket._handle), 'error')).length,
    'postMessage() of the socket': () => new MessageChannel().port1.postMessage(socket),
    'postMessage() of the handle': () => new MessageChannel().port1.postMessage(socket._handle),
    'structuredClone() of the handle': () => structuredClone(socket._handle),
    'v8.serialize() of the handle': () => v8.serialize(socket._handle),
    'the inspector': () => {
      const { Session } = require('node:inspector');
      const session = new Session();
      session.connect();
      globalThis.handle = socket._handle;
      const params = { expression: 'handle', generatePreview: true };
      return new Promise((resolve) => {
        session.post('Runtime.evaluate', params, (error, { result }) => resolve(result.className));
      });
    },
    'util.inspect()': () => require('node:util').inspect(socket, { depth: 9, getters: true }).length > 0,
  };
  const results = [];
  for (const name of names) {
    try {
      const result = await ways[name]();
      results.push(result instanceof EventEmitter ? 'made' : result);
    } catch (error) {
      results.push([error.name, error.code, error instanceof TypeError]);
    }
  }
  console.log(JSON.stringify({ results, isOpen: !peers.at(-1).destroyed }));
  process.exit();
}

const IN_USE = ['TypeError', 'ERR_FERREQUEST_SOCKET_IN_USE', true];
const INVALID_STDIO = ['TypeError', 'ERR_INVALID_ARG_VALUE', true];
const NOT_CLONED = ['DataCloneError', 25, false];

/** Results by the way: of an idle connection, and of one in use by a request, where that is not the same. */
const RESULTS = {
  'child.send()': [['hello', 'child'], IN_USE],
  'child.send() with keepOpen': [['hello', 'child'], IN_USE],
  'child.send() of the handle': [['TypeError', 'ERR_INVALID_HANDLE_TYPE', true]],
  'spawn()': [INVALID_STDIO],
  'spawnSync()': [INVALID_STDIO],
  'fork()': [INVALID_STDIO],
  // By its descriptor, as one of libuv.
  'spawn() of the handle': ['made'],
  'tls.connect()': [IN_USE],
  'new TLSSocket()': [IN_USE],
  'postMessage() of the socket': [NOT_CLONED],
  'postMessage() of the handle': [NOT_CLONED],
  'structuredClone() of the handle': [NOT_CLONED],
  'the inspector': ['NativeHandle'],
  'util.inspect()': [true],
  'server.listen()': [1],
  'new net.Socket()': [['TypeError', undefined, true]],
};

/** Ways that are tried in one process. The last ones of a list may close the connection. */
const LISTS = [
  ['child.send()'],
  ['child.send() with keepOpen'],
  ['child.send() of the handle', 'spawn()', 'spawnSync()', 'fork()', 'spawn() of the handle'],
  ['tls.connect()', 'new TLSSocket()'],
  ['postMessage() of the socket', 'postMessage() of the handle', 'structuredClone() of the handle', 'the inspector',
    'util.inspect()', 'server.listen()', 'new net.Socket()'],
];

/** Ways that end in events of Node's own servers and sessions. */
const OTHER_WAYS = ['tls.Server', 'http.Server', 'http2.connect()', 'http2.Server', 'v8.serialize() of the handle'];

/** Tries the ways in a process of their own. */
async function tryWays(args) {
  const { stdout, stderr, code, signal, timedOut } = await runScript(main, { args });
  expect({ stderr, code, signal, timedOut }).toEqual({ stderr: '', code: 0, signal: null, timedOut: false });
  return JSON.parse(stdout);
}

/** Results as JSON gives them. */
const expected = (results) => JSON.parse(JSON.stringify(results));

describeNative.each(['idle', 'lent'])('the socket of a connection that is %s', (state) => {
  it.each(LISTS)('comes to a clear result in %s', async (...names) => {
    const { results } = await tryWays({ state, names });
    expect(results).toEqual(expected(names.map((name) => RESULTS[name][0])));
  });

  it.each(OTHER_WAYS)('ends no process in %s', (name) => tryWays({ state, names: [name] }));
});

describeNative('the socket of a request', () => {
  it.each(LISTS)('comes to a clear result in %s, and the request goes on', async (...names) => {
    const { results, isOpen } = await tryWays({ state: 'busy', names });
    expect(results).toEqual(expected(names.map((name) => RESULTS[name].at(-1))));
    expect(isOpen).toBe(true);
  });

  it.each(OTHER_WAYS)('ends no process in %s', (name) => tryWays({ state: 'busy', names: [name] }));
});

describeNative('a handle that native code gets all the same', () => {
  it.each(['child.send()', 'child.send() with keepOpen'])('is none for it, in %s', async (name) => {
    for (const state of ['idle', 'busy', 'lent']) {
      // Without stacks, nothing tells that child_process is asking.
      const { results } = await tryWays({ state, names: [name], before: 'delete Error.captureStackTrace' });
      expect(results).toEqual([['Error', 'EINVAL', false]]);
    }
  });
});
