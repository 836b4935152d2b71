'use strict';

const http = require('node:http');

const { createResponse } = require('../../lib/response/made-response');
const { event } = require('../../lib/bridge/records');
const { exchange, newAgent, runNode, runScript, serve } = require('../support');

const { get: headersOfNode } = Object.getOwnPropertyDescriptor(http.IncomingMessage.prototype, 'headers');

/** A response whose head has these fields, as the I/O thread would tell of it. */
function responseWith(fields, options = {}) {
  const block = fields.map(([name, value]) => `${name}\n${value}\n`).join('');
  const slab = Buffer.alloc(8 + 2 + Buffer.byteLength(block, 'latin1') + 4);
  slab.writeUInt32LE(200 | (1 << 16) | (1 << 24), 0);
  slab.writeUInt32LE(2, 4);
  const end = 10 + slab.write(`OK${block}`, 8, 'latin1') - 2;
  const words = new Int32Array(slab.buffer, slab.byteOffset, slab.length >> 2);
  return createResponse({ socket: null, maxHeadersCount: null, ...options }, event.KEEP_ALIVE, slab, words, 0, end);
}

/** A generator of numbers that gives the same ones each time. */
function numbersFrom(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

const NAMES = [
  'Age', 'ETag', 'Date', 'Vary', 'Server', 'Cookie', 'Expires', 'Location', 'Connection', 'Content-Type', 'Host',
  'Content-Length', 'Last-Modified', 'Cache-Control', 'Retry-After', 'Set-Cookie', 'X-Frame-Options', 'Via', 'From',
  'Content-Encoding', 'Transfer-Encoding', 'Proxy-Authorization', 'Authorization', 'User-Agent', 'Referer', 'Link',
  '__proto__', 'constructor', 'toString', 'hasOwnProperty', '12', '0', 'x', `X-${'long'.repeat(40)}`,
];
const VALUES = ['', 'a', 'b, c', 'gzip', 'na\xefve', '"etag"', 'Wed, 25 Nov 2026 18:42:19 GMT', 'v'.repeat(300)];

function anyCase(name, number) {
  return [name, name.toLowerCase(), name.toUpperCase(), name][number(4)];
}

function someField(number) {
  return [anyCase(NAMES[number(NAMES.length)], number), VALUES[number(VALUES.length)]];
}

function someFields(number) {
  const few = number(10) === 0 ? 40 : 12;
  return Array.from({ length: number(few) }, () => someField(number));
}

/** Makes the next header of a server: mostly the one before, with a change. */
function changed(fields, number) {
  const next = fields.map((field) => [...field]);
  const at = number(next.length + 1);
  const other = someField(number);
  switch (number(7)) {
    case 0: next.splice(at, 0, other); break;
    case 1: next.splice(at, 1); break;
    case 2: if (next[at]) next[at][1] = other[1]; break;
    case 3: if (next[at]) next[at][0] = anyCase(next[at][0], number); break;
    case 4: next.reverse(); break;
    default:
  }
  return next;
}

function contentsOf(headers) {
  // Not the prototype itself: Jest has an `Object` of its own.
  return JSON.stringify([Object.getPrototypeOf(headers)?.constructor.name, ...Object.entries(headers)]);
}

test('headers are what Node makes of the same fields, for whatever a server says after what', () => {
  const number = numbersFrom(20);
  let fields = [];
  for (let i = 0; i < 5_000; i++) {
    fields = number(8) === 0 ? someFields(number) : changed(fields, number);
    const options = {
      joinDuplicateHeaders: [undefined, false, true][number(3)],
      maxHeadersCount: [null, null, null, 0, 1, 4, 30, 31, 32, 2000][number(10)],
    };
    const expected = headersOfNode.call(responseWith(fields, options));
    const res = responseWith(fields, options);
    // Whoever has looked at the list before must find no difference.
    if (number(4) === 0) expect(Array.isArray(res.rawHeaders)).toBe(true);
    expect(contentsOf(res.headers)).toBe(contentsOf(expected));
  }
});

test('headers of two responses are two objects, also where both servers have said the same', () => {
  const fields = [['Server', 'a'], ['X-Id', '1']];
  const [first, second] = [responseWith(fields), responseWith(fields)];
  first.headers.server = 'changed';
  first.headers.added = 'too';
  expect(second.headers).toEqual({ server: 'a', 'x-id': '1' });
  expect(responseWith(fields).headers).toEqual({ server: 'a', 'x-id': '1' });
  const cookies = [['Set-Cookie', 'a=1']];
  responseWith(cookies).headers['set-cookie'].push('b=2');
  expect(responseWith(cookies).headers).toEqual({ 'set-cookie': ['a=1'] });
});

test('headers are made once, can be set, and are made anew when they are unset', () => {
  const res = responseWith([['Server', 'a']]);
  const { headers } = res;
  expect(res.headers).toBe(headers);
  const own = { mine: 'yes' };
  res.headers = own;
  expect(res.headers).toBe(own);
  res.headers = null;
  expect(res.headers).toEqual({ server: 'a' });
});

test('headers are Node\'s too while something is on the prototype of all objects, and afterwards', async () => {
  const peer = await serve((_req, res) => res.writeHead(200, { 'X-Id': 'own', Via: 'own' }).end());
  const main = async (http, address) => {
    const agent = new http.Agent({ keepAlive: true });
    const { once } = require('node:events');
    const seen = [];
    const look = async (times) => {
      for (let i = 0; i < times; i++) {
        const [res] = await once(http.get({ ...address, agent }), 'response');
        seen.push([res.headers['x-id'], res.headers.via, Object.keys(res.headers)]);
        await once(res.resume(), 'close');
      }
    };
    await look(2);
    Object.prototype['x-id'] = 'all';
    await look(2);
    delete Object.prototype['x-id'];
    await look(2);
    const accessor = { get: () => 'all', set() {}, enumerable: true, configurable: true };
    Object.defineProperty(Object.prototype, 'via', accessor);
    await look(2);
    delete Object.prototype.via;
    await look(1);
    agent.destroy();
    console.log(JSON.stringify(seen));
  };
  const ours = await runScript(main, { args: peer.address });
  const node = await runNode(['-e', `(${main})(require('node:http'), ${JSON.stringify(peer.address)})`]);
  expect(JSON.parse(node.stdout)[2][0]).toBe('all, own');
  expect(ours).toMatchObject({ stdout: node.stdout, stderr: '', code: 0 });
});

test('headers are made of rawHeaders as they are by then', () => {
  const changedList = responseWith([['Server', 'a'], ['X-Id', '1']]);
  changedList.rawHeaders[1] = 'b';
  expect(changedList.headers).toEqual({ server: 'b', 'x-id': '1' });
  const otherList = responseWith([['Server', 'a'], ['X-Id', '1']]);
  otherList.rawHeaders = ['Server', 'c'];
  expect(otherList.headers).toEqual(headersOfNode.call(otherList));
});

test('a field that is added by _addHeaderLines before or after the look at headers is there', () => {
  const before = responseWith([['Server', 'a']]);
  before._addHeaderLines(['Server', 'b', 'X', 'y'], 4);
  expect(before.headers).toEqual({ server: 'b', x: 'y' });
  const after = responseWith([['Server', 'a']]);
  expect(after.headers).toEqual({ server: 'a' });
  after._addHeaderLines(['Via', 'b', 'X', 'y'], 4);
  expect(after.headers).toEqual({ server: 'a', via: 'b', x: 'y' });
});

test('headers go through an _addHeaderLine that somebody has put in place of Node\'s', () => {
  const res = responseWith([['Server', 'a'], ['Via', 'b']]);
  res._addHeaderLine = (name, value, headers) => {
    headers[`${name}!`] = value;
  };
  expect(res.headers).toEqual({ 'Server!': 'a', 'Via!': 'b' });
});

test('more names than are remembered are all understood', () => {
  for (let i = 0; i < 1500; i++) {
    const res = responseWith([[`X-Name-${i}`, 'a'], ['Via', 'b'], [`x-name-${i}`, 'c']]);
    expect(res.headers).toEqual({ [`x-name-${i}`]: 'a, c', via: 'b' });
  }
});

test('headers of the responses of one connection are those of each', async () => {
  const peer = await serve((req, res) => {
    res.setHeader('ETag', `"${req.url}"`);
    if (req.url === '/cookie') res.setHeader('Set-Cookie', ['a=1', 'b=2']);
    res.end();
  });
  const agent = newAgent({ keepAlive: true, maxSockets: 1 });
  for (const path of ['/a', '/a', '/b', '/cookie', '/cookie', '/longer', '/a']) {
    const { res } = await exchange({ ...peer.address, agent, path });
    expect(res.headers.etag).toBe(`"${path}"`);
    expect(res.headers['set-cookie']).toEqual(path === '/cookie' ? ['a=1', 'b=2'] : undefined);
  }
});
