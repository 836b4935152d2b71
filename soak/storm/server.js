'use strict';

/**
 * The server of a storm, in a process of its own: `fork(server, [seed, setting])`. It tells its ports, answers
 * `'report'` with what it has seen since the last report, and ends with its parent.
 */

const { once } = require('node:events');
const net = require('node:net');
const tls = require('node:tls');

const certificates = require('../../__test__/support/certificates');
const { Connection } = require('./connection');
const { makePattern } = require('./pattern');

/** What a server knows of the requests of a storm. */
class ServerLedger {
  #entries = new Map();
  /** Number of times that each request has ever come. */
  #seen = new Uint8Array(1 << 16);

  connectionsOpen = 0;
  connectionsAccepted = 0;
  /** Bytes for which no request had asked, by the port of the client that they went to. @type {Map<number, object>} */
  #forgeries = new Map();

  #entry(id) {
    let entry = this.#entries.get(id);
    if (!entry) this.#entries.set(id, entry = { id, seen: 0, isAnswered: false, forgery: undefined, complaints: [] });
    return entry;
  }

  /**
   * Notes that a request has come.
   * @param {number} id
   * @param {{ at: bigint, bytes: Buffer }} [forgery] bytes for which no request had asked, and that went out before on
   *   the same connection
   */
  see(id, forgery) {
    if (id >= this.#seen.length) {
      const grown = new Uint8Array(Math.max(this.#seen.length * 2, id + 1));
      grown.set(this.#seen);
      this.#seen = grown;
    }
    const entry = this.#entry(id);
    entry.seen = ++this.#seen[id];
    entry.forgery = forgery && shown(forgery);
  }

  /** Notes that the kernel has the last byte of the answer. */
  answer(id) {
    this.#entry(id).isAnswered = true;
  }

  /** Notes that bytes are out for which no request had asked. */
  forge(port, forgery) {
    this.#forgeries.set(port, shown(forgery));
  }

  /** Notes something that no client may do. */
  complain(id, what) {
    this.#entry(id).complaints.push(what);
  }

  /** @returns {object} what has come since the last report */
  report() {
    const entries = [...this.#entries.values()];
    const forgeries = new Map(this.#forgeries);
    this.#entries.clear();
    this.#forgeries.clear();
    const { connectionsOpen, connectionsAccepted } = this;
    return { entries, connectionsOpen, connectionsAccepted, forgeries };
  }
}

/** The beginning of forged bytes, and when they were out. */
function shown({ at, bytes }) {
  return { at, bytes: bytes.toString('latin1', 0, 60) };
}

/**
 * @typedef {object} Storm
 * @property {number} seed
 * @property {import('./plan').Setting} setting
 * @property {Buffer} pattern
 * @property {ServerLedger} ledger
 */

async function listen(server) {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server.address().port;
}

/** Listens for TCP connections, and gives each to a function. */
function listenPlain(onConnection) {
  return listen(net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  }));
}

/** Listens for TLS connections, and gives each, and the TCP connection below it, to a function. */
function listenTls(onConnection) {
  const raws = new Map();
  const server = tls.createServer({ ...certificates.local, allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {});
    const raw = raws.get(socket.remotePort);
    if (raw === undefined) socket.destroy();
    else onConnection(socket, raw);
  });
  server.on('connection', (raw) => {
    const { remotePort } = raw;
    raws.set(remotePort, raw);
    raw.on('error', () => {}).on('close', () => raws.get(remotePort) === raw && raws.delete(remotePort));
  });
  server.on('tlsClientError', () => {});
  return listen(server);
}

/** @returns {Promise<number>} a port on which no process listens, and none can: a connection has it */
async function closedPort() {
  const port = await listenPlain(() => {});
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket.localPort;
}

/** Reads and forgets what comes, and closes when the client does. */
function ignore(socket) {
  socket.on('end', () => socket.destroy()).resume();
}

async function main([seed, setting]) {
  const ledger = new ServerLedger();
  const storm = { seed: Number(seed), setting: JSON.parse(setting), pattern: makePattern(Number(seed)), ledger };
  const onConnection = (socket, raw = socket) => {
    ledger.connectionsOpen++;
    ledger.connectionsAccepted++;
    return new Connection(socket, raw, storm);
  };
  const ports = {
    storm: await listenPlain(onConnection),
    tls: await listenTls(onConnection),
    refused: await closedPort(),
    fin: await listenPlain((socket) => ignore(socket.end())),
    reset: await listenPlain((socket) => socket.resetAndDestroy()),
    silence: await listenPlain(ignore),
    garbage: await listenPlain((socket) => {
      socket.write('garbage\r\n\r\n');
      ignore(socket);
    }),
  };
  process.on('message', () => process.send({ report: ledger.report() }));
  process.on('disconnect', () => process.exit());
  process.send({ ports });
}

main(process.argv.slice(2));
