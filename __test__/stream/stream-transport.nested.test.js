'use strict';

/**
 * Streams that emit 'data' while their 'data' is dispatched, because a listener has written to them. Any Duplex may,
 * and a TLS socket does at an empty write (CVE-2026-123864). What comes meanwhile comes behind what is there.
 */

const { once } = require('node:events');
const net = require('node:net');
const { Duplex } = require('node:stream');
const tls = require('node:tls');
const {
  cleanUp, describeOurs, http, itOurs, newAgent, record, responseTo, turnOfEventLoop, until,
} = require('../support');
const { certificates, https, newNodeTlsAgent } = require('../support/tls');

const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunks = (...texts) => texts.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('');

/** A stream that pushes the next of its pieces within each write, once it is told to begin. */
class Echoing extends Duplex {
  constructor(pieces) {
    super();
    this.pieces = pieces;
    this.hasBegun = false;
  }

  _read() {}

  begin() {
    this.hasBegun = true;
    this.push(this.pieces.shift());
  }

  _write(_chunk, _encoding, callback) {
    if (this.hasBegun && this.pieces.length > 0) this.push(this.pieces.shift());
    callback();
  }
}

/** Makes a POST over a stream, whose response has come when this is done. */
async function exchangeOver(stream) {
  const req = http.request({ method: 'POST', createConnection: () => stream, agent: undefined });
  req.write('first');
  const response = responseTo(req);
  await turnOfEventLoop();
  stream.push(HEAD);
  return { req, res: await response };
}

describeOurs('a Duplex that pushes within write()', () => {
  it.each([
    ['the request', ({ req }) => req.write('more')],
    ['the socket', ({ res }) => res.socket.write('more')],
  ])('gives its bytes in order when a listener of \'data\' writes to %s', async (_what, write) => {
    const stream = new Echoing([chunks('A1.', 'A2.'), chunks('B1.', 'B2.'), `${chunks('C1.')}0\r\n\r\n`]);
    const exchange = await exchangeOver(stream);
    const seen = [];
    exchange.res.on('data', (chunk) => {
      seen.push(String(chunk));
      if (stream.pieces.length > 0) write(exchange);
    });
    exchange.res.on('end', () => seen.push('end')).on('error', ({ code }) => seen.push(code));
    // From now on the response gives its chunks as they come.
    await turnOfEventLoop();
    stream.begin();
    await until(() => exchange.res.closed || seen.includes('end'));
    expect(seen).toEqual(['A1.', 'A2.', 'B1.', 'B2.', 'C1.', 'end']);
    expect(exchange.res.complete).toBe(true);
  });

  it('may do so a thousand times', async () => {
    const texts = Array.from({ length: 1000 }, (_, index) => `${index}.`);
    const stream = new Echoing([...texts.map((text) => chunks(text)), '0\r\n\r\n']);
    const { res } = await exchangeOver(stream);
    let body = '';
    res.on('data', (chunk) => {
      body += chunk;
      res.socket.write('more');
    });
    await turnOfEventLoop();
    stream.begin();
    await until(() => res.complete);
    expect(body).toBe(texts.join(''));
  });

  it('upgrades with all that came within a listener of \'information\' as its head', async () => {
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';
    const stream = new Echoing([`HTTP/1.1 103 Early Hints\r\n\r\n${upgrade}one `, 'two']);
    const req = http.get({ createConnection: () => stream, headers: { Connection: 'Upgrade', Upgrade: 'x' } });
    req.on('information', () => stream.write('more'));
    const upgraded = once(req, 'upgrade');
    await turnOfEventLoop();
    stream.begin();
    const [, socket, head] = await upgraded;
    expect([socket === stream, String(head)]).toEqual([true, 'one two']);
  });

  it('loses nothing of what came within a listener that throws', async () => {
    const stream = new Echoing([chunks('A.'), `${chunks('B.')}0\r\n\r\n`]);
    const { res } = await exchangeOver(stream);
    const seen = [];
    res.on('data', (chunk) => {
      seen.push(String(chunk));
      if (stream.pieces.length === 0) return;
      stream.write('more');
      throw new Error('thrown by the listener');
    });
    res.on('end', () => seen.push('end'));
    await turnOfEventLoop();
    expect(() => stream.begin()).toThrow('thrown by the listener');
    await until(() => seen.includes('end'));
    expect(seen).toEqual(['A.', 'B.', 'end']);
  });

  it('is not used again if it has brought bytes behind the response', async () => {
    const made = [];
    const agent = newAgent({ keepAlive: true });
    agent.createConnection = () => {
      const stream = new Echoing([`${chunks('A.')}0\r\n\r\n`, HEAD + chunks('forged')]);
      // Of a socket, an agent wants these.
      for (const name of ['setKeepAlive', 'setTimeout', 'ref', 'unref']) stream[name] = () => stream;
      made.push(stream);
      return stream;
    };
    const req = http.get({ agent });
    await until(() => made.length === 1);
    const response = responseTo(req);
    await turnOfEventLoop();
    made[0].push(HEAD);
    const res = await response;
    res.on('data', () => made[0].write('more'));
    await turnOfEventLoop();
    made[0].begin();
    await until(() => made[0].destroyed);
    expect([res.complete, Object.keys(agent.freeSockets)]).toEqual([true, []]);
  });
});

/** Serves TLS whose records can be held back, and go out in one segment. `onSecure(socket, sendTogether)`. */
async function serveRecords(onSecure, options) {
  const server = net.createServer((raw) => {
    let held = null;
    const between = new Duplex({
      read() {},
      write(bytes, _encoding, callback) {
        if (held) held.push(bytes);
        else raw.write(bytes);
        callback();
      },
    });
    raw.on('data', (bytes) => between.push(bytes)).on('end', () => between.push(null));
    raw.on('error', () => {}).on('close', () => between.destroy());
    cleanUp(() => raw.destroy());
    const context = tls.createSecureContext({ ...certificates.local, ...options });
    const socket = new tls.TLSSocket(between, { isServer: true, secureContext: context });
    socket.on('error', () => {});
    onSecure(socket, async (pieces) => {
      const together = held = [];
      for (const [index, piece] of pieces.entries()) {
        socket.write(piece);
        await until(() => together.length > index);
      }
      held = null;
      raw.write(Buffer.concat(together));
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  cleanUp(() => server.close());
  return server.address();
}

describe.each([['TLSv1.2'], ['TLSv1.3']])('records of %s that come together', (maxVersion) => {
  itOurs.each([
    ['once', 1],
    ['each time', Infinity],
  ])('are decoded in order when a listener of \'data\' writes nothing, %s', async (_what, times) => {
    let send;
    const { port } = await serveRecords((socket, sendTogether) => {
      socket.once('data', () => socket.write(HEAD));
      send = () => sendTogether([
        chunks('A1.', 'A2.', 'A3.'), chunks('B1.', 'B2.'), `${chunks('C1.', 'C2.')}0\r\nX-Trailer: y\r\n\r\n`,
      ]);
    }, { maxVersion });
    const agent = newNodeTlsAgent({ keepAlive: true });
    const req = https.get({ host: '127.0.0.1', port, agent });
    const { events } = record(req);
    const res = await responseTo(req);
    const { socket } = res;
    let body = '';
    let written = 0;
    res.on('data', (chunk) => {
      body += chunk;
      if (written++ < times) socket.write('');
    });
    await send();
    await until(() => req.closed);
    expect(body).toBe('A1.A2.A3.B1.B2.C1.C2.');
    expect([res.complete, res.trailers]).toEqual([true, { 'x-trailer': 'y' }]);
    expect(events.filter((event) => /error|abort/.test(event))).toEqual([]);
  });
});
