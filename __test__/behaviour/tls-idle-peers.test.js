'use strict';

/** Peers that speak on a connection that waits in a pool: the next request goes as one of node:https does. */

const nodeHttp = require('node:http');
const nodeHttps = require('node:https');
const { cleanUp, http, isNative, peerHasReadAll, poolOf, turnOfEventLoop, until } = require('../support');
const { certificates } = require('../support/tls');
const { expectAsNode, observe } = require('../support/tls-observer');
const { plainRecord, reset, serveRecords, TYPES } = require('../support/tls-records');
const { warmUp } = require('../support/transports/lending');

const { ca } = certificates;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab';

/** Ways in which a peer ends an idle connection: name, what it does. */
const ENDINGS = [
  ['FIN', (connection) => connection.socket.end()],
  ['close_notify and FIN', (connection) => connection.socket.end(connection.alert('closeNotify'))],
  ['close_notify', (connection) => connection.send(connection.alert('closeNotify'))],
  ['RST', (connection) => reset(connection.socket)],
  ['a fatal alert', (connection) => connection.send(connection.alert('internalError'))],
  ['garbage', (connection) => connection.send(Buffer.from('garbage, and no record at all'))],
  ['a plain alert', (connection) => connection.send(plainRecord(TYPES.alert, Buffer.from([1, 0])))],
  ['a damaged record', (connection) => {
    const record = connection.data('xx');
    record[record.length - 1] ^= 1;
    return connection.send(record);
  }],
];

/** Messages that a peer may send on an idle connection: name, bytes, version of TLS. */
const HARMLESS = [
  ['nothing', () => Buffer.alloc(0), 'TLSv1.2'],
  ['nothing', () => Buffer.alloc(0), 'TLSv1.3'],
  ['an empty record', (connection) => connection.data(''), 'TLSv1.2'],
  ['an empty record', (connection) => connection.data(''), 'TLSv1.3'],
  ['a warning', (connection) => connection.alert('userCancelled'), 'TLSv1.2'],
  ['a warning', (connection) => connection.alert('userCancelled'), 'TLSv1.3'],
  ['new keys', (connection) => {
    const message = connection.handshake(24, Buffer.from([0]));
    connection.keys.update();
    return message;
  }, 'TLSv1.3'],
  ['new keys, and asks for others', (connection) => {
    const message = connection.handshake(24, Buffer.from([1]));
    connection.keys.update();
    return message;
  }, 'TLSv1.3'],
];

/** Answers each request of a connection, and gives the connections to the test. */
async function serveIdle(maxVersion) {
  const connections = [];
  const peer = await serveRecords(async (connection) => {
    connections.push(connection);
    while (!connection.socket.destroyed) {
      await connection.request();
      await connection.send(connection.data(OK));
    }
  }, { maxVersion });
  cleanUp(peer.close);
  return { ...peer, connections };
}

/**
 * Makes a request, has the peer do something while the connection is idle, and makes another.
 * @param {object} client
 * @param {object} peer
 * @param {Function} disturb
 * @param {{ agentOptions?: object, isLent?: boolean }} [options] isLent: ours has lent the connection by then
 */
async function twoRequests(client, peer, disturb, { agentOptions, isLent } = {}) {
  const agent = new client.Agent({ keepAlive: true, ca, ...agentOptions });
  if (isLent) await warmUp(client === nodeHttps ? nodeHttp : http, agent, { ...peer.address, protocol: 'https:' });
  const sockets = [];
  const ask = () => observe(client, {
    ...peer.address, agent, visit: (req) => req.on('socket', (socket) => sockets.push([socket, req.reusedSocket])),
    after: () => until(() => poolOf(agent).sockets === 0, 'an idle agent'),
    isKept: true,
  });
  const first = await ask();
  await disturb(peer.connections.at(-1), sockets[0][0], agent);
  const second = await ask();
  const result = { first, second, reused: sockets.map(([, reused]) => reused), pool: poolOf(agent) };
  const last = sockets.at(-1)[0];
  agent.destroy();
  await until(() => last.destroyed, 'the end of the last connection');
  return result;
}

/** Kinds of idle connections: words, and whether ours has lent it. */
const IDLE = [['', false], ...isNative ? [[' that is lent', true]] : []];

describe.each(['TLSv1.2', 'TLSv1.3'].flatMap((version) => IDLE.map((row) => [version, ...row])))(
  'an idle connection of %s%s',
  (maxVersion, _words, isLent) => {
    it.each(ENDINGS)('that a peer ends by %s serves no other request', async (how, end) => {
      // Since Node 24 its agent keeps the session of a connection that was reset while idle. Ours shakes hands in full.
      const agentOptions = how === 'RST' ? { maxCachedSessions: 0 } : {};
      const peer = await serveIdle(maxVersion);
      const disturb = async (connection, socket) => {
        const closed = new Promise((resolve) => { socket.once('close', resolve); });
        await end(connection);
        await closed;
      };
      const { second, reused } = await expectAsNode((client) => (
        twoRequests(client, peer, disturb, { agentOptions, isLent })));
      expect([reused, second.status, second.body]).toEqual([[isLent, false], 200, 'ab']);
    });
  },
);

describe.each(IDLE)('an idle connection%s', (_words, isLent) => {
  it.each(HARMLESS)('on which a peer sends %s serves another request (%#)', async (_what, give, maxVersion) => {
    const peer = await serveIdle(maxVersion);
    const { second, reused } = await expectAsNode((client) => twoRequests(client, peer, async (connection) => {
      await connection.send(give(connection));
      // A connection with unread bytes serves no request, whatever they are.
      const hasRead = () => peerHasReadAll(connection.socket);
      await turnOfEventLoop();
      await until(hasRead, 'the client to read');
      await turnOfEventLoop();
    }, { isLent }));
    expect([reused, second.status, second.body]).toEqual([[isLent, true], 200, 'ab']);
  });
});
