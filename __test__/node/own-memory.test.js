'use strict';

/** Bytes that a user gets have memory of their own, however many responses come after. */

const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { Duplex } = require('node:stream');
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const {
  bytesOf, http, itMends, itOurs, newAgent, pseudoRandomBytes, responseTo, serve, serveRaw,
} = require('../support');
const { describeTransports } = require('../support/transports');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const BODY = pseudoRandomBytes(3_000_000);
const SIZES = [1, 100, 8_000, 20_000, 65_536, 200_000, 1_000_000, 3_000_000];

const digest = (bytes) => createHash('sha1').update(bytes).digest('hex');

/** A peer that answers `/<size>` with so many bytes of BODY, and a last one that is the number of the request. */
function numbered() {
  let number = 0;
  return serve((req, res) => {
    const size = Number(req.url.slice(1));
    res.setHeader('Content-Length', size + 1);
    res.write(BODY.subarray(0, size));
    res.end(Buffer.of(number++ & 0xff));
  });
}

/** Reads a response; gives its pieces. */
async function piecesOf(options) {
  const pieces = [];
  const res = await responseTo(http.get(options));
  for await (const piece of res) pieces.push(piece);
  return pieces;
}

describe('A piece of a body', () => {
  it('that is kept has the same content after many later responses and collections', async () => {
    const peer = await numbered();
    const agent = newAgent({ keepAlive: true, maxSockets: 4 });
    const kept = [];
    for (let round = 0; round < 12; round++) {
      const all = await Promise.all(SIZES.map((size) => piecesOf({ ...peer.address, agent, path: `/${size}` })));
      for (const pieces of all) {
        // One of them, and a part of another, as somebody who looks for something in a body may keep it.
        const one = pieces[round % pieces.length];
        const other = pieces[(round * 7) % pieces.length];
        const part = other.subarray(other.length >> 2, other.length >> 1);
        kept.push(...[one, part].map((bytes) => ({ bytes, was: digest(bytes) })));
      }
      collectGarbage();
    }
    const changed = kept.filter(({ bytes, was }) => digest(bytes) !== was);
    expect(changed).toHaveLength(0);
  });

  it('may be written by its owner, which changes no other piece', async () => {
    const peer = await numbered();
    const res = await responseTo(http.get({ ...peer.address, agent: newAgent(), path: '/3000000' }));
    const hash = createHash('sha1');
    let length = 0;
    for await (const piece of res) {
      hash.update(piece.subarray(0, Math.max(0, BODY.length - length)));
      length += piece.length;
      piece.fill(0xee);
    }
    expect(length).toBe(BODY.length + 1);
    expect(hash.digest('hex')).toBe(digest(BODY));
  });
});

/** Reads a response whose pieces are transferred. Not by read(), with which Node joins pieces, in its pool. */
async function transferredPieces(res) {
  const pieces = [];
  res.on('data', (piece) => pieces.push(transferred(piece)));
  await once(res, 'end');
  return pieces;
}

/** Sees that a buffer has an ArrayBuffer of just its length, which can be transferred; gives the bytes. */
function transferred(buffer) {
  expect([buffer.byteOffset, buffer.buffer.byteLength]).toEqual([0, buffer.length]);
  const moved = structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
  expect(buffer.length).toBe(0);
  return Buffer.from(moved);
}

describeTransports('A piece of a body', (transport) => {
  const lengths = [1, 5, 48, 49, 64, 65, 100, 4_096, 8_192, 16_384, 20_000, 65_536, 300_000];

  it.each(['Content-Length', 'Transfer-Encoding'])('of any length has memory of its own (%s)', async (name) => {
    const peer = await transport.serve((req, res) => {
      const length = Number(req.url.slice(1));
      if (name === 'Content-Length') res.setHeader(name, length);
      // Some pieces that come together, and then some of which each may come alone.
      for (let at = 0; at < length; at += Math.ceil(length / 3)) {
        res.write(BODY.subarray(at, Math.min(length, at + Math.ceil(length / 3))));
      }
      res.end();
    });
    const agent = await transport.agentTo(peer);
    for (const length of lengths) {
      const res = await responseTo(http.get({ ...peer.address, agent, path: `/${length}` }));
      const pieces = await transferredPieces(res);
      expect(digest(Buffer.concat(pieces))).toBe(digest(BODY.subarray(0, length)));
    }
  });

  it('is not that of a listener of the socket', async () => {
    const peer = await transport.serveRaw((socket) => socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n');
      setTimeout(() => socket.write('abc'), 20);
      setTimeout(() => socket.write('def'), 40);
    }));
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    const heard = [];
    const [socket] = await once(req, 'socket');
    if (transport.isStream) socket.on('data', (chunk) => heard.push(chunk));
    const pieces = await transferredPieces(await responseTo(req));
    expect(String(Buffer.concat(pieces))).toBe('abcdef');
    if (transport.isStream) expect(String(Buffer.concat(heard))).toMatch(/abcdef$/);
  });

  // Node gives a view of all that was read with them.
  itMends(true).each(['upgrade', 'connect'])("nor have the bytes behind an '%s'", async (name) => {
    const peer = await transport.serveRaw((socket) => socket.once('data', () => {
      socket.write(`HTTP/1.1 ${name === 'upgrade' ? 101 : 200} OK\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nmore`);
    }));
    const agent = await transport.agentTo(peer);
    const method = name === 'upgrade' ? 'GET' : 'CONNECT';
    // The name of the agent's connection has the host of a CONNECT request's header, with TLS on newer Nodes.
    const headers = { Connection: 'Upgrade', Upgrade: 'x', Host: peer.address.host ?? '127.0.0.1' };
    const req = http.request({ ...peer.address, agent, method, headers, path: 'localhost:1' }).end();
    const [, socket, head] = await once(req, name);
    socket.destroy();
    expect(String(transferred(head))).toBe('more');
  });

  // The same, since Node 24 with what other connections read.
  itMends(true)('nor has the packet of a parse error', async () => {
    const peer = await transport.serveAnswer('no HTTP');
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    const [{ rawPacket }] = await once(req, 'error');
    expect(String(transferred(rawPacket))).toBe('no HTTP');
  });
});

describe('A chunk that a stream of JavaScript keeps', () => {
  it('stays as it is, whatever the reader of the response does', async () => {
    const chunk = Buffer.from(new TextEncoder().encode('abc').buffer);
    const connection = new Duplex({
      read() {},
      write(bytes, encoding, callback) {
        callback();
        connection.push('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n');
        connection.push(chunk);
        connection.push(chunk);
      },
    });
    const agent = newAgent({ keepAlive: false });
    agent.createConnection = () => connection;
    const res = await responseTo(http.get({ host: 'localhost', agent }));
    const pieces = [];
    res.on('data', (piece) => {
      pieces.push(String(piece));
      piece.fill(0xee);
    });
    await once(res, 'end');
    expect([...pieces, String(chunk)]).toEqual(['abc', 'abc', 'abc']);
  });
});

describe('The bytes that a listener of a socket gets', () => {
  itOurs('have memory of their own where they had been read already', async () => {
    const peer = await serveRaw((socket) => socket.once('data', () => {
      socket.write('HTTP/1.1 103 Early Hints\r\n\r\n');
      setTimeout(() => socket.end('HTTP/1.1 200 OK\r\n\r\nok'), 20);
    }));
    const req = http.get({ ...peer.address, agent: newAgent() });
    const buffers = [];
    req.on('information', () => req.socket.on('data', (chunk) => buffers.push(Buffer.from(chunk.buffer))));
    expect(String(await bytesOf(await responseTo(req)))).toBe('ok');
    expect(String(Buffer.concat(buffers))).toBe('HTTP/1.1 200 OK\r\n\r\nok');
  });
});
