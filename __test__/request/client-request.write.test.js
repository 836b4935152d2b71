'use strict';

/** write(): what may be written, in which encoding, and how it is framed on the wire. */

const {
  describeOurs, http, itNative, newAgent, pseudoRandomBytes, quiet, responseTo, serve, serveWire,
  turnOfEventLoop, until,
} = require('../support');

/** Starts a POST to a server that answers with the body it got. */
async function startEcho(options) {
  const peer = await serve(async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    res.end(Buffer.concat(chunks));
  });
  const req = http.request({ ...peer.address, method: 'POST', ...options });
  const echo = responseTo(req).then(async (res) => {
    const chunks = [];
    for await (const chunk of res) chunks.push(chunk);
    return Buffer.concat(chunks);
  });
  return { req, echo };
}

/** Starts a POST to a peer that keeps the bytes; body() gives what followed the header once the peer has answered. */
async function startWire(headers = {}, isWhole = undefined) {
  const peer = await serveWire(isWhole);
  const req = http.request({ ...peer.address, method: 'POST', headers });
  const response = responseTo(req);
  const body = async () => {
    (await response).resume();
    return peer.wire().slice(peer.wire().indexOf('\r\n\r\n') + 4);
  };
  return { req, peer, body };
}

describe('a string', () => {
  const TEXT = 'h\xe9llo \u20ac \u{1f600} w\xf6rld';
  const ENCODED = {
    utf8: TEXT, 'utf-8': TEXT, UTF8: TEXT, ucs2: TEXT, 'ucs-2': TEXT, utf16le: TEXT, 'utf-16le': TEXT,
    latin1: 'h\xe9llo', binary: 'h\xe9llo', ascii: 'hello', hex: '00ff7f80', base64: 'AP9/gA==', base64url: 'AP9_gA',
  };

  it.each(Object.entries(ENCODED))('in %s is sent as the bytes it stands for', async (encoding, text) => {
    const { req, echo } = await startEcho();
    req.write(text, encoding);
    req.write(Buffer.from([0]));
    req.write(text, encoding);
    req.end(text, encoding);
    const bytes = Buffer.from(text, encoding);
    expect(await echo).toEqual(Buffer.concat([bytes, Buffer.from([0]), bytes, bytes]));
  });

  it.each(Object.entries(ENCODED))('in %s is sent as these bytes with Content-Length', async (encoding, text) => {
    const bytes = Buffer.from(text, encoding);
    const { req, echo } = await startEcho({ headers: { 'Content-Length': 2 * bytes.length } });
    req.write(text, encoding);
    req.end(text, encoding);
    expect(await echo).toEqual(Buffer.concat([bytes, bytes]));
  });

  it.each(Object.entries(ENCODED))('in %s given to end() has the right length', async (encoding, text) => {
    const bytes = Buffer.from(text, encoding);
    const { req, body } = await startWire({}, (sent) => sent.endsWith(`\r\n\r\n${bytes.toString('latin1')}`));
    req.end(text, encoding);
    expect(await body()).toBe(bytes.toString('latin1'));
    expect(req._header).toContain(`\r\nContent-Length: ${bytes.length}\r\n`);
  });

  it('is UTF-8 if nothing else is said', async () => {
    const { req, echo } = await startEcho();
    req.write(TEXT);
    req.end(TEXT);
    expect((await echo).toString()).toBe(TEXT + TEXT);
  });

  it('of several MiB that has characters of one to four bytes arrives whole', async () => {
    const text = TEXT.repeat(150000);
    const { req, echo } = await startEcho();
    req.end(text);
    expect((await echo).equals(Buffer.from(text))).toBe(true);
  });
});

describe('bytes', () => {
  it.each([
    ['a Buffer', (bytes) => bytes],
    ['a Uint8Array', (bytes) => new Uint8Array(bytes)],
    ['a view of a part of a larger buffer', (bytes) => {
      const larger = new Uint8Array(bytes.length + 20).fill(0xee);
      larger.set(bytes, 7);
      return larger.subarray(7, 7 + bytes.length);
    }],
    ['a view of shared memory', (bytes) => {
      const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
      shared.set(bytes);
      return shared;
    }],
  ])('of %s arrive as they are', async (_, make) => {
    for (const length of [1, 255, 65536, 1 << 20]) {
      const bytes = pseudoRandomBytes(length);
      const { req, echo } = await startEcho();
      req.write(make(bytes));
      req.end(make(bytes));
      expect((await echo).equals(Buffer.concat([bytes, bytes]))).toBe(true);
    }
  });

  it('written in thousands of small pieces arrive in order', async () => {
    const bytes = pseudoRandomBytes(20000);
    const { req, echo } = await startEcho();
    for (let at = 0; at < bytes.length;) {
      const length = 1 + (at % 7);
      req.write(bytes.subarray(at, at + length));
      at += length;
    }
    req.end();
    expect((await echo).equals(bytes)).toBe(true);
  });

  it('written over many turns of the event loop arrive in order', async () => {
    const { req, echo } = await startEcho();
    for (let i = 0; i < 200; i++) {
      req.write(`${i},`);
      await quiet(i % 20 === 0 ? 1 : 0);
    }
    req.end();
    expect((await echo).toString()).toBe(Array.from({ length: 200 }, (unused, i) => `${i},`).join(''));
  });

  itNative.each([
    ['changed', (bytes) => bytes.fill(0)],
    ['detached', (bytes) => structuredClone(bytes.buffer, { transfer: [bytes.buffer] })],
  ])('that are %s while they are being sent arrive as they were', async (_, spoil) => {
    for (const length of [5, 100000, 4 << 20]) {
      const { req, echo } = await startEcho();
      req.flushHeaders();
      await until(() => req.socket && !req.socket.connecting);
      const bytes = new Uint8Array(pseudoRandomBytes(length));
      const copy = Buffer.from(bytes);
      req.write(bytes);
      // Until the end of the turn the chunk is in the hands of OutgoingMessage, which may keep it as it is.
      await turnOfEventLoop();
      spoil(bytes);
      req.end();
      expect((await echo).equals(copy)).toBe(true);
    }
  });
});

describeOurs('an array of integers', () => {
  it.each([['write', (req, array) => { req.write(array); req.end(); }], ['end', (req, array) => req.end(array)]])(
    'given to %s() is sent as the bytes it lists', async (_, send) => {
      for (const array of [[], [0], [255], [1, 2, 3], Array.from(pseudoRandomBytes(100000))]) {
        const { req, echo } = await startEcho();
        send(req, array);
        expect((await echo).equals(Buffer.from(array))).toBe(true);
      }
    });

  it('is not changed, and calls back like any chunk', async () => {
    const array = [104, 105];
    const { req, echo } = await startEcho();
    await new Promise((resolve, reject) => {
      req.write(array, (error) => (error ? reject(error) : resolve()));
    });
    expect(array).toEqual([104, 105]);
    await new Promise((resolve) => { req.end([33], 'utf8', resolve); });
    expect((await echo).toString()).toBe('hi!');
  });

  it.each([
    ['ERR_OUT_OF_RANGE', -1], ['ERR_OUT_OF_RANGE', 256], ['ERR_OUT_OF_RANGE', 1.5], ['ERR_OUT_OF_RANGE', NaN],
    ['ERR_OUT_OF_RANGE', Infinity], ['ERR_INVALID_ARG_TYPE', '1'], ['ERR_INVALID_ARG_TYPE', null],
    ['ERR_INVALID_ARG_TYPE', undefined], ['ERR_INVALID_ARG_TYPE', 1n], ['ERR_INVALID_ARG_TYPE', [1]],
    ['ERR_INVALID_ARG_TYPE', true],
  ])('throws %s for %p, naming its index, and sends nothing of it', async (code, value) => {
    for (const send of ['write', 'end']) {
      const { req, echo } = await startEcho();
      req.write('before');
      const error = expect.objectContaining({ code, message: expect.stringContaining('[2]') });
      expect(() => req[send]([1, 2, value, 4])).toThrow(error);
      req.end(' after');
      expect((await echo).toString()).toBe('before after');
    }
  });

  it('throws ERR_INVALID_ARG_TYPE for a hole, naming its index', async () => {
    const { req, echo } = await startEcho();
    echo.catch(() => {});
    const array = [1, 2, 3];
    delete array[1];
    expect(() => req.write(array)).toThrow(expect.objectContaining({
      code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining('[1]'),
    }));
    req.destroy();
  });
});

describe('what is no chunk', () => {
  it.each([
    ['undefined', undefined], ['a number', 1], ['an object', {}], ['true', true], ['a Uint16Array', new Uint16Array(2)],
    ['an ArrayBuffer', new ArrayBuffer(2)], ['a DataView', new DataView(new ArrayBuffer(2))],
    ['null', null, 'ERR_STREAM_NULL_VALUES'],
  ])('throws when it is %s, and the request goes on', async (_, chunk, code = 'ERR_INVALID_ARG_TYPE') => {
    const { req, echo } = await startEcho();
    expect(() => req.write(chunk)).toThrow(expect.objectContaining({ code }));
    req.end('fine');
    expect((await echo).toString()).toBe('fine');
  });

  it('after the end is an error of the stream and of the callback', async () => {
    const { req, echo } = await startEcho();
    const errors = [];
    echo.catch(() => {});
    req.on('error', (error) => errors.push(`error ${error.code}`));
    req.end('all');
    expect(req.write('more', (error) => errors.push(`callback ${error.code}`))).toBe(false);
    expect(errors).toEqual([]);
    await until(() => errors.length === 2);
    expect(errors.sort()).toEqual(['callback ERR_STREAM_WRITE_AFTER_END', 'error ERR_STREAM_WRITE_AFTER_END']);
  });
});

describe('the chunked framing', () => {
  it('has the size of each chunk in hexadecimal, and ends with a last chunk', async () => {
    const { req, body } = await startWire();
    req.write('ab');
    req.write(Buffer.alloc(26, 'x'));
    req.write('\u20ac');
    req.end();
    expect(await body()).toBe(`2\r\nab\r\n1a\r\n${'x'.repeat(26)}\r\n3\r\n\xe2\x82\xac\r\n0\r\n\r\n`);
  });

  it('makes one more chunk of what is given to end()', async () => {
    const { req, body } = await startWire();
    req.write('ab');
    req.end('c');
    expect(await body()).toBe('2\r\nab\r\n1\r\nc\r\n0\r\n\r\n');
  });

  it('has no chunk for nothing, which would end the body', async () => {
    const { req, body } = await startWire();
    req.write('');
    req.write(Buffer.alloc(0));
    req.write('a');
    req.write('');
    req.end('');
    expect(await body()).toBe('1\r\na\r\n0\r\n\r\n');
  });

  it('is not there with Content-Length', async () => {
    const { req, body } = await startWire({ 'Content-Length': 5 }, (text) => text.endsWith('abcde'));
    req.write('ab');
    req.end('cde');
    expect(await body()).toBe('abcde');
  });

  it('can be asked for with Transfer-Encoding', async () => {
    const { req, body } = await startWire({ 'Transfer-Encoding': 'chunked' }, (text) => text.endsWith('0\r\n\r\n'));
    req.end('abc');
    expect(await body()).toBe('3\r\nabc\r\n0\r\n\r\n');
  });

  it('is streamed: the peer gets a chunk while the request is still open', async () => {
    const { req, peer, body } = await startWire({}, (text) => text.endsWith('0\r\n\r\n'));
    req.write('first');
    await until(() => peer.wire().endsWith('\r\n\r\n5\r\nfirst\r\n'));
    req.write('second');
    await until(() => peer.wire().endsWith('6\r\nsecond\r\n'));
    req.end();
    await body();
  });
});

describe('the callback of write()', () => {
  it('is called once for each chunk, in order, with no error', async () => {
    const { req, echo } = await startEcho({ agent: newAgent() });
    const calls = [];
    for (let i = 0; i < 10; i++) {
      const done = (error) => calls.push(error ?? i);
      if (i % 2) req.write(String(i), done);
      else req.write(String(i), 'utf8', done);
    }
    expect(calls).toEqual([]);
    req.end();
    expect((await echo).toString()).toBe('0123456789');
    expect(calls).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('is called once for each chunk also when the request is destroyed before they are sent', async () => {
    const peer = await serve((req) => req.pause());
    const req = http.request({ ...peer.address, method: 'POST' });
    req.on('error', () => {});
    const calls = [];
    req.write('sent', (error) => calls.push(error ?? 0));
    await until(() => calls.length === 1);
    for (let i = 1; i <= 300; i++) req.write(Buffer.alloc(65536), () => calls.push(i));
    await quiet();
    expect(calls.length).toBeLessThan(301);
    req.destroy();
    await until(() => calls.length > 300);
    await quiet(5);
    expect(calls).toEqual(Array.from({ length: 301 }, (unused, i) => i));
  });
});
