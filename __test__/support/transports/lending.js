'use strict';

/**
 * The I/O thread lends idle connections to the JavaScript thread while few requests are in progress at a time
 * (ARCHITECTURE.md, "Light load"). Warm-up requests bring a connection there; the peer under test does not see them.
 * Needs nothing of Jest: child processes use it too.
 */

const tls = require('node:tls');

/** Path of the warm-up requests. */
const WARM_UP = '/warm-up';
const HEAD = Buffer.from(`GET ${WARM_UP} HTTP/1.1\r\n`);
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/** Number of warm-up requests after which a connection is lent, however many requests at a time there were before. */
const MOST_WARM_UPS = 300;

/** Servers for which agents are being warmed up, each with what to call when the first other request comes. */
const warming = new WeakMap();

/**
 * Makes requests one at a time until the JavaScript thread has exchanged one itself: the connection is lent then, and
 * stays so while it is idle. A client that lends nothing (Node's own) has a connection that is used again.
 * @param {typeof import('../../..')} http
 * @param {import('node:http').Agent} agent keeps connections alive
 * @param {object} address
 */
async function warmUp(http, agent, address) {
  if (!agent.keepAlive) throw new Error('only a connection that is kept alive can be lent');
  for (let count = 0, inRow = 0; count < MOST_WARM_UPS; count++) {
    const before = http.stats?.().direct;
    await ask(http, { ...address, agent, path: WARM_UP });
    if (http.stats === undefined) return;
    inRow = http.stats().direct > before ? inRow + 1 : 0;
    // What comes behind the first answer, as a ticket of TLS does, may have it returned.
    if (inRow === 2) return;
  }
  throw new Error(`no connection was lent after ${MOST_WARM_UPS} requests`);
}

/** Makes a request and waits until its connection is idle. */
async function ask(http, options) {
  await new Promise((resolve, reject) => {
    http.get(options, (res) => res.resume().once('end', resolve)).once('error', reject);
  });
  while (Object.keys(options.agent.sockets).length > 0) await new Promise((resolve) => { setImmediate(resolve); });
}

/**
 * Has a connection of an agent to a server lent.
 * @param {typeof import('../../..')} http
 * @param {import('node:http').Agent} agent
 * @param {import('node:net').Server} server in this process
 * @param {object} address of the server
 * @param {(begun: boolean) => void} onBegin told when the first bytes of another request come on the connection:
 *   whether the JavaScript thread has sent them
 */
async function lend(http, agent, server, address, onBegin) {
  hideWarmUps(server);
  const warmUps = warming.get(server);
  const before = { direct: Infinity };
  const onFirstByte = () => onBegin(http.stats?.().direct > before.direct);
  warmUps.push(onFirstByte);
  try {
    await warmUp(http, agent, address);
  } finally {
    warmUps.splice(warmUps.indexOf(onFirstByte), 1);
  }
  before.direct = http.stats?.().direct;
}

/** Answers warm-up requests in place of a server, which gets a connection when something else is asked on it. */
function hideWarmUps(server) {
  if (warming.has(server)) return;
  const warmUps = [];
  warming.set(server, warmUps);
  const { emit } = server;
  const event = server instanceof tls.Server ? 'secureConnection' : 'connection';
  server.emit = function emitToServer(name, ...args) {
    if (name !== event || warmUps.length === 0) return Reflect.apply(emit, this, [name, ...args]);
    const [socket] = args;
    const onFirstByte = warmUps.at(-1);
    answerWarmUps(socket, () => {
      onFirstByte();
      Reflect.apply(emit, this, [name, ...args]);
    });
    return true;
  };
}

/**
 * @param {import('node:net').Socket} socket
 * @param {() => void} handOver called with the first bytes that belong to no warm-up request unread in the socket
 */
function answerWarmUps(socket, handOver) {
  let bytes = Buffer.alloc(0);
  const discard = () => socket.destroy();
  // By read(): a 'data' listener would leave the socket flowing, which a new one is not.
  const onReadable = () => {
    for (let chunk; (chunk = socket.read()) !== null;) bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= HEAD.length) {
      if (!bytes.subarray(0, HEAD.length).equals(HEAD)) {
        socket.off('readable', onReadable).off('end', discard).off('error', discard);
        socket.unshift(bytes);
        handOver();
        return;
      }
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      bytes = bytes.subarray(end + 4);
      socket.write(ANSWER);
    }
  };
  socket.on('readable', onReadable).on('end', discard).on('error', discard);
}

module.exports = { lend, warmUp, WARM_UP };
