'use strict';

/** Writes before a request has its socket go out as they were written, however they are put together. */

const { bytesOf, http, newAgent, pseudoRandomBytes, responseTo, serve } = require('../support');

/** A peer that answers with the body that it got. */
function serveEcho() {
  return serve(async (req, res) => {
    const body = await bytesOf(req);
    res.setHeader('X-Length', body.length);
    res.end(body);
  });
}

const text = 'gr\xfc\xdfe \u20ac \ud83d\ude00 \ud800.';

describe('writes before there is a socket', () => {
  it.each([
    ['text', [[text], [text, 'utf8'], [text, 'latin1']]],
    ['text of other encodings', [['c3bc', 'hex'], ['w7w=', 'base64'], [text, 'utf16le'], ['abc', 'ascii']]],
    ['bytes and text in turn', [[Buffer.from('a')], ['\u20ac'], [new Uint8Array([0, 255])], ['b', 'latin1']]],
    ['pieces around the sizes that matter', [8191, 8192, 8193].map((size) => [pseudoRandomBytes(size)])],
    ['many pieces', Array.from({ length: 200 }, (unused, i) => [pseudoRandomBytes(1 + i * 7)])],
    ['text that is short in letters and long in bytes', [['\u20ac'.repeat(8000)], ['\u20ac'.repeat(2000)]]],
    ['nothing among something', [['a'], [''], [Buffer.alloc(0)], ['b']]],
  ])('arrive as they were written: %s', async (name, writes) => {
    const expected = Buffer.concat(writes.map(([chunk, encoding]) => Buffer.from(chunk, encoding)));
    const peer = await serveEcho();
    const agent = newAgent({ keepAlive: true, maxSockets: 1 });
    for (const [how, headers] of [['chunked', {}], ['of known length', { 'Content-Length': expected.length }]]) {
      // The second time on a connection that stands.
      for (let i = 0; i < 2; i++) {
        const req = http.request({ ...peer.address, agent, method: 'POST', headers });
        const called = [];
        writes.forEach(([chunk, encoding], at) => req.write(chunk, encoding, () => called.push(at)));
        req.end(() => called.push('finish'));
        const body = await bytesOf(await responseTo(req));
        expect([how, body.equals(expected)]).toEqual([how, true]);
        expect(called).toEqual([...writes.keys(), 'finish']);
      }
    }
  });

  it('are each seen by whoever has replaced the write of the socket', async () => {
    const peer = await serveEcho();
    const agent = newAgent({ keepAlive: true, maxSockets: 1 });
    for (const path of ['/new', '/used']) {
      const req = http.request({ ...peer.address, agent, path, method: 'POST', headers: { 'Content-Length': 4 } });
      const seen = [];
      req.on('socket', (socket) => {
        const { write } = socket;
        socket.write = function spy(chunk, ...rest) {
          seen.push(String(chunk));
          return write.call(socket, chunk, ...rest);
        };
        req.on('close', () => {
          socket.write = write;
        });
      });
      req.write(Buffer.from('ab'));
      req.end(Buffer.from('cd'));
      expect(String(await bytesOf(await responseTo(req)))).toBe('abcd');
      // Before Node 24 an empty one behind them carries the callback of end().
      expect(seen.filter(Boolean)).toEqual([expect.stringContaining(`POST ${path} HTTP/1.1`), 'ab', 'cd']);
    }
  });

  it('count for bytesWritten of the socket', async () => {
    const peer = await serveEcho();
    const agent = newAgent({ keepAlive: true, maxSockets: 1 });
    let before = 0;
    for (let i = 0; i < 2; i++) {
      const req = http.request({ ...peer.address, agent, method: 'POST', headers: { 'Content-Length': 5 } });
      req.write('\u20ac');
      req.end('ab');
      await bytesOf(await responseTo(req));
      const [head] = String(req._header).split('\r\n\r\n');
      expect(req.socket.bytesWritten - before).toBe(head.length + 4 + 5);
      before = req.socket.bytesWritten;
    }
  });
});
