'use strict';

/** A wrong option throws where the request is made, before anything is connected. */

const nodeHttp = require('node:http');

const { http, newAgent, poolOf, serve, exchange } = require('../support');

const host = '127.0.0.1';

/** Every row: what is wrong, the options, the code of the error, its message. */
const WRONG_OPTIONS = [
  ['a method with a space', { method: 'G ET' }, 'ERR_INVALID_HTTP_TOKEN', 'Method must be a valid HTTP token ["G ET"]'],
  ['a method with CR LF', { method: 'GET\r\n' }, 'ERR_INVALID_HTTP_TOKEN',
    'Method must be a valid HTTP token ["GET\r\n"]'],
  ['a method beyond ASCII', { method: 'GÉT' }, 'ERR_INVALID_HTTP_TOKEN', 'Method must be a valid HTTP token ["GÉT"]'],
  ['a method that is a number', { method: 5 }, 'ERR_INVALID_ARG_TYPE',
    'The "options.method" property must be of type string. Received type number (5)'],
  ...['/a b', '/a\r\nb', '/\0', '/\t', '/\u0120', '/caf\u{1F600}', ' '].map((path) => [
    `the path ${JSON.stringify(path)}`, { path }, 'ERR_UNESCAPED_CHARACTERS',
    'Request path contains unescaped characters']),
  ...['', 'a b', 'a:', 'a\r\n', 'é', '(', '\0'].map((name) => [
    `the header name ${JSON.stringify(name)}`, { headers: { [name]: 'x' } }, 'ERR_INVALID_HTTP_TOKEN',
    `Header name must be a valid HTTP token ["${name}"]`]),
  ...['x\r\nY: z', 'x\n', '\0', '\x7f', '\u0100', '\u{1F600}'].map((value) => [
    `the header value ${JSON.stringify(value)}`, { headers: { Name: value } }, 'ERR_INVALID_CHAR',
    'Invalid character in header content ["Name"]']),
  ['a bad value in a list', { headers: { Name: ['x', 'y\r'] } }, 'ERR_INVALID_CHAR',
    'Invalid character in header content ["Name"]'],
  ['a header that is undefined', { headers: { Name: undefined } }, 'ERR_HTTP_INVALID_HEADER_VALUE',
    'Invalid value "undefined" for header "Name"'],
  ['an array of headers of odd length', { headers: ['Name'] }, 'ERR_INVALID_ARG_VALUE',
    "The argument 'headers' is invalid. Received [ 'Name' ]"],
  ['a bad name in an array of headers', { headers: ['a b', 'x'] }, 'ERR_INVALID_HTTP_TOKEN',
    'Header name must be a valid HTTP token ["a b"]'],
  ['a bad value in an array of headers', { headers: ['Name', 'x\ny'] }, 'ERR_INVALID_CHAR',
    'Invalid character in header content ["Name"]'],
  ['the protocol of https', { protocol: 'https:' }, 'ERR_INVALID_PROTOCOL',
    'Protocol "https:" not supported. Expected "http:"'],
  ['any other protocol', { protocol: 'gopher:' }, 'ERR_INVALID_PROTOCOL',
    'Protocol "gopher:" not supported. Expected "http:"'],
  ...[65536, -1, 1.5, Infinity].map((port) => [
    `port ${port}`, { port }, 'ERR_SOCKET_BAD_PORT',
    `Port should be >= 0 and < 65536. Received type number (${port}).`]),
  ['port http', { port: 'http' }, 'ERR_SOCKET_BAD_PORT',
    "Port should be >= 0 and < 65536. Received type string ('http')."],
  ['a host that is a number', { host: 5 }, 'ERR_INVALID_ARG_TYPE',
    'The "options.host" property must be of type string or one of undefined or null. Received type number (5)'],
  ['a hostname that is an object', { hostname: {} }, 'ERR_INVALID_ARG_TYPE',
    'The "options.hostname" property must be of type string or one of undefined or null. ' +
    'Received an instance of Object'],
  ['a lookup that is no function', { host: 'localhost', lookup: 'dns' }, 'ERR_INVALID_ARG_TYPE',
    'The "options.lookup" property must be of type function. Received type string (\'dns\')'],
  ['an unknown family', { host: 'localhost', family: 5 }, 'ERR_INVALID_ARG_VALUE',
    "The property 'options.family' must be one of: 0, 4, 6. Received 5"],
  ['unknown hints', { host: 'localhost', hints: 12345 }, 'ERR_INVALID_ARG_VALUE',
    "The argument 'hints' is invalid. Received 12345"],
  ['a localAddress that is none', { localAddress: 'here' }, 'ERR_INVALID_IP_ADDRESS', 'Invalid IP address: here'],
  ['a localPort that is a string', { localPort: 'x' }, 'ERR_INVALID_ARG_TYPE',
    'The "options.localPort" property must be of type number. Received type string (\'x\')'],
  ['a socketPath that is a number', { socketPath: 5 }, 'ERR_INVALID_ARG_TYPE', undefined],
  ['a timeout that is a string', { timeout: '1s' }, 'ERR_INVALID_ARG_TYPE',
    'The "timeout" argument must be of type number. Received type string (\'1s\')'],
  ...[-1, Infinity, NaN].map((timeout) => [
    `timeout ${timeout}`, { timeout }, 'ERR_OUT_OF_RANGE',
    `The value of "timeout" is out of range. It must be a non-negative finite number. Received ${timeout}`]),
  ['a maxHeaderSize that is a string', { maxHeaderSize: '1k' }, 'ERR_INVALID_ARG_TYPE', undefined],
  ['a negative maxHeaderSize', { maxHeaderSize: -1 }, 'ERR_OUT_OF_RANGE', undefined],
  ['an insecureHTTPParser that is a number', { insecureHTTPParser: 1 }, 'ERR_INVALID_ARG_TYPE', undefined],
  ['a joinDuplicateHeaders that is a number', { joinDuplicateHeaders: 1 }, 'ERR_INVALID_ARG_TYPE', undefined],
  ['a signal that is none', { signal: {} }, 'ERR_INVALID_ARG_TYPE', undefined],
  ['uniqueHeaders with a bad header', { uniqueHeaders: ['x'], headers: { x: '\0' } }, 'ERR_INVALID_CHAR', undefined],
];

describe('request() throws for', () => {
  it.each(WRONG_OPTIONS)('%s', async (_what, options, code, message) => {
    const agent = newAgent({ keepAlive: true });
    expect(() => http.request({ host, port: 1, agent, ...options })).toThrow(
      expect.objectContaining({ code, ...(message && { message }) }));
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 0, requests: 0 });
    expect(agent.totalSocketCount).toBe(0);

    const peer = await serve((req, res) => res.end());
    expect((await exchange({ ...peer.address, agent })).res.statusCode).toBe(200);
  });

  it.each([
    ['a URL without a scheme', 'example.org', 'ERR_INVALID_URL'],
    ['a URL with a port out of range', 'http://127.0.0.1:65536/', 'ERR_INVALID_URL'],
    ['a URL of another protocol', 'ftp://127.0.0.1/', 'ERR_INVALID_PROTOCOL'],
    ['a URL of https', new URL('https://127.0.0.1/'), 'ERR_INVALID_PROTOCOL'],
  ])('%s', (_what, url, code) => {
    expect(() => http.get(url)).toThrow(expect.objectContaining({ code }));
  });
});

describe('request() takes or refuses, with the message of Node,', () => {
  /** Tells what becomes of options: the error, or the values that the request has. */
  function outcomeOf(client, options) {
    try {
      const req = client.request({ agent: { addRequest() {}, defaultPort: 80, protocol: 'http:' }, ...options });
      const unique = Object.getOwnPropertySymbols(req).find(({ description }) => description === 'kUniqueHeaders');
      return { maxHeaderSize: req.maxHeaderSize, unique: req[unique] && [...req[unique]] };
    } catch ({ name, code, message }) {
      return { name, code, message };
    }
  }

  it.each([
    0, -0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 100, 2 ** 40, 2 ** 53 - 1, 2 ** 53, 1e300, 1.5, -1, -(2 ** 40), Infinity,
    -Infinity, NaN, '1', null, true, 1n,
  ])('maxHeaderSize %p', (maxHeaderSize) => {
    expect(outcomeOf(http, { maxHeaderSize })).toEqual(outcomeOf(nodeHttp, { maxHeaderSize }));
  });

  it.each([[['A', 'b']], [[]], ['A'], [{}]])('uniqueHeaders %p', (uniqueHeaders) => {
    expect(outcomeOf(http, { uniqueHeaders })).toEqual(outcomeOf(nodeHttp, { uniqueHeaders }));
  });

  // Early releases take what is no string, as its text.
  const itKnowsStrings = outcomeOf(nodeHttp, { uniqueHeaders: [1] }).name === 'TypeError' ? it : it.skip;
  itKnowsStrings.each([
    [[1]], [[null]], [[undefined]], [[{}]], [[true]], [[1n]], [[['A']]], [[Symbol('x')]],
    [[{ toLowerCase: () => 'x' }]],
  ])('uniqueHeaders %p', (uniqueHeaders) => {
    expect(outcomeOf(http, { uniqueHeaders })).toEqual(outcomeOf(nodeHttp, { uniqueHeaders }));
  });
});

describe('a request that is made throws for', () => {
  /** @returns a request that will not be sent, as its pool has no connection for it */
  function waitingRequest() {
    const agent = newAgent({ maxSockets: 1 });
    agent.addRequest = () => {};
    return http.request({ host, port: 1, agent });
  }

  it.each([
    ['setHeader with a bad name', (req) => req.setHeader('a b', 'x'), 'ERR_INVALID_HTTP_TOKEN'],
    ['setHeader with a bad value', (req) => req.setHeader('a', 'x\r\ny'), 'ERR_INVALID_CHAR'],
    ['setHeader without a value', (req) => req.setHeader('a'), 'ERR_HTTP_INVALID_HEADER_VALUE'],
    ['appendHeader with a bad value', (req) => req.appendHeader('a', '\n'), 'ERR_INVALID_CHAR'],
    ['addTrailers with a bad name', (req) => req.addTrailers({ 'a b': 'x' }), 'ERR_INVALID_HTTP_TOKEN'],
    ['addTrailers with a bad value', (req) => req.addTrailers({ a: 'x\r\n' }), 'ERR_INVALID_CHAR'],
    ['write of a number', (req) => req.write(5), 'ERR_INVALID_ARG_TYPE'],
    ['write of an object', (req) => req.write({}), 'ERR_INVALID_ARG_TYPE'],
    ['write of null', (req) => req.write(null), 'ERR_STREAM_NULL_VALUES'],
    ['write of nothing', (req) => req.write(), 'ERR_INVALID_ARG_TYPE'],
    ['end with a number', (req) => req.end(5), 'ERR_INVALID_ARG_TYPE'],
    ['setTimeout with a string', (req) => req.setTimeout('1s'), 'ERR_INVALID_ARG_TYPE'],
    ['setTimeout with a negative number', (req) => req.setTimeout(-1), 'ERR_OUT_OF_RANGE'],
  ])('%s', (_what, misuse, code) => {
    const req = waitingRequest();
    expect(() => misuse(req)).toThrow(expect.objectContaining({ code }));
    expect(req.destroyed).toBe(false);
  });

  it('setHeader after the header is made', () => {
    const req = waitingRequest();
    req.flushHeaders();
    expect(() => req.setHeader('a', 'b')).toThrow(expect.objectContaining({
      code: 'ERR_HTTP_HEADERS_SENT', message: 'Cannot set headers after they are sent to the client',
    }));
    expect(() => req.removeHeader('a')).toThrow(expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' }));
  });
});
