'use strict';

/** The https module under test, and TLS peers. */

const nodeHttps = require('node:https');
const tls = require('node:tls');
const certificates = require('./certificates');
const { cleanUp } = require('./cleanup');
const { isOracle } = require('./conditions');

const https = isOracle ? nodeHttps : require('../../https');

/**
 * Starts Node's own HTTPS server, as localhost.
 * @param {import('node:http').RequestListener} [handler]
 * @param {import('node:https').ServerOptions & { listen?: object }} [options] listen: what to listen on instead of
 *   127.0.0.1:0
 * @returns {Promise<TlsPeer & { server: nodeHttps.Server }>}
 */
function serveTls(handler, { listen, ...options } = {}) {
  return listening(nodeHttps.createServer({ ...certificates.local, ...options }, handler), listen);
}

/**
 * Starts a TLS server that speaks for itself, as localhost.
 * @param {(socket: tls.TLSSocket, index: number) => void} onConnection index counts connections from 0
 * @param {tls.TlsOptions & { listen?: object }} [options]
 * @returns {Promise<TlsPeer & { server: tls.Server }>}
 */
function serveRawTls(onConnection, { listen, ...options } = {}) {
  let count = 0;
  const server = tls.createServer({ ...certificates.local, allowHalfOpen: true, ...options }, (socket) => {
    onConnection(socket, count++);
  });
  return listening(server, listen);
}

/**
 * @param {import('node:https').AgentOptions} [options]
 * @returns {nodeHttps.Agent} an agent that trusts the authority of the tests, destroyed after the test
 */
function newTlsAgent(options) {
  const agent = new https.Agent({ ca: certificates.ca, ...options });
  cleanUp(() => agent.destroy());
  return agent;
}

/**
 * @param {import('node:https').AgentOptions} [options]
 * @returns {nodeHttps.Agent} an agent as `newTlsAgent` gives, of which Node keeps the connections: they are streams
 */
function newNodeTlsAgent(options) {
  return newTlsAgent({ secureContext: tls.createSecureContext({ ca: certificates.ca }), ...options });
}

/**
 * Answers any name with the address that the servers of the tests listen on. It does so in another turn, as the system:
 * a connection whose look-up calls back at once stays with Node.
 * @param {string} _host
 * @param {{ all?: boolean }} options
 * @param {Function} callback
 */
function lookup(_host, { all }, callback) {
  const address = '127.0.0.1';
  setImmediate(() => (all ? callback(null, [{ address, family: 4 }]) : callback(null, address, 4)));
}

/**
 * Makes a request, by an agent of its own unless one is given, and reads the response to its end.
 * @param {object} options of the request; `body`: what to end it with
 * @returns {Promise<{ req: import('node:http').ClientRequest, res: import('node:http').IncomingMessage, body: Buffer,
 *   socket: tls.TLSSocket }>}
 */
function exchangeTls({ body, ...options }) {
  return new Promise((resolve, reject) => {
    const req = https.request({ agent: newTlsAgent(), ...options });
    req.once('error', reject);
    req.once('response', async (res) => {
      const { socket } = req;
      try {
        resolve({ req, res, socket, body: Buffer.concat(await res.toArray()) });
      } catch (error) {
        reject(error);
      }
    });
    req.end(body);
  });
}

/**
 * @typedef {object} TlsPeer
 * @property {number} port
 * @property {{ host: string, port: number } | { socketPath: string }} address options of a request to it
 * @property {tls.TLSSocket[]} accepted all TLS connections there were, in order
 * @property {Set<import('node:net').Socket>} sockets the TCP connections that are open now
 * @property {() => Promise<void>} close
 */

async function listening(server, listen = { port: 0, host: '127.0.0.1' }) {
  const sockets = new Set();
  const accepted = [];
  server.on('connection', (socket) => {
    // Else a segment behind another waits until the client has acknowledged that, which takes 40 ms.
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket) => {
    accepted.push(socket);
    // A client may reset its connection in many of these tests; that is its right.
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  const close = () => new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of [...accepted, ...sockets]) socket.destroy();
  });
  cleanUp(close);
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen, resolve);
  });
  const bound = server.address();
  const address = typeof bound === 'string' ? { socketPath: bound } : { host: bound.address, port: bound.port };
  return { server, port: bound.port, address, sockets, accepted, close };
}

// Sockets that wait in the global agent would hold on to the servers of the next test.
afterEach(() => https.globalAgent.destroy());

module.exports = { certificates, exchangeTls, https, lookup, newNodeTlsAgent, newTlsAgent, serveRawTls, serveTls };
