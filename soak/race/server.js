'use strict';

/**
 * The server that ends idle connections when they are used again. It counts how often it has read each request, notes
 * when it had closed each connection, tells its port, and ends with its parent.
 *
 * The path of a request says its number, and when and how its connection ends: `/<number>/<milliseconds>/<end>`.
 */

const net = require('node:net');
const tls = require('node:tls');

const certificate = require('../../__test__/support/certificate');

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Milliseconds after which a half-closed connection is closed. */
const HALF_CLOSED = 20;

/** Ways to end a connection that is idle; `raw` is what lies below its TLS. */
const ENDS = {
  close: (socket) => socket.destroy(),
  reset: (socket, raw) => raw.resetAndDestroy(),
  half(socket) {
    socket.end();
    setTimeout(() => socket.destroy(), HALF_CLOSED);
  },
};

/** Ways that leave nothing of the connection when they return: the kernel has told its peer. */
const CLOSES = new Set(['close', 'reset']);

/** How often each request was read. */
const reads = new Map();

/** The time at which a connection was closed, by the number of its last request. */
const closed = new Map();

/**
 * Serves a connection.
 * @param {import('node:net').Socket} socket
 * @param {import('node:net').Socket} [raw] What lies below its TLS.
 */
function serve(socket, raw = socket) {
  let timer;
  let head = '';
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    clearTimeout(timer);
    head += chunk.latin1Slice();
    // Of a body, which has no line, nothing is left over.
    const match = /^\S+ \/(\d+)\/(\d+)\/(\w+) [^]*\r\n\r\n(?:body)?$/.exec(head);
    if (match === null) return;
    head = '';
    const [, number, milliseconds, end] = match;
    reads.set(Number(number), (reads.get(Number(number)) ?? 0) + 1);
    if (end === 'abort') {
      raw.resetAndDestroy();
      return;
    }
    if (!socket.writable) return;
    socket.write(ANSWER);
    timer = setTimeout(() => {
      ENDS[end](socket, raw);
      if (CLOSES.has(end)) closed.set(Number(number), process.hrtime.bigint());
    }, Number(milliseconds));
  });
  socket.on('close', () => clearTimeout(timer));
}

/**
 * Serves a connection with TLS.
 * @param {import('node:net').Socket} raw
 */
function serveTls(raw) {
  raw.on('error', () => {});
  serve(new tls.TLSSocket(raw, { isServer: true, ...certificate }), raw);
}

const options = { allowHalfOpen: true, noDelay: true };
const server = net.createServer(options, process.argv[2] === 'tls' ? serveTls : (socket) => serve(socket));
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('message', () => process.send({ reads: [...reads], closed: [...closed] }));
process.on('disconnect', () => process.exit());
