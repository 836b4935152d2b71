'use strict';

/** Peers that break a handshake at each of its stages: a request ends as one of node:https does. */

const { cleanUp, onRequestHead, serveRaw } = require('../support');
const { certificates } = require('../support/tls');
const { expectAsNode, observeOnce: observeExactly, withoutChanceOfReset } = require('../support/tls-observer');
const { ALERTS, plainRecord, reset, serveRecords, TYPES } = require('../support/tls-records');

const { ca } = certificates;

const alert = (name) => plainRecord(TYPES.alert, Buffer.from(ALERTS[name]));

/** Answers to a greeting, none of which is one: name, bytes. */
const ANSWERS = [
  ['nothing', ''],
  ['a response in plain text', 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'],
  ['a page of HTML', '<!doctype html><title>no</title>'],
  ['zeros', Buffer.alloc(100)],
  ['one byte', '\x16'],
  ['half a header of a record', '\x16\x03\x03'],
  ['an empty record', plainRecord(TYPES.handshake, Buffer.alloc(0))],
  ['a record that says it is too long', Buffer.from([TYPES.handshake, 3, 3, 0xff, 0xff, 2, 0])],
  ['a record of data', plainRecord(TYPES.application, Buffer.from('data'))],
  ['a change of ciphers', plainRecord(TYPES.cipherChange, Buffer.from([1]))],
  ['a greeting that is cut', plainRecord(TYPES.handshake, Buffer.from([2, 0, 0, 4, 3, 3, 0, 0]))],
  ['the greeting of a client',
    plainRecord(TYPES.handshake, Buffer.concat([Buffer.from([1, 0, 0, 40]), Buffer.alloc(40)]))],
  ['a request to shake hands again', plainRecord(TYPES.handshake, Buffer.from([0, 0, 0, 0]))],
  ...Object.keys(ALERTS).map((name) => [`the alert ${name}`, alert(name)]),
  ['ten warnings', Buffer.concat(Array(10).fill(alert('userCancelled')))],
];

/** Observes one request, but for what a reset leaves to chance. */
async function observeOnce(...args) {
  return withoutChanceOfReset(await observeExactly(...args));
}

const ENDINGS = [
  ['FIN', (socket) => socket.end()],
  ['RST', (socket) => reset(socket)],
];

describe.each(ENDINGS)('a peer answers and ends by %s', (_how, end) => {
  it.each(ANSWERS)('%s', async (_what, bytes) => {
    const peer = await serveRaw((socket) => {
      socket.on('end', () => socket.end());
      socket.once('data', () => {
        if (bytes.length === 0) end(socket);
        else socket.write(bytes, 'latin1', () => end(socket));
      });
    });
    for (const keepAlive of [false, true]) {
      const seen = await expectAsNode((client) => observeOnce(client, { ...peer.address, ca }, { keepAlive }));
      expect([seen.status, typeof seen.error.code]).toEqual([undefined, 'string']);
    }
  });
});

describe('a peer ends a connection', () => {
  it.each(ENDINGS)('as soon as it stands, by %s', async (_how, end) => {
    const peer = await serveRaw((socket) => {
      socket.resume();
      end(socket);
    });
    const seen = await expectAsNode((client) => observeOnce(client, { ...peer.address, ca }));
    expect(typeof seen.error.code).toBe('string');
  });

  it('whose client asks in plain text', async () => {
    const peer = await serveRaw((socket) => {
      onRequestHead(socket, () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
      socket.on('end', () => socket.end());
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
    const seen = await expectAsNode((client) => observeOnce(client, { ...peer.address, ca }));
    expect([seen.status, typeof seen.error.code]).toEqual([undefined, 'string']);
  });
});

const damage = (record) => {
  const copy = Buffer.from(record);
  copy[copy.length - 1] ^= 1;
  return copy;
};

/** Faults that a peer commits in place of one record of its handshake. */
const FAULTS = [
  ['FIN', (connection) => connection.socket.end()],
  ['half a record and FIN', (connection, record) => connection.socket.end(record.subarray(0, record.length >> 1))],
  ['RST', (connection) => reset(connection.socket)],
  ['a damaged record', (connection, record) => connection.socket.end(damage(record))],
  ['garbage', (connection) => connection.socket.end('garbage, and no record at all')],
  ['a plain fatal alert', (connection) => connection.socket.end(alert('handshakeFailure'))],
  ['a plain close_notify', (connection) => connection.socket.end(alert('closeNotify'))],
  ['the record twice', (connection, record) => connection.socket.end(Buffer.concat([record, record]))],
];

describe.each([['TLSv1.2'], ['TLSv1.3']])('a handshake of %s', (maxVersion) => {
  const records = [0, 1, 2, 3].flatMap((index) => FAULTS.map(([what, fault]) => [what, index, fault]));

  it.each(records)('in which a peer sends %s at record %i', async (_what, at, fault) => {
    const peer = await serveRecords((connection) => {
      connection.onRecord = (record, index) => {
        if (index === at && !connection.socket.destroyed) fault(connection, record);
        // The peer says no more then.
        return index >= at;
      };
    }, { maxVersion });
    cleanUp(peer.close);
    const seen = await expectAsNode((client) => observeOnce(client, { ...peer.address, ca }));
    expect(seen.status).toBe(undefined);
    expect(typeof seen.error.code).toBe('string');
  });

  it('behind which a peer answers although nothing has been asked', async () => {
    const peer = await serveRecords(async (connection) => {
      const before = connection.keys;
      connection.server.once('secureConnection', () => {
        expect(before).toBe(undefined);
        setImmediate(() => connection.send(connection.data('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab')));
      });
    }, { maxVersion });
    cleanUp(peer.close);
    // The request goes out a turn behind the handshake, and the answer may be there before.
    const seen = await expectAsNode(async (client) => {
      const observed = await observeOnce(client, { ...peer.address, ca }, { keepAlive: true });
      return { ...observed, events: observed.events.toSorted() };
    });
    expect([seen.status, seen.body]).toEqual([200, 'ab']);
  });
});
