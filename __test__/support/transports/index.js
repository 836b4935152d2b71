'use strict';

/**
 * The two ways by which bytes reach the decoder: a connection that the module makes itself, and any stream that
 * createConnection gives. What a peer can do to a client must come out the same on both.
 */

const net = require('node:net');
const { Duplex } = require('node:stream');
const { http, newAgent, serveAnswer, untilPoolIsEmpty } = require('..');

const TRANSPORTS = [
  ['a connection', newAgent],
  ['a stream',
    (options) => Object.assign(newAgent(options), { createConnection: (...args) => net.createConnection(...args) })],
];

/**
 * Describes the same tests once for each transport.
 * @param {string} title
 * @param {(newTransportAgent: typeof newAgent) => void} define
 */
function describeTransports(title, define) {
  describe.each(TRANSPORTS)(`${title} over %s`, (_name, newTransportAgent) => define(newTransportAgent));
}

/** A connection in memory whose peer answers the first write with given bytes, one by one, and then closes. */
class ByteByByte extends Duplex {
  constructor(bytes) {
    super();
    this.bytes = Buffer.from(bytes, 'latin1');
  }

  _read() {}

  _write(chunk, encoding, callback) {
    const { bytes } = this;
    this.bytes = Buffer.alloc(0);
    // One chunk a byte: a Readable that flows gives its chunks as they were pushed.
    for (const byte of bytes) this.push(Buffer.from([byte]));
    if (bytes.length > 0) this.push(null);
    callback();
  }
}

/** How an answer comes in; each gives the options of a request to a peer that sends these bytes and then closes. */
const DELIVERIES = [
  ['in one segment', async (bytes) => (await serveAnswer(bytes, { end: true })).address],
  ['byte by byte', async (bytes) => ({ createConnection: () => new ByteByByte(bytes) })],
];

/**
 * Describes the same tests once for each way in which an answer can come in.
 * @param {string} title
 * @param {(receive: (bytes: string, options?: object) => Promise<Received>, isWhole: boolean) => void} define
 */
function describeDeliveries(title, define) {
  describe.each(DELIVERIES)(`${title} %s`, (name, addressOf) => {
    define(async (bytes, options) => receive(await addressOf(bytes), options), name === 'in one segment');
  });
}

/**
 * @typedef {object} Received
 * @property {Error} [error] of the request
 * @property {import('node:http').IncomingMessage} [res]
 * @property {string} body latin1
 */

/**
 * Makes a request, waits for its close and for that of its response, and sees that the pool is empty then.
 * @param {object} address
 * @param {object} [options]
 * @returns {Promise<Received>}
 */
async function receive({ createConnection, ...address }, options) {
  // A stream that is no socket cannot be kept alive: it has no setKeepAlive(), no ref() and no unref().
  const agent = newAgent({ keepAlive: !createConnection });
  if (createConnection) agent.createConnection = createConnection;
  const received = { body: '' };
  await new Promise((resolve) => {
    let open = 1;
    const onClose = () => --open === 0 && resolve();
    const req = http.request({ ...address, agent, ...options });
    req.on('response', (res) => {
      open++;
      received.res = res;
      res.setEncoding('latin1').on('data', (chunk) => { received.body += chunk; });
      res.on('error', () => {}).on('close', onClose);
    });
    req.on('error', (error) => { received.error ??= error; });
    req.on('close', onClose);
    req.end();
  });
  agent.destroy();
  await untilPoolIsEmpty(agent);
  return received;
}

module.exports = { describeTransports, describeDeliveries };
