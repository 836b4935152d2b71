'use strict';

/** Agents of every size, for every way in which bytes travel. */

const net = require('node:net');
const tls = require('node:tls');
const { Duplex } = require('node:stream');

const certificates = require('../../__test__/support/certificates');

/** Options of the agents: sizes from one connection to as many as there are requests, and none that is kept. */
const AGENTS = [
  { keepAlive: true },
  { keepAlive: true, maxSockets: 1 },
  { keepAlive: true, maxSockets: 6, maxFreeSockets: 2 },
  { keepAlive: true, maxSockets: 50, scheduling: 'fifo' },
  { keepAlive: true, maxTotalSockets: 20 },
  { keepAlive: false, maxSockets: 30 },
];

/** A connection that is a Duplex, and no socket. */
class PlainDuplex extends Duplex {
  /** @param {net.Socket} socket */
  constructor(socket) {
    super({ allowHalfOpen: true });
    this.socket = socket;
    socket.on('data', (bytes) => {
      if (!this.push(bytes)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    // What was read before the end is still to be read here.
    socket.on('close', () => socket.readableEnded || this.destroy());
    socket.on('timeout', () => this.emit('timeout'));
  }

  /** Node's client calls this method of every stream when a request has a timeout. */
  setTimeout(milliseconds, callback) {
    if (callback) this.once('timeout', callback);
    this.socket.setTimeout(milliseconds);
    return this;
  }

  _read() {
    this.socket.resume();
  }

  _write(chunk, encoding, callback) {
    this.socket.write(chunk, encoding, callback);
  }

  _final(callback) {
    this.socket.end(callback);
  }

  _destroy(error, callback) {
    this.socket.destroy();
    callback(error);
  }
}

/**
 * @typedef {object} Transport
 * @property {object} module `http` or `https`
 * @property {(options: object) => import('node:http').Agent} makeAgent
 * @property {string} [portForAnswers] name of the port where answers come from, where it is another
 * @property {object[]} agents options of its agents
 */

/**
 * @param {{ http: typeof import('node:http'), https: typeof import('node:https') }} client
 * @returns {Record<string, Transport>}
 */
function transportsOf({ http, https }) {
  const overTls = {
    module: https,
    makeAgent: (options) => new https.Agent({ ca: certificates.ca, ...options }),
    portForAnswers: 'tls',
  };
  const connecting = (createConnection) => (options) => Object.assign(new http.Agent(options), { createConnection });
  return {
    native: { module: http, makeAgent: (options) => new http.Agent(options), agents: AGENTS },
    // Light loads make the I/O thread lend the connections that idle.
    lent: { module: http, makeAgent: (options) => new http.Agent(options), agents: AGENTS.slice(0, 3) },
    stream: { module: http, makeAgent: connecting((options) => net.connect(options)), agents: AGENTS },
    // Without setKeepAlive(), ref() and unref() a stream serves one request.
    duplex: {
      module: http,
      makeAgent: connecting((options) => new PlainDuplex(net.connect(options))),
      agents: [{ keepAlive: false }, { keepAlive: false, maxSockets: 8 }],
    },
    tls: { ...overTls, agents: AGENTS },
    'lent-tls': { ...overTls, agents: AGENTS.slice(0, 3) },
    // A context of the user's keeps a connection with Node.
    'node-tls': {
      ...overTls,
      makeAgent: (options) => new https.Agent({
        secureContext: tls.createSecureContext({ ca: certificates.ca }), ...options,
      }),
      agents: AGENTS,
    },
  };
}

module.exports = { transportsOf };
