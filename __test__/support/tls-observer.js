'use strict';

/** Writes down all that a user sees of a request over TLS, and compares node:https with the module under test. */

const nodeHttps = require('node:https');
const { isDeepStrictEqual, types: { isNativeError } } = require('node:util');
const { record } = require('./recorder');
const { onRequestHead } = require('./servers');
const { https, serveRawTls } = require('./tls');
const { pacing } = require('./tls-records');
const { until } = require('./wait');

/** Runs of node:https that may show one outcome, where chance decides among several. */
const RUNS = 20;

/** Events of a socket that tell of its bytes: none are emitted where the I/O thread decodes. */
const BYTES = /^socket (data|readable|drain)$/;

/** Takes out of a text what differs from run to run: addresses of memory and OpenSSL's file and line. */
const withoutChance = (text) => text.replace(/[0-9A-F]{8,}:error/g, 'error').replace(/:[^:\s]*\.(c|cc|h):\d+:/g, ':');

/** Describes the value of one property of an error. */
function describeValue(name, value) {
  if (name === 'cert') return value.fingerprint256 ?? Object.keys(value);
  if (Array.isArray(value)) return value.map((each) => describeValue('', each));
  if (isNativeError(value)) return describeError(value);
  return typeof value === 'string' ? withoutChance(value) : value;
}

/**
 * Describes an error: its class, message, and each property of its own.
 * @param {Error} [error]
 * @returns {object | undefined}
 */
function describeError(error) {
  // Node's own errors are of another realm than Jest's, and no instance of Error here.
  if (!isNativeError(error)) return error;
  const description = { class: error.constructor.name, message: withoutChance(error.message) };
  // Node's AggregateError of failed attempts to connect has none: docs/compat.md.
  if (description.message.startsWith('No connection to ')) description.message = '';
  for (const name of Object.keys(error)) description[name] = describeValue(name, error[name]);
  return description;
}

/**
 * Describes the TLS of a connection.
 * @param {import('node:tls').TLSSocket} socket
 * @returns {object}
 */
function describeTls(socket) {
  return {
    class: socket.constructor.name,
    encrypted: socket.encrypted,
    authorized: socket.authorized,
    authorizationError: describeError(socket.authorizationError),
    alpnProtocol: socket.alpnProtocol,
    servername: socket.servername,
    protocol: socket.getProtocol(),
    cipher: socket.getCipher(),
    reused: socket.isSessionReused(),
    fingerprint: socket.getPeerCertificate().fingerprint256,
  };
}

/**
 * Makes a request and reads its response, and writes down all that a user sees.
 * @param {typeof nodeHttps} client
 * @param {object} options Options of the request; `body`: its content; `visit`: called with the request at once;
 *   `after`: called when the request has closed, before the end of its socket is waited for; `isKept`: its end is not.
 * @returns {Promise<object>} An observation, which can be compared.
 */
async function observe(client, { body, visit, after, isKept = false, ...options }) {
  const seen = {};
  let req;
  try {
    req = client.request(options);
  } catch (error) {
    return { thrown: describeError(error) };
  }
  const recorder = record(req, { socket: true });
  let socketClosed;
  req.on('socket', (socket) => {
    socketClosed = new Promise((resolve) => { socket.once('close', resolve); });
    socket.once('secureConnect', () => { seen.secured = describeTls(socket); });
  });
  req.on('error', (error) => { seen.error = describeError(error); });
  req.on('response', (res) => {
    seen.status = res.statusCode;
    seen.tls = describeTls(res.socket);
    const chunks = [];
    res.on('data', (chunk) => chunks.push(chunk));
    res.on('error', (error) => { seen.bodyError = describeError(error); });
    res.on('close', () => {
      seen.complete = res.complete;
      seen.body = Buffer.concat(chunks).toString('latin1');
    });
  });
  const closed = new Promise((resolve) => { req.once('close', resolve); });
  visit?.(req, recorder);
  req.end(body);
  await closed;
  await after?.();
  if (!isKept) await socketClosed;
  // Behind a whole response both sides end the connection, and which is first is chance.
  const isWhole = seen.complete && !seen.error;
  seen.socketEvents = recorder.of('socket')
    .filter((entry) => !BYTES.test(entry) && !(isWhole && entry === 'socket end'));
  // Node tells 'finish' of a request of which no byte was sent; ours does not: faults/finish-of-a-failed-upload.
  const isQuiet = (entry) => seen.error && !seen.tls && entry === 'req finish';
  seen.events = recorder.events.filter((entry) => !entry.startsWith('socket ') && !isQuiet(entry))
    // How many pieces a body comes in is chance.
    .filter((entry, index, all) => entry !== 'res data' || all[index - 1] !== entry);
  return seen;
}

/**
 * Observes one request of an agent of its own, which is destroyed then.
 * @param {typeof nodeHttps} client
 * @param {object} options Options of the request.
 * @param {import('node:https').AgentOptions} [agentOptions]
 * @returns {Promise<object>}
 */
async function observeOnce(client, options, agentOptions) {
  const agent = new client.Agent(agentOptions);
  // A connection that is kept has its end here.
  const after = () => agent.keepAlive && agent.destroy();
  try {
    return await observe(client, { agent, after, ...options });
  } finally {
    agent.destroy();
  }
}

const isAmong = (seen, others) => others.some((each) => isDeepStrictEqual(seen, each));

/**
 * Compares an observation by the module under test with one by node:https. Where they differ, node:https is asked
 * several times more, with pauses of the peer and without: the peer may have a race in it that chance decides.
 * @template T
 * @param {(client: typeof nodeHttps) => Promise<T>} run
 * @returns {Promise<T>} The observation by the module under test.
 */
async function expectAsNode(run) {
  let ours;
  const theirs = [];
  for (let i = 0; i < RUNS; i++) {
    // Chance decides for ours too.
    if (i % 3 === 0) ours = await run(https);
    pacing.apart = i % 2 === 0;
    theirs.push(await run(nodeHttps));
    pacing.apart = true;
    if (isAmong(ours, theirs)) return ours;
  }
  const strings = new Set(theirs.map((each) => JSON.stringify(each)));
  if (strings.size > 1) {
    throw new Error(`node:https shows ${strings.size} outcomes, and none is\n${JSON.stringify(ours, null, 2)}\n` +
      `but\n${JSON.stringify([...strings].map((each) => JSON.parse(each)), null, 2)}`);
  }
  expect(ours).toEqual(theirs[0]);
  // What toEqual takes for equal: undefined and absent properties.
  expect(ours).toStrictEqual(theirs[0]);
  return ours;
}

/**
 * Leaves out of an observation what a reset leaves to chance: which call of the kernel tells of it, one that connects,
 * reads or writes. Another one then sees the end of the stream.
 * @param {object} seen
 * @returns {object}
 */
function withoutChanceOfReset(seen) {
  if (seen.error?.code !== 'ECONNRESET' && seen.bodyError?.code !== 'ECONNRESET') return seen;
  const codeOf = (error) => error && { code: error.code };
  return {
    ...seen,
    error: codeOf(seen.error ?? seen.bodyError),
    bodyError: codeOf(seen.bodyError),
    events: seen.events.filter((entry) => !/^(req|res) error/.test(entry)),
    socketEvents: seen.socketEvents.filter((entry) => !/^socket (connect|ready|end|error.*)$/.test(entry)),
  };
}

/**
 * Starts a TLS server that answers each request with its path and closes, and keeps the bytes that it decrypts.
 * @param {import('node:tls').TlsOptions & { keepsOpen?: boolean, contentOf?: Function }} [options] contentOf: gives the
 *   content of a response for the path and the socket
 * @returns {Promise<import('./tls').TlsPeer & { take: () => Promise<string> }>} take: waits for the end of all
 *   connections and gives, and forgets, what they brought
 */
async function serveWitness({ keepsOpen = false, contentOf = (path) => path, ...options } = {}) {
  let received = '';
  const peer = await serveRawTls((socket) => {
    socket.on('data', (chunk) => { received += chunk.toString('latin1'); });
    socket.on('end', () => socket.end());
    onRequestHead(socket, (head) => {
      const content = contentOf(head.split(' ')[1], socket);
      const fields = `Content-Length: ${content.length}\r\n${keepsOpen ? '' : 'Connection: close\r\n'}`;
      socket.write(`HTTP/1.1 200 OK\r\n${fields}\r\n${content}`);
      if (!keepsOpen) socket.end();
    });
  }, { allowHalfOpen: false, ...options });
  peer.server.on('tlsClientError', (_error, socket) => socket.destroy());
  const take = async () => {
    await until(() => peer.sockets.size === 0, 'the end of all connections');
    const text = received;
    received = '';
    return text;
  };
  return Object.assign(peer, { take });
}

/**
 * Listens for sessions, which a TLSSocket tells only to listeners. An agent listens, unless the user checks names: then
 * releases of Node differ.
 * @param {import('node:http').ClientRequest} req
 */
function hearSessions(req) {
  req.on('socket', (socket) => socket.on('session', () => {}));
}

module.exports = {
  describeError, describeTls, expectAsNode, hearSessions, observe, observeOnce, serveWitness,
  withoutChanceOfReset,
};
