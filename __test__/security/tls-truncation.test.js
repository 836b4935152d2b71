'use strict';

/**
 * A connection that is cut is told from one that its peer has ended (CWE-345): no body that lacks its end passes for a
 * whole one. What a user sees is what node:https shows.
 */

const { cleanUp, isOracle } = require('../support');
const { certificates, https } = require('../support/tls');
const { expectAsNode, observeOnce } = require('../support/tls-observer');
const { pause, plainRecord, reset, serveRecords, TYPES } = require('../support/tls-records');

const OK = 'HTTP/1.1 200 OK\r\n';

/** How far a response gets: the bytes of it, and whether a user may take it for whole. */
const STAGES = [
  ['before the response', '', false],
  ['in the head', OK, false],
  ['behind the head', `${OK}Content-Length: 5\r\n\r\n`, false],
  ['in a body of known length', `${OK}Content-Length: 5\r\n\r\nab`, false],
  ['behind a body of known length', `${OK}Content-Length: 5\r\n\r\nabcde`, true],
  ['in a chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nab`, false],
  ['between chunks', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n`, false],
  ['in the trailers', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n`, false],
  ['in a body that the end delimits', `${OK}\r\nabcde`, undefined],
];

const ENDINGS = [
  ['by close_notify and FIN', (connection) => connection.socket.end(connection.alert('closeNotify'))],
  ['by FIN alone', (connection) => connection.socket.end()],
  ['by half a record and FIN', (connection) => connection.socket.end(connection.data('fghij').subarray(0, 12))],
  ['by a fatal alert', (connection) => connection.socket.end(connection.alert('internalError'))],
];

/** Tells whether Node takes a body for whole that an error has cut, and ours does not: faults/silent-truncation. */
const isMended = (how, where) => how === 'by a fatal alert' && where === 'in a body that the end delimits';

/** Reset while bytes are unread: what of them is read is chance, and only that a cut body is none is not. */
const RESET = ['by RST', (connection) => reset(connection.socket)];

/** The server sends FIN before RST, and which of them ends the body is chance: faults/silent-truncation has a test. */
const isChance = (how, where) => how === 'by RST' && where === 'in a body that the end delimits';

describe.each([['TLSv1.2'], ['TLSv1.3']])('a connection of %s that is ended', (maxVersion) => {
  /** Asks a server that sends a part of a response and then ends the connection. */
  async function ask({ text, end, keepAlive, compares }) {
    const peer = await serveRecords(async (connection) => {
      await connection.request();
      if (text !== '') await connection.send(connection.data(text));
      await pause();
      end(connection);
    }, { maxVersion });
    cleanUp(peer.close);
    const run = (client) => observeOnce(client, { ...peer.address, ca: certificates.ca }, { keepAlive });
    return compares ? expectAsNode(run) : run(https);
  }

  describe.each([...ENDINGS, RESET])('%s', (how, end) => {
    it.each(STAGES.filter(([where]) => !isChance(how, where)))('%s', async (where, text, known) => {
      const mended = isMended(how, where);
      const isWhole = mended ? false : known;
      for (const keepAlive of [false, true]) {
        const { complete, error, bodyError, status } = await ask({ text, end, keepAlive, compares: !mended });
        if (isWhole === undefined || (mended && isOracle)) continue;
        expect([how, Boolean(complete && !error && !bodyError)]).toEqual([how, isWhole]);
        if (isWhole) expect(status).toBe(200);
      }
    });
  });
});

/** Ends of a peer behind a whole response: a name, and bytes that come with the response, or a reset. */
const BEHIND = [
  ['a reset', undefined], ['garbage', () => Buffer.from('garbage, and no record')],
  ['a fatal alert', (connection) => connection.alert('internalError')],
  ['a record that it has not sealed', () => plainRecord(TYPES.application, Buffer.from('abcde'))],
];

describe.each([['TLSv1.2'], ['TLSv1.3']])('behind a whole response of %s', (maxVersion) => {
  it.each(BEHIND)('%s is no error of the request', async (_what, give) => {
    const peer = await serveRecords(async (connection) => {
      await connection.request();
      const response = connection.data(`${OK}Content-Length: 5\r\n\r\nabcde`);
      await connection.send(response, ...give ? [give(connection)] : []);
      if (give) connection.socket.end();
      else reset(connection.socket);
    }, { maxVersion });
    cleanUp(peer.close);
    for (let i = 0; i < 20; i++) {
      for (const keepAlive of [false, true]) {
        const address = { ...peer.address, ca: certificates.ca };
        const { complete, error, bodyError } = await observeOnce(https, address, { keepAlive });
        expect({ complete, error, bodyError }).toEqual({ complete: true });
      }
    }
  });
});
