'use strict';

/** A peer that does not speak HTTP: the request fails with the code and the place that llhttp tells. */

const util = require('node:util');
const { http, newAgent, serve, exchange, untilPoolIsEmpty, serveAnswer, runScript } = require('../support');
const { describeDeliveries } = require('../support/transports');

const OK = 'HTTP/1.1 200 OK\r\n';
const NOT_HTTP = ['HPE_INVALID_CONSTANT', 'Expected HTTP/, RTSP/ or ICE/', 0];

/** Rows of bytes that a peer sends, the code of the error, its reason, and the number of good bytes. */
const GARBAGE = [
  ['binary bytes', '\x00\x01\xff\xfe\r\n\r\n', ...NOT_HTTP],
  ['the banner of SSH', 'SSH-2.0-OpenSSH_9.6\r\n', ...NOT_HTTP],
  ['HTML without a header', '<html></html>', ...NOT_HTTP],
  ['a request', 'GET / HTTP/1.1\r\n\r\n', ...NOT_HTTP],
  ['http in lower case', 'http/1.1 200 OK\r\n\r\n', ...NOT_HTTP],
  ['an alert of TLS', '\x15\x03\x03\x00\x02\x02\x46', ...NOT_HTTP],
  ['a version without a dot', 'HTTP/2 200\r\n\r\n', 'HPE_INVALID_VERSION', 'Expected dot', 6],
  ['version 1.2', 'HTTP/1.2 200 OK\r\n\r\n', 'HPE_INVALID_VERSION', 'Invalid HTTP version', 8],
  ['version 3.0', 'HTTP/3.0 200 OK\r\n\r\n', 'HPE_INVALID_VERSION', 'Invalid HTTP version', 8],
  ['a letter after the version', 'HTTP/1.1a 200 OK\r\n\r\n', 'HPE_INVALID_VERSION', 'Expected space after version', 8],
  ['no space after the version', 'HTTP/1.1200 OK\r\n\r\n', 'HPE_INVALID_VERSION', 'Expected space after version', 8],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'HPE_INVALID_STATUS', 'Invalid status code', 11],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'HPE_INVALID_STATUS', 'Invalid response status', 12],
  ['a status that is no number', 'HTTP/1.1 2x0 OK\r\n\r\n', 'HPE_INVALID_STATUS', 'Invalid status code', 10],
  ['a space in a header name', `${OK}X Y: z\r\n\r\n`, 'HPE_INVALID_HEADER_TOKEN', 'Invalid header token', 18],
  ['a space before the colon', `${OK}X : z\r\n\r\n`, 'HPE_INVALID_HEADER_TOKEN', 'Invalid header token', 18],
  ['a header line without a colon', `${OK}Xyz\r\n\r\n`, 'HPE_INVALID_HEADER_TOKEN', 'Invalid header token', 20],
  ['a header without a name', `${OK}: y\r\n\r\n`, 'HPE_INVALID_HEADER_TOKEN', 'Invalid header token', 17],
  ['a control character in a header value', `${OK}X: a\x01b\r\n\r\n`, 'HPE_INVALID_HEADER_TOKEN',
    'Invalid header value char', 21],
  ['a NUL in a header value', `${OK}X: a\0b\r\n\r\n`, 'HPE_INVALID_HEADER_TOKEN', 'Invalid header value char', 21],
  ['a CR in a header value', `${OK}X: a\rb\r\n\r\n`, 'HPE_LF_EXPECTED', 'Missing expected LF after header value', 22],
  ['lines that end with LF alone', 'HTTP/1.1 200 OK\nX: y\n\nbody', 'HPE_CR_EXPECTED',
    'Missing expected CR after response line', 16],
  ['a header that begins with space', `${OK} X: y\r\n\r\n`, 'HPE_UNEXPECTED_SPACE',
    'Unexpected space after start line', 18],
  ['a folded header (RFC 9112 section 5.2)', `${OK}X: y\r\n z\r\nContent-Length: 0\r\n\r\n`, 'HPE_INVALID_HEADER_TOKEN',
    'Unexpected whitespace after header value', 23],
];

describeDeliveries('garbage', (receive, isWhole) => {
  it.each(GARBAGE)('%s is an error', async (_what, bytes, code, reason, bytesParsed) => {
    const { error, res } = await receive(bytes);
    expect(res).toBeUndefined();
    expect(error).toMatchObject({ code, reason, message: `Parse Error: ${reason}` });
    if (!isWhole) return;
    expect(error.bytesParsed).toBe(bytesParsed);
    expect(error.rawPacket.toString('latin1')).toBe(bytes);
  });

  it('in the trailers aborts the response and fails the request', async () => {
    const { error, res } = await receive(`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX Y: z\r\n\r\n`);
    expect(error).toMatchObject({ code: 'HPE_INVALID_HEADER_TOKEN' });
    expect(res.complete).toBe(false);
    expect(res.aborted).toBe(true);
    expect(res.errored).toMatchObject({ code: 'ECONNRESET', message: 'aborted' });
  });

  it('behind an interim response is an error', async () => {
    const { error } = await receive('HTTP/1.1 100 Continue\r\n\r\nnonsense\r\n\r\n');
    expect(error).toMatchObject({ code: 'HPE_INVALID_CONSTANT' });
  });

  it('behind a whole response does not spoil it', async () => {
    const { res, body } = await receive(`${OK}Content-Length: 2\r\n\r\nhinonsense\r\n\r\n`);
    expect(body).toBe('hi');
    expect(res.complete).toBe(true);
  });
});

describeDeliveries('what is odd but allowed', (receive) => {
  it.each([
    ['no reason phrase', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi', { statusCode: 200, statusMessage: '' }],
    ['an empty reason phrase', 'HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi', { statusCode: 200, statusMessage: '' }],
    ['bytes beyond ASCII in it', 'HTTP/1.1 200 \xe9t\xe9\r\nContent-Length: 2\r\n\r\nhi',
      { statusMessage: '\xe9t\xe9' }],
    ['version 1.0', 'HTTP/1.0 200 OK\r\n\r\nhi', { httpVersion: '1.0', httpVersionMajor: 1, httpVersionMinor: 0 }],
    ['empty lines before the status line', `\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`, { statusCode: 200 }],
    ['status 099', 'HTTP/1.1 099 Odd\r\n\r\nhi', { statusCode: 99 }],
    ['status 999', 'HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi', { statusCode: 999 }],
    ['bytes beyond ASCII in a header value', `${OK}X: \xe9\r\nContent-Length: 2\r\n\r\nhi`,
      { rawHeaders: expect.arrayContaining(['X', '\xe9']) }],
    ['an empty header value', `${OK}X:\r\nContent-Length: 2\r\n\r\nhi`,
      { headers: expect.objectContaining({ x: '' }) }],
    ['space around a header value', `${OK}X: \t y z \t\r\nContent-Length: 2\r\n\r\nhi`,
      { headers: expect.objectContaining({ x: 'y z' }) }],
  ])('%s', async (_what, bytes, expected) => {
    const { error, res, body } = await receive(bytes);
    expect(error).toBeUndefined();
    expect(res).toMatchObject(expected);
    expect(res.complete).toBe(true);
    expect(body).toBe('hi');
  });
});

it('twenty requests at once to a peer that sends garbage fail each on its own, and the agent goes on', async () => {
  const agent = newAgent({ keepAlive: true, maxSockets: 4 });
  const bad = await serveAnswer('not HTTP\r\n\r\n');
  const good = await serve((req, res) => res.end('fine'));
  const results = await Promise.allSettled(
    Array.from({ length: 40 }, (_, index) => exchange({ ...(index % 2 ? bad : good).address, agent })));
  expect(results.map(({ value, reason }) => reason?.code ?? value.body.toString())).toEqual(
    Array(20).fill(['fine', 'HPE_INVALID_CONSTANT']).flat());
  agent.destroy();
  await untilPoolIsEmpty(agent);
});

it('garbage that nobody listens for is an uncaught exception with its code', async () => {
  const peer = await serveAnswer('not HTTP\r\n\r\n');
  const { stdout, code } = await runScript((module, address) => {
    process.on('uncaughtException', (error) => process.stdout.write(`${error.code} ${error.bytesParsed}`));
    module.get(address);
  }, { args: peer.address });
  expect(stdout).toBe('HPE_INVALID_CONSTANT 0');
  expect(code).toBe(0);
});

it('errors are instances of Error with a stack', async () => {
  const peer = await serveAnswer('not HTTP\r\n\r\n');
  const error = await new Promise((resolve) => { http.get(peer.address).on('error', resolve); });
  expect(util.types.isNativeError(error)).toBe(true);
  expect(error.stack).toMatch(/^Error: Parse Error: Expected HTTP\//);
});
