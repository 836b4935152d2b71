'use strict';

/** The body of a response arrives byte for byte, whatever its size, its framing and its path through the network. */

const { once } = require('node:events');
const {
  byteByByte, bytesOf, exchange, http, onRequestHead, pseudoRandomBytes, record, responseTo, sendSegments, until,
} = require('../support');
const { describeTransports } = require('../support/transports');

const KIBIBYTE = 1024;
const SIZES = [0, 1, 2, 1000, 16 * KIBIBYTE, 65535, 65536, 65537, 1024 * KIBIBYTE, 7 * 1024 * KIBIBYTE + 5];

const FRAMINGS = {
  'Content-Length': (res, body) => res.writeHead(200, { 'Content-Length': body.length }).end(body),
  chunks: (res, body) => {
    for (let at = 0, size = 1; at < body.length; at += size, size = Math.min(size * 3, 300000)) {
      res.write(body.subarray(at, at + size));
    }
    res.end();
  },
  'the end of the connection': (res, body) => {
    res.useChunkedEncodingByDefault = false;
    res.removeHeader('Transfer-Encoding');
    res.writeHead(200, { Connection: 'close' });
    res.write(body);
    res.end();
  },
};

describeTransports('responses', (transport) => {
  describe.each(Object.entries(FRAMINGS))('a body delimited by %s', (name, send) => {
    it.each(SIZES)('of %i bytes is complete', async (size) => {
      const body = pseudoRandomBytes(size, size + 1);
      const peer = await transport.serve((req, res) => send(res, body));
      const { res, body: received } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
      expect(received.equals(body)).toBe(true);
      expect(res.complete).toBe(true);
    });
  });
});

/** Answers with every kind of head and body that is small enough to be cut anywhere. */
const ANSWERS = {
  'with Content-Length': ['HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-A: b\r\n\r\n', 'twelve bytes', 'twelve bytes'],
  chunked: [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    '3\r\nabc\r\nA;name=value;other="quoted"\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n', 'abc0123456789',
  ],
  'after informational ones': [
    'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'ok',
  ],
  'without a body': ['HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n', '', ''],
};

describeTransports('responses', (transport) => {
  describe.each(Object.entries(ANSWERS))('an answer %s', (name, [head, tail, body]) => {
    const bytes = head + tail;

    it('may come byte by byte', async () => {
      const peer = await transport.serveAnswer(byteByByte(bytes));
      const received = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
      expect(received.body.toString()).toBe(body);
      expect(received.res.complete).toBe(true);
    });

    it('may be cut in two anywhere', async () => {
      const peer = await transport.serveAnswer((_, index) => [bytes.slice(0, index + 1), bytes.slice(index + 1)]);
      const agent = await transport.agentTo(peer);
      for (let at = 1; at <= bytes.length; at++) {
        const received = await exchange({ ...peer.address, agent });
        expect([at, received.body.toString(), received.res.complete]).toEqual([at, body, true]);
      }
      // Whatever the cut, the end was seen, and the connection was fit for the next request.
      expect(peer.accepted).toHaveLength(1);
    });
  });
});

describeTransports('a body', (transport) => {
  it('of one MiB in pieces of random sizes is complete', async () => {
    const body = pseudoRandomBytes(1 << 20);
    const peer = await transport.serveRaw((socket) => onRequestHead(socket, async () => {
      const pieces = [`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`];
      for (let at = 0; at < body.length;) {
        const size = 1 + ((body[at] << 8) | body[at + 1]);
        pieces.push(body.subarray(at, at + size));
        at += size;
      }
      await sendSegments(socket, pieces);
    }));
    const { body: received } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
    expect(received.equals(body)).toBe(true);
  });

  it('of thousands of one-byte chunks in one segment is complete', async () => {
    const body = pseudoRandomBytes(20000);
    const framed = Array.from(body, (byte) => `1\r\n${String.fromCharCode(byte)}\r\n`).join('');
    const peer = await transport.serveAnswer(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${framed}0\r\n\r\n`);
    const { body: received } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
    expect(received.equals(body)).toBe(true);
  });

  it('that ends with the connection is complete', async () => {
    const peer = await transport.serveAnswer(['HTTP/1.1 200 OK\r\n\r\n', 'until ', 'the end'], { end: true });
    const { body, res } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
    expect(body.toString()).toBe('until the end');
    expect(res.complete).toBe(true);
  });

  it('of many requests at once is each one\'s own', async () => {
    const bodies = Array.from({ length: 60 }, (unused, i) => pseudoRandomBytes(i * 2000, i + 1));
    const peer = await transport.serve((req, res) => res.end(bodies[Number(req.url.slice(1))]));
    const agent = transport.newAgent({ keepAlive: true, maxSockets: 10 });
    const all = await Promise.all(bodies.map((unused, i) => exchange({ ...peer.address, agent, path: `/${i}` })));
    expect(all.every(({ body }, i) => body.equals(bodies[i]))).toBe(true);
    expect(peer.accepted.length).toBeLessThanOrEqual(10);
  });

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n'],
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['GET', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['POST', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n'],
  ])('is empty for %s and %p, and the connection lives on', async (method, answer) => {
    const peer = await transport.serveAnswer(answer);
    const agent = await transport.agentTo(peer);
    for (let i = 0; i < 3; i++) {
      const req = http.request({ ...peer.address, agent, method });
      const { events } = record(req);
      const response = responseTo(req);
      req.end();
      const res = await response;
      expect((await bytesOf(res)).length).toBe(0);
      if (!res.closed) await once(res, 'close');
      expect(res.complete).toBe(true);
      expect(events).toEqual(['req socket', 'req finish', 'req response', 'res end', 'req close', 'res close']);
    }
    expect(peer.accepted).toHaveLength(1);
  });
});

describeTransports('a body that is cut short', (transport) => {
  it.each([
    ['after the head', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n', []],
    ['in the middle of its length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', ['res data']],
    ['in a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nhalf', ['res data']],
    ['between chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', ['res data']],
    ['in the last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n', ['res data']],
  ])('%s fails with ECONNRESET on the response alone', async (name, answer, data) => {
    const peer = await transport.serveAnswer(answer, { end: true });
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent });
    const { events } = record(req);
    req.on('error', () => {});
    const res = await responseTo(req);
    let failure;
    res.on('error', (error) => { failure = error; });
    res.resume();
    await until(() => events.includes('res close') && events.includes('req close'));
    expect(events).toEqual([
      'req socket', 'req finish', 'req response', ...data,
      'res aborted', 'req close', 'res error ECONNRESET', 'res close',
    ]);
    expect(failure).toMatchObject({ message: 'aborted', code: 'ECONNRESET' });
    expect(res).toMatchObject({ complete: false, aborted: true, destroyed: true });
    expect(Object.keys(agent.sockets)).toHaveLength(0);
  });
});
