'use strict';

/** end(): its forms, what it puts on the wire, its callback, and the trailers it sends. */

const { once } = require('node:events');
const {
  bytesOf, http, newAgent, pseudoRandomBytes, responseTo, serve, serveWire, until,
} = require('../support');
const { describeTransports } = require('../support/transports');

/** A server that answers with what it got: framing, body, trailers. */
function serveMirror() {
  return serve(async (req, res) => {
    const body = await bytesOf(req);
    const { 'content-length': length, 'transfer-encoding': coding } = req.headers;
    res.end(JSON.stringify({ length, coding, body: body.toString('latin1'), trailers: req.rawTrailers }));
  });
}

/** Makes a request to the mirror, lets `send` end it, and gives what the mirror saw. */
async function mirrored(options, send) {
  const peer = await serveMirror();
  const req = http.request({ ...peer.address, method: 'POST', agent: newAgent(), ...options });
  const response = responseTo(req);
  send(req);
  return JSON.parse(await bytesOf(await response));
}

describe('end()', () => {
  it.each([
    ['nothing', [], { length: '0', body: '' }],
    ['a string', ['text'], { length: '4', body: 'text' }],
    ['a string and its encoding', ['00ff', 'hex'], { length: '2', body: '\x00\xff' }],
    ['a Buffer', [Buffer.from([1, 2, 3])], { length: '3', body: '\x01\x02\x03' }],
    ['a Uint8Array', [new Uint8Array([4])], { length: '1', body: '\x04' }],
    ['an empty string', [''], { length: '0', body: '' }],
    ['null', [null], { length: '0', body: '' }],
    ['undefined and a callback', [undefined, () => {}], { length: '0', body: '' }],
  ])('given %s sends a request of known length', async (_, args, expected) => {
    expect(await mirrored({}, (req) => req.end(...args))).toMatchObject(expected);
  });

  it.each([
    ['callback', (done) => [done], ''],
    ['data, callback', (done) => ['data', done], 'data'],
    ['data, encoding, callback', (done) => ['AQI=', 'base64', done], '\x01\x02'],
    ['null, callback', (done) => [null, done], ''],
  ])('(%s) calls back once, when all is sent', async (_, argsOf, body) => {
    let calls = 0;
    const seen = await mirrored({}, (req) => req.end(...argsOf(function done() {
      calls++;
      expect(req.writableFinished).toBe(true);
    })));
    expect(seen.body).toBe(body);
    expect(calls).toBe(1);
  });

  it('answers with the request, also when called again', async () => {
    await mirrored({}, (req) => {
      expect(req.end()).toBe(req);
      expect(req.end()).toBe(req);
    });
  });

  it('calls back with ERR_STREAM_ALREADY_FINISHED when all was sent before', async () => {
    const peer = await serveMirror();
    const req = http.request({ ...peer.address, agent: newAgent() });
    const response = responseTo(req);
    await once(req.end(), 'finish');
    const error = await new Promise((resolve) => { req.end(resolve); });
    expect(error).toMatchObject({ code: 'ERR_STREAM_ALREADY_FINISHED' });
    (await response).resume();
  });

  it('with more data after the end fails with ERR_STREAM_WRITE_AFTER_END', async () => {
    const peer = await serveMirror();
    const req = http.request({ ...peer.address, method: 'POST', agent: newAgent() });
    const codes = [];
    req.on('error', (error) => codes.push(error.code));
    req.end('all');
    req.end('more');
    await until(() => codes.length > 0);
    expect(codes[0]).toBe('ERR_STREAM_WRITE_AFTER_END');
    req.destroy();
  });

  it.each([['GET'], ['HEAD'], ['DELETE'], ['OPTIONS'], ['TRACE']])(
    'without data sends a %s that has no body and no framing', async (method) => {
      const peer = await serveWire();
      const req = http.request({ ...peer.address, method });
      const response = responseTo(req);
      req.end();
      (await response).resume();
      expect(peer.wire()).toMatch(new RegExp(`^${method} / HTTP/1\\.1\\r\\n[^]*\\r\\n\\r\\n$`));
      expect(peer.wire()).not.toMatch(/content-length|transfer-encoding/i);
    });

  it('sends the head and a small body in one segment', async () => {
    const peer = await serve((req, res) => req.resume().on('end', () => res.end()));
    const segments = [];
    peer.server.on('connection', (socket) => socket.on('data', (chunk) => segments.push(chunk.toString('latin1'))));
    const agent = newAgent({ keepAlive: true });
    for (let i = 0; i < 5; i++) {
      const req = http.request({ ...peer.address, method: 'POST', agent });
      const response = responseTo(req);
      req.end('small');
      await bytesOf(await response);
    }
    expect(segments.map((segment) => segment.slice(-9))).toEqual(Array(5).fill('\r\n\r\nsmall'));
  });

  it.each([[0], [1], [65535], [65536], [4 << 20]])('sends a body of %i bytes whole', async (size) => {
    const body = pseudoRandomBytes(size).toString('latin1');
    const seen = await mirrored({}, (req) => req.end(body, 'latin1'));
    expect(seen.length).toBe(String(size));
    expect(seen.body === body).toBe(true);
  });

  it('after a streamed body sends the last chunk alone', async () => {
    const peer = await serveWire((text) => text.endsWith('0\r\n\r\n'));
    const req = http.request({ ...peer.address, method: 'POST' });
    const response = responseTo(req);
    req.write('body');
    await until(() => peer.wire().endsWith('\r\nbody\r\n'));
    const before = peer.wire().length;
    req.end();
    (await response).resume();
    expect(peer.wire().slice(before)).toBe('0\r\n\r\n');
  });
});

describeTransports('end()', (transport) => {
  it('can follow the response: the connection is reused only when the request is sent too', async () => {
    const peer = await transport.serve((req, res) => {
      req.resume();
      res.end('early');
    });
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, method: 'POST', agent });
    const response = responseTo(req);
    req.write('a');
    expect((await bytesOf(await response)).toString()).toBe('early');
    expect(Object.keys(agent.freeSockets)).toHaveLength(0);
    expect(req.destroyed).toBe(false);
    const { socket } = req;
    req.end('b');
    await once(req, 'close');
    await until(() => Object.values(agent.freeSockets).flat().length === 1);
    expect(Object.values(agent.freeSockets).flat()).toEqual([socket]);
  });
});

describe('addTrailers()', () => {
  it.each([
    ['an object', { 'X-Sum': 'abc', 'X-Count': '2' }],
    ['a list of pairs', [['X-Sum', 'abc'], ['X-Count', '2']]],
  ])('given %s sends them after a chunked body', async (_, trailers) => {
    const peer = await serveWire((text) => text.endsWith('X-Count: 2\r\n\r\n'));
    const req = http.request({ ...peer.address, method: 'POST', headers: { Trailer: 'X-Sum, X-Count' } });
    const response = responseTo(req);
    req.write('body');
    req.addTrailers(trailers);
    req.end();
    (await response).resume();
    expect(peer.wire()).toMatch(/\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: abc\r\nX-Count: 2\r\n\r\n$/);
  });

  it('reaches the server', async () => {
    const seen = await mirrored({}, (req) => {
      req.write('body');
      req.addTrailers({ 'X-Sum': 'abc' });
      req.end();
    });
    expect(seen).toEqual({ coding: 'chunked', body: 'body', trailers: ['X-Sum', 'abc'] });
  });

  it('has no effect on a body of known length', async () => {
    const seen = await mirrored({ headers: { 'Content-Length': 4 } }, (req) => {
      req.addTrailers({ 'X-Sum': 'abc' });
      req.end('body');
    });
    expect(seen).toEqual({ length: '4', body: 'body', trailers: [] });
  });

  it.each([
    ['a bad name', { 'x y': '1' }, 'ERR_INVALID_HTTP_TOKEN'],
    ['a bad value', { x: 'a\r\nb: c' }, 'ERR_INVALID_CHAR'],
  ])('throws for %s', async (_, trailers, code) => {
    const req = http.request({ host: '127.0.0.1', port: 9, agent: newAgent(), method: 'POST' });
    req.on('error', () => {});
    expect(() => req.addTrailers(trailers)).toThrow(expect.objectContaining({ code }));
    req.destroy();
  });

  it('is refused in a header with Trailer but without chunks', async () => {
    const req = http.request({ host: '127.0.0.1', port: 9, agent: newAgent(), method: 'POST' });
    req.on('error', () => {});
    req.setHeader('Trailer', 'X-Sum');
    req.setHeader('Content-Length', 4);
    expect(() => req.end('body')).toThrow(expect.objectContaining({ code: 'ERR_HTTP_TRAILER_INVALID' }));
    req.destroy();
  });
});
