'use strict';

/**
 * The ways by which bytes reach the decoder: a connection of the I/O thread, a stream of JavaScript's, TLS among them,
 * and a connection that the I/O thread has lent. What a peer can do to a client must come out the same on all.
 */

const { Duplex } = require('node:stream');
const {
  cleanUp, http, MODULE_PATH, newAgent, readHere, runNode, serve, serveAnswer, serveRaw, serveWire,
  untilPoolIsEmpty,
} = require('..');
const { https, serveRawTls, serveTls } = require('../tls');
const { NOT_LENT } = require('./child');
const { chosenOf, kindsIn } = require('./kinds');
const { lend, warmUp } = require('./lending');

/**
 * Peers and agents of one kind. Requests name the agent and the address of the peer, and are made with `http` for all.
 * @typedef {object} Transport
 * @property {string} title
 * @property {boolean} isStream
 * @property {boolean} isLent
 * @property {boolean} isTls
 * @property {typeof newAgent} newAgent gives an agent that has no connection yet
 * @property {(peer: object, options?: import('node:http').AgentOptions, isGivenBack?: boolean) =>
 *   Promise<import('node:http').Agent>} agentTo gives an agent whose next request to that peer travels in this way; it
 *   keeps connections alive by default. isGivenBack: what comes with the request gives a lent connection back before
 * @property {typeof serve} serve
 * @property {typeof serveRaw} serveRaw
 * @property {typeof serveAnswer} serveAnswer
 * @property {typeof serveWire} serveWire
 * @property {typeof runInChild} runScript runs `main(http, args, transport)` in a process of its own; the transport
 *   there has `serveRaw` and `agentTo`
 */

/** Tests that did not do what they say: their exchange did not begin on a lent connection. */
const notLent = new Set();

/**
 * @param {import('./kinds').Kind} kind
 * @returns {Transport}
 */
function transportOf({ makeAgent, ...kind }) {
  const newAgentOfKind = (options) => {
    const agent = makeAgent({ http, https }, options);
    cleanUp(() => agent.destroy());
    return agent;
  };
  const agentTo = async (peer, options, isGivenBack) => {
    const agent = newAgentOfKind({ keepAlive: true, ...options });
    if (kind.isLent) await lendTo(agent, peer, isGivenBack);
    return agent;
  };
  const raw = (onConnection, listen) => {
    const onSocket = (socket, index) => {
      if (kind.isStream) readHere.add(socket);
      onConnection(socket, index);
    };
    return kind.isTls ? overTls(serveRawTls(onSocket, { listen })) : serveRaw(onSocket, listen);
  };
  return {
    ...kind,
    newAgent: newAgentOfKind,
    agentTo,
    serve: kind.isTls ? (...args) => overTls(serveTls(...args)) : serve,
    serveRaw: raw,
    serveAnswer: (answer, options) => serveAnswer(answer, { ...options, serveWith: raw }),
    serveWire: (isWhole) => serveWire(isWhole, raw),
    runScript: (main, options) => runInChild(kind.title, main, options),
  };
}

/** Gives an agent a lent connection to a peer, and sees that the next request on it begins there. */
async function lendTo(agent, peer, isGivenBack = false) {
  const { currentTestName } = expect.getState();
  let isProved = () => false;
  // Also where the test fails: one that is marked as failing must not do so because nothing was lent.
  cleanUp(() => {
    if (!isProved()) notLent.add(currentTestName);
  });
  if (peer.server) {
    await lend(http, agent, peer.server, peer.address, (begun) => {
      isProved = () => http.stats === undefined || begun !== isGivenBack;
    });
  } else {
    // A peer in a process of its own, which answers warm-up requests itself.
    await warmUp(http, agent, peer.address);
    const before = http.stats?.().direct;
    isProved = () => http.stats === undefined || http.stats().direct > before;
  }
}

/** Runs `main` in a process of its own, with the transport of that title; see child.js. */
async function runInChild(title, main, { args = null, ...options } = {}) {
  const modules = `require(${JSON.stringify(MODULE_PATH)}), require(${JSON.stringify(require.resolve('./child'))})`;
  const source = `(async (http, { transportInChild }) => {
    await (${main})(http, ${JSON.stringify(args)}, transportInChild(${JSON.stringify(title)}, http));
  })(${modules})`;
  const result = await runNode(['-e', source], options);
  if (result.code === NOT_LENT) notLent.add(expect.getState().currentTestName);
  return result;
}

afterAll(() => {
  const names = [...notLent];
  notLent.clear();
  if (names.length > 0) throw new Error(`began on no lent connection:\n${names.join('\n')}`);
});

/** Has requests made with `http` go over TLS. */
async function overTls(served) {
  const peer = await served;
  peer.address.protocol = 'https:';
  return peer;
}

/**
 * Describes the same tests once for each transport.
 * @param {string} title
 * @param {(transport: Transport) => void} define
 * @param {(kind: import('./kinds').Kind) => boolean} [applies] tells for which kinds there is something to test
 */
function describeTransports(title, define, applies = () => true) {
  const kinds = chosenOf(kindsIn(http.stats?.().mode).filter(applies));
  if (kinds.length === 0) {
    // A file without a test fails.
    it.skip(`${title} over a transport that this client has not`, () => {});
    return;
  }
  describe.each(kinds)(`${title} over $title`, (kind) => define(transportOf(kind)));
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

/** Gives options of a request whose peer sends these bytes in one piece and then closes. */
async function inOneSegment(transport, bytes) {
  const peer = await transport.serveAnswer(bytes, { end: true });
  return { ...peer.address, agent: await transport.agentTo(peer) };
}

/** Gives options of a request whose peer sends these bytes one by one and then closes. */
function inSingleBytes(bytes) {
  // A stream that is no socket cannot be kept alive: it has no setKeepAlive(), no ref() and no unref().
  const agent = newAgent({ keepAlive: false });
  agent.createConnection = () => new ByteByByte(bytes);
  return { agent };
}

/**
 * Describes the same tests once for each way in which an answer can come in.
 * @param {string} title
 * @param {(receive: (bytes: string, options?: object) => Promise<Received>, isWhole: boolean) => void} define
 */
function describeDeliveries(title, define) {
  describeTransports(`${title} in one segment`, (transport) => {
    define(async (bytes, options) => receive({ ...await inOneSegment(transport, bytes), ...options }), true);
  });
  describe(`${title} byte by byte`, () => {
    define((bytes, options) => receive({ ...inSingleBytes(bytes), ...options }), false);
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
 * @param {object} options
 * @returns {Promise<Received>}
 */
async function receive(options) {
  const { agent } = options;
  const received = { body: '' };
  await new Promise((resolve) => {
    let open = 1;
    const onClose = () => --open === 0 && resolve();
    const req = http.request(options);
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
