'use strict';

/** Exchanges in which a client emits every event that it has; the names of what was emitted are kept. */

const { once } = require('node:events');
const nodeHttp = require('node:http');
const net = require('node:net');

const { cleanUp, turnOfEventLoop, until } = require('..');

/** Names of the events that each kind of object has emitted. */
class Emitted {
  constructor() {
    this.request = new Set();
    this.response = new Set();
    this.agent = new Set();
    this.socket = new Set();
  }

  /**
   * @param {'request'|'response'|'agent'|'socket'} kind
   * @param {import('node:events').EventEmitter} emitter
   */
  watch(kind, emitter) {
    const names = this[kind];
    const { emit } = emitter;
    emitter.emit = function watchedEmit(name, ...args) {
      names.add(name);
      return emit.call(this, name, ...args);
    };
  }
}

/** @param {(socket: net.Socket, head: string) => void} answer */
async function rawServer(answer) {
  const sockets = new Set();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    let tail = '';
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      tail = (tail + text).slice(-7);
      if (/^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(text) && !text.startsWith('POST')) answer(socket, text);
      else if (tail === '\r\n0\r\n\r\n') answer(socket, 'POST /plain ');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp(() => new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  }));
  return server.address().port;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';

/** Answers of the server, by path. */
const ANSWERS = {
  '/plain': (socket) => socket.write(OK),
  '/informed': (socket) => socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n${OK}`),
  '/upgrade': (socket) => socket.write('HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
  '/cut': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf'),
  '/reset': (socket) => socket.resetAndDestroy(),
  '/silent': () => {},
  '/half': (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf'),
};

/** Waits for the close of a request and, if it has one, of its response. */
async function closed(req) {
  await until(() => req.closed && (!req.res || req.res.closed || req.upgraded), `the close of ${req.path}`);
  await turnOfEventLoop();
}

/** For 'upgrade' and 'connect'. */
function leave(req, socket) {
  req.upgraded = true;
  socket.destroy();
}

/** Acts on requests, by path; where there is none, the response is read. */
const SCENARIOS = [
  { path: '/plain' },
  { path: '/plain', reading: (res) => res.on('readable', () => { while (res.read() !== null); }) },
  {
    path: '/plain',
    reading: (res) => {
      res.pause();
      setImmediate(() => res.resume());
    },
  },
  { path: '/informed', headers: { Expect: '100-continue' } },
  { path: '/upgrade', on: { upgrade: leave } },
  { path: '127.0.0.1:1', method: 'CONNECT', on: { connect: leave } },
  { path: '/cut' },
  { path: '/reset' },
  { path: '/silent', begin: (req) => { req.on('finish', () => setImmediate(() => req.abort())); } },
  { path: '/silent', begin: (req) => { req.setTimeout(20, () => req.destroy()); } },
  { path: '/half', reading: (res) => { res.resume().setTimeout(20, () => res.req.destroy()); } },
  { path: '/plain', method: 'POST', upload: Buffer.alloc(8 * 1024 * 1024) },
];

/**
 * Runs every scenario.
 * @param {typeof import('node:http')} http
 * @returns {Promise<Emitted>}
 */
async function run(http) {
  const emitted = new Emitted();
  const port = await rawServer((socket, head) => {
    const [, path] = head.split(' ');
    (ANSWERS[path] ?? ((tunnel) => tunnel.write('HTTP/1.1 200 OK\r\n\r\n')))(socket);
  });
  const agent = new http.Agent({ keepAlive: true });
  emitted.watch('agent', agent);
  cleanUp(() => agent.destroy());
  for (const scenario of SCENARIOS) await exchange(http, scenario, { port, agent, emitted });
  // To names, and with a connection attempt that fails.
  await exchange(http, { path: '/plain', host: 'localhost' }, { port, agent, emitted });
  return emitted;
}

async function exchange(http, scenario, { port, agent, emitted }) {
  const { path, method, headers, upload, begin, on = {}, host = '127.0.0.1' } = scenario;
  const { reading = (res) => res.resume() } = scenario;
  const req = http.request({ host, port, path, method, headers, agent });
  emitted.watch('request', req);
  req.on('error', () => {});
  req.on('socket', (socket) => {
    if (!socket.watched) emitted.watch('socket', socket);
    socket.watched = true;
  });
  for (const [name, listener] of Object.entries(on)) req.on(name, (res, socket) => listener(req, socket));
  req.on('response', (res) => {
    emitted.watch('response', res);
    res.on('error', () => {});
    reading(res);
  });
  begin?.(req);
  if (upload) {
    if (!req.write(upload)) req.once('drain', () => req.end());
    else req.end();
  } else {
    req.end();
  }
  await closed(req);
}

module.exports = { Emitted, nodeHttp, run };
