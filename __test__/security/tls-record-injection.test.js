'use strict';

/**
 * Records that a peer must not send, or need not, in the middle of a connection: garbage, damaged and plain records,
 * alerts, records too long or empty, messages of the handshake. What a user sees is what node:https shows.
 */

const nodeHttp = require('node:http');
const nodeHttps = require('node:https');
const { cleanUp, describeNative, http, untilIdle } = require('../support');
const { certificates, exchangeTls, newTlsAgent } = require('../support/tls');
const { expectAsNode, observe, observeOnce } = require('../support/tls-observer');
const { ALERTS, pause, plainRecord, serveRecords, TYPES } = require('../support/tls-records');
const { WARM_UP, warmUp } = require('../support/transports/lending');

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';

/** Types of messages of the handshake. */
const MESSAGES = {
  helloRequest: 0, clientHello: 1, ticket: 4, certificateRequest: 13, finished: 20, keyUpdate: 24, none: 99,
};

/** Makes the body of a NewSessionTicket (RFC 8446, section 4.6.1). */
function ticket(nonce) {
  const label = Buffer.from('a ticket that opens nothing');
  return Buffer.concat([
    Buffer.from([0, 0, 0x0e, 0x10, 1, 2, 3, 4, 1, nonce, 0, label.length]), label, Buffer.from([0, 0]),
  ]);
}

/** Changes the last byte of a record, which is of its tag. */
function damage(record) {
  const copy = Buffer.from(record);
  copy[copy.length - 1] ^= 1;
  return copy;
}

/** Makes a list of what a function gives for 0, 1, 2, ... */
const times = (count, give) => Array.from({ length: count }, (_each, index) => give(index));

const BOTH = ['TLSv1.2', 'TLSv1.3'];

/**
 * Injections are what a peer sends in the middle of a body: a name, the bytes, versions of TLS, and whether the
 * response is whole all the same (undefined: releases of OpenSSL differ).
 */
const INJECTIONS = [
  ['an empty record', ({ data }) => [data('')], BOTH, true],
  ['ten empty records', ({ data }) => times(10, () => data('')), BOTH, true],
  ['a hundred empty records', ({ data }) => times(100, () => data('')), BOTH, false],
  ['a damaged record', ({ data }) => [damage(data('xxxxx'))], BOTH, false],
  ['a plain record', () => [plainRecord(TYPES.application, Buffer.from('xxxxx'))], BOTH, false],
  ['a plain alert', () => [plainRecord(TYPES.alert, Buffer.from(ALERTS.closeNotify))], BOTH, false],
  ['a record of a version that does not exist', ({ data }) => {
    const record = data('xxxxx');
    record[1] = 9;
    return [record];
  }, BOTH, false],
  ['a record of a type that does not exist', ({ keys }) => [keys.seal(99, Buffer.from('xxxxx'))], BOTH, false],
  ['garbage', () => [Buffer.from('\x00\xff garbage, and no record at all')], BOTH, false],
  ['a plain response', () => [Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')], BOTH, false],
  ['a record that says it is too long', () => [Buffer.from([TYPES.application, 3, 3, 0xff, 0xff, 0, 0])], BOTH, false],
  ['a record of too many bytes', ({ data }) => [data('x'.repeat(2 ** 14 + 1))], BOTH, false],
  ['an old record', ({ data, keys }) => {
    const record = data('');
    keys.sequence--;
    keys.seal(TYPES.application, Buffer.alloc(0));
    return [record, record];
  }, BOTH, false],
  ...Object.keys(ALERTS).map((name) => [`the alert ${name}`, ({ alert }) => [alert(name)], BOTH,
    name === 'userCancelled']),
  ['ten warnings', ({ alert }) => times(10, () => alert('userCancelled')), BOTH, false],
  ['an alert of one byte', ({ keys }) => [keys.seal(TYPES.alert, Buffer.from([1]))], BOTH, false],
  ['a change of ciphers', ({ keys }) => [keys.seal(TYPES.cipherChange, Buffer.from([1]))], BOTH, false],
  ['a plain change of ciphers', () => [plainRecord(TYPES.cipherChange, Buffer.from([1]))], ['TLSv1.2'], false],
  // Newer releases of OpenSSL pass over it.
  ['a plain change of ciphers', () => [plainRecord(TYPES.cipherChange, Buffer.from([1]))], ['TLSv1.3'], undefined],
  ['a ticket', ({ handshake }) => [handshake(MESSAGES.ticket, ticket(9))], ['TLSv1.3'], true],
  ['twenty tickets', ({ handshake }) => times(20, (index) => handshake(MESSAGES.ticket, ticket(index))), ['TLSv1.3'],
    true],
  ['a ticket in two records', ({ keys }) => {
    const body = ticket(9);
    const message = Buffer.concat([Buffer.from([MESSAGES.ticket, 0, 0, body.length]), body]);
    return [message.subarray(0, 10), message.subarray(10)].map((part) => keys.seal(TYPES.handshake, part));
  }, ['TLSv1.3'], true],
  ['a ticket that is cut', ({ handshake }) => [handshake(MESSAGES.ticket, ticket(9).subarray(0, 20))], BOTH, false],
  ['new keys', ({ handshake, keys }) => {
    const message = handshake(MESSAGES.keyUpdate, Buffer.from([0]));
    keys.update();
    return [message];
  }, ['TLSv1.3'], true],
  ['new keys, and asks for others', ({ handshake, keys }) => {
    const message = handshake(MESSAGES.keyUpdate, Buffer.from([1]));
    keys.update();
    return [message];
  }, ['TLSv1.3'], true],
  ['new keys many times', ({ handshake, keys }) => times(20, () => {
    const message = handshake(MESSAGES.keyUpdate, Buffer.from([1]));
    keys.update();
    return message;
  }), ['TLSv1.3'], true],
  ['new keys it does not use', ({ handshake }) => [handshake(MESSAGES.keyUpdate, Buffer.from([0]))], ['TLSv1.3'],
    false],
  ['new keys of no known kind', ({ handshake }) => [handshake(MESSAGES.keyUpdate, Buffer.from([2]))], ['TLSv1.3'],
    false],
  ['new keys in TLS 1.2', ({ handshake }) => [handshake(MESSAGES.keyUpdate, Buffer.from([0]))], ['TLSv1.2'], false],
  ['a request for a certificate nobody has offered', ({ handshake }) => [
    handshake(MESSAGES.certificateRequest, Buffer.from([0, 0, 0]))], BOTH, false],
  ['a request to shake hands again', ({ handshake }) => [handshake(MESSAGES.helloRequest)], ['TLSv1.2'], true],
  ['a request to shake hands again, in TLS 1.3', ({ handshake }) => [handshake(MESSAGES.helloRequest)], ['TLSv1.3'],
    false],
  ['the greeting of a client', ({ handshake }) => [handshake(MESSAGES.clientHello, Buffer.alloc(40))], BOTH, false],
  ['a second end of the handshake', ({ handshake }) => [handshake(MESSAGES.finished, Buffer.alloc(32))], BOTH, false],
  ['a message of no known kind', ({ handshake }) => [handshake(MESSAGES.none, Buffer.alloc(4))], BOTH, false],
];

/** Gives the makers of records of a connection, bound to it. */
function makersOf(connection) {
  const { keys } = connection;
  return {
    keys,
    alert: (name) => connection.alert(name),
    data: (text) => connection.data(text),
    handshake: (...message) => connection.handshake(...message),
  };
}

/** Compares a request to a server that the test plays. @returns {Promise<object>} what ours showed */
async function compare(play, maxVersion, keepAlive, options) {
  const peer = await serveRecords(play, { maxVersion });
  cleanUp(peer.close);
  const address = { ...peer.address, ca: certificates.ca, ...options };
  return expectAsNode((client) => observeOnce(client, address, { keepAlive }));
}

/**
 * Compares a request on a connection that has served others. Ours is lent to the JavaScript thread then.
 * @returns {Promise<object>} what ours showed
 */
async function compareLent(play, maxVersion) {
  const peer = await serveRecords(async (connection) => {
    let head = await connection.request();
    for (; head.includes(WARM_UP); head = await connection.request()) {
      await connection.send(connection.data('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    }
    connection.heads.unshift(head);
    await play(connection);
  }, { maxVersion });
  cleanUp(peer.close);
  return expectAsNode(async (client) => {
    const agent = new client.Agent({ keepAlive: true, ca: certificates.ca });
    const isNode = client === nodeHttps;
    await warmUp(isNode ? nodeHttp : http, agent, { ...peer.address, protocol: 'https:' });
    const before = http.stats().direct;
    const seen = await observe(client, { ...peer.address, agent, after: () => agent.destroy() });
    if (!isNode) expect(http.stats().direct).toBe(before + 1);
    return seen;
  });
}

/** Tells whether a user gets a whole response, and no error. */
function isWhole({ complete, error, bodyError, body }) {
  return complete === true && !error && !bodyError && body.length === 10;
}

const perVersion = INJECTIONS.flatMap(([what, give, versions, whole]) => versions.map((version) => (
  [version, what, give, whole])));

/** Makes a peer that answers with a body of ten bytes, and sends records of `give` in the middle of it. */
function injectInBody(give) {
  return async (connection) => {
    await connection.request();
    await connection.send(connection.data(`${HEAD}abcde`));
    await pause();
    const injected = give(makersOf(connection));
    await connection.send(...injected, connection.data('fghij'), connection.alert('closeNotify'));
    connection.socket.end();
  };
}

describe('a peer sends', () => {
  it.each(perVersion)('in a body of %s, %s', async (version, _what, give, whole) => {
    const seen = await compare(injectInBody(give), version, false);
    if (whole !== undefined) expect(isWhole(seen)).toBe(whole);
  });

  it.each(perVersion)('before a response of %s, to an agent that keeps connections, %s', async (...row) => {
    const [version, , give] = row;
    await compare(async (connection) => {
      await connection.request();
      const injected = give(makersOf(connection));
      await connection.send(...injected, connection.data(`${HEAD}abcdefghij`), connection.alert('closeNotify'));
      connection.socket.end();
    }, version, true);
  });
});

describeNative('a peer sends on a connection that is lent to the JavaScript thread,', () => {
  it.each(perVersion)('in a body of %s, %s', async (version, _what, give, whole) => {
    const seen = await compareLent(injectInBody(give), version);
    if (whole !== undefined) expect(isWhole(seen)).toBe(whole);
  });

  it.each(BOTH)('in %s, its response byte by byte', async (version) => {
    const seen = await compareLent(async (connection) => {
      await connection.request();
      const records = ['HTTP/1.1 200 OK\r\nConte', 'nt-Length: 10\r\n\r\nab', 'cdefg', 'hij'].map((text) => (
        connection.data(text)));
      for (const byte of Buffer.concat([...records, connection.alert('closeNotify')])) {
        await connection.send(Buffer.from([byte]));
        await new Promise((resolve) => { setImmediate(resolve); });
      }
      connection.socket.end();
    }, version);
    expect(isWhole(seen)).toBe(true);
  });

  it.each([
    ['more than the body, in the same record', ({ data }) => [data(`${HEAD}abcdefghijklm`)]],
    ['a response and another one, in the same segment', ({ data }) => times(2, () => data(`${HEAD}abcdefghij`))],
    ['a ticket and a response, in the same segment', ({ data, handshake }) => [
      handshake(MESSAGES.ticket, ticket(9)), data(`${HEAD}abcdefghij`)]],
    ['a body of many records, in the same segment', ({ data }) => [
      data(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 18}\r\n\r\n`), ...times(16, () => data('x'.repeat(2 ** 14)))]],
  ])('%s', async (_what, give) => {
    await compareLent(async (connection) => {
      await connection.request();
      await connection.send(...give(makersOf(connection)), connection.alert('closeNotify'));
      connection.socket.end();
    }, 'TLSv1.3');
  });
});

describeNative('a connection that is lent goes on with the next request behind', () => {
  const harmless = perVersion.filter(([version, what, , whole]) => (
    // A request to shake hands again holds the next request back until the peer has answered.
    whole === true && !(version === 'TLSv1.2' && what.includes('shake hands'))));

  it.each(harmless)('in %s, %s', async (version, _what, give) => {
    const peer = await serveRecords(async (connection) => {
      for (;;) {
        const head = await connection.request();
        if (head.includes(WARM_UP)) {
          await connection.send(connection.data('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
        } else {
          // In the response, and behind it in the same segment.
          const makers = makersOf(connection);
          const body = head.split(' ')[1];
          await connection.send(connection.data(`${HEAD}${body.slice(0, 5)}`), ...give(makers),
            connection.data(body.slice(5)), ...give(makers));
        }
      }
    }, { maxVersion: version });
    cleanUp(peer.close);
    const agent = newTlsAgent({ keepAlive: true });
    await warmUp(http, agent, { ...peer.address, protocol: 'https:' });
    const [[socket]] = Object.values(agent.freeSockets);
    const before = http.stats().direct;
    for (let i = 0; i < 6; i++) {
      const path = `/request-${i}`;
      const { req, body } = await exchangeTls({ ...peer.address, agent, path });
      expect(String(body)).toBe(path);
      expect(req.socket).toBe(socket);
      await untilIdle(agent);
    }
    expect(http.stats().direct).toBeGreaterThan(before);
  });
});

describe.each(BOTH.map((version) => [version]))('a peer of %s sends', (version) => {
  it.each([
    ['a record with bytes', ({ data }) => data('more')],
    ['a record of a response', ({ data }) => data(`${HEAD}abcdefghij`)],
    ['garbage', () => Buffer.from('garbage, and no record at all')],
    ['another alert', ({ alert }) => alert('internalError')],
  ])('%s behind close_notify', async (_what, give) => {
    const seen = await compare(async (connection) => {
      await connection.request();
      const makers = makersOf(connection);
      await connection.send(makers.data(`${HEAD}abcdefghij`), makers.alert('closeNotify'), give(makers));
      connection.socket.end();
    }, version, false);
    expect(isWhole(seen)).toBe(true);
  });

  it.each([
    ['whole', (bytes) => [bytes]],
    ['byte by byte', (bytes) => Array.from(bytes, (byte) => Buffer.from([byte]))],
    ['in pieces of seven', (bytes) => times(Math.ceil(bytes.length / 7), (i) => bytes.subarray(i * 7, i * 7 + 7))],
  ])('its response in records that come %s', async (_what, cut) => {
    const seen = await compare(async (connection) => {
      await connection.request();
      const records = ['HTTP/1.1 200 OK\r\nConte', 'nt-Length: 10\r\n\r\nab', 'cdefg', 'hij'].map((text) => (
        connection.data(text)));
      for (const piece of cut(Buffer.concat([...records, connection.alert('closeNotify')]))) {
        await connection.send(piece);
        await new Promise((resolve) => { setImmediate(resolve); });
      }
      connection.socket.end();
    }, version, false);
    expect(isWhole(seen)).toBe(true);
  });

  it('its handshake byte by byte', async () => {
    const seen = await compare(async (connection) => {
      let sent = Promise.resolve();
      connection.onRecord = (record) => {
        for (const byte of Buffer.from(record)) {
          sent = sent.then(() => connection.send(Buffer.from([byte])));
        }
        return true;
      };
      await connection.request();
      await sent;
      await connection.send(connection.data(`${HEAD}abcdefghij`), connection.alert('closeNotify'));
      connection.socket.end();
    }, version, false);
    expect(isWhole(seen)).toBe(true);
  });

  it('records as long as they may be', async () => {
    const seen = await compare(async (connection) => {
      await connection.request();
      await connection.send(connection.data(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 16}\r\n\r\n`));
      for (let i = 0; i < 4; i++) await connection.send(connection.data('x'.repeat(2 ** 14)));
      await connection.send(connection.alert('closeNotify'));
      connection.socket.end();
    }, version, false);
    expect([seen.complete, seen.body.length]).toEqual([true, 2 ** 16]);
  });

  it('more than the body, in the same record', async () => {
    await compare(async (connection) => {
      await connection.request();
      await connection.send(connection.data(`${HEAD}abcdefghijklm`), connection.alert('closeNotify'));
      connection.socket.end();
    }, version, false);
  });
});

