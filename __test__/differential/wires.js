'use strict';

/**
 * What servers answer, as bytes (latin1): the table on which the decoder is tested, and what only a whole client can be
 * asked: several messages, connections that end or go on, uploads that meet an early answer.
 */

const TABLE = require('../fixtures/responses.json');

const OK = 'HTTP/1.1 200 OK\r\n';
const HI = `${OK}Content-Length: 2\r\n\r\nhi`;
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n';

/** @param {string[]} lines of a header, without line ends */
const ok = (...lines) => `${[OK.trim(), ...lines].join('\r\n')}\r\n\r\n`;

/** `count` header lines, the number of each in name and value. */
const numbered = (count) => Array.from({ length: count }, (_, i) => `x-${i}: ${i}`);

/** Whether the connection is kept, as the peer says it. */
const CONNECTIONS = [
  'close', 'Close', 'keep-alive', 'Keep-Alive', 'keep-alive, close', 'close, keep-alive', 'upgrade', 'x', '', ' ', ',',
  'close,', 'Upgrade, close', 'keep-alive, x', 'closed', 'a close',
].flatMap((value) => [
  [`HTTP/1.1 with Connection: ${JSON.stringify(value)}`, `${OK}Connection: ${value}\r\nContent-Length: 2\r\n\r\nhi`],
  [`HTTP/1.0 with Connection: ${JSON.stringify(value)}`,
    `HTTP/1.0 200 OK\r\nConnection: ${value}\r\nContent-Length: 2\r\n\r\nhi`],
]);

/** How long it is kept. */
const HINTS_OF_TIME = [
  'timeout=5', 'timeout=1', 'timeout=0', 'timeout=2', 'timeout=5, max=100', 'max=100, timeout=5', 'timeout=',
  'timeout=x', 'Timeout=1', 'timeout=99999999', 'timeout=1.5', 'timeout=-1', 'max=1', 'max=0', '', 'timeout=5;max=1',
  ' timeout=1',
].map((value) => [`Keep-Alive: ${JSON.stringify(value)}`,
  `${OK}Keep-Alive: ${value}\r\nContent-Length: 2\r\n\r\nhi`]);

/** Fields that Node joins, drops or lists when they are repeated. */
const REPEATED = [
  'Age', 'Authorization', 'Content-Type', 'ETag', 'Expires', 'Host', 'Last-Modified', 'Location', 'Max-Forwards',
  'Proxy-Authorization', 'Referer', 'Retry-After', 'Server', 'User-Agent', 'Set-Cookie', 'Cookie', 'X-Own', 'Accept',
  'Vary', 'Via', 'Warning', 'From', 'If-Modified-Since', 'If-Unmodified-Since', 'Upgrade-Insecure-Requests', 'Date',
  'Allow', '__proto__', 'constructor', 'toString',
].map((name) => [`${name} twice`, `${OK}${name}: a\r\n${name.toUpperCase()}: b\r\nContent-Length: 0\r\n\r\n`]);

/** Statuses, each without length, with one, and chunked. */
const STATUSES = [
  101, 199, 200, 201, 204, 205, 206, 300, 302, 304, 400, 407, 417, 426, 500, 599, 999,
].flatMap((status) => [
  [`${status} without length`, `HTTP/1.1 ${status} X\r\n\r\n`],
  [`${status} without length, with bytes`, `HTTP/1.1 ${status} X\r\n\r\nhi`],
  [`${status} with a length`, `HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\nhi`],
  [`${status} chunked`, `HTTP/1.1 ${status} X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n`],
]);

/** Before the final response. */
const INTERIM = [
  ['100 Continue unasked', CONTINUE + HI],
  ['100 Continue twice', CONTINUE + CONTINUE + HI],
  ['100 Continue with fields', `HTTP/1.1 100 Go on\r\nX: y\r\nX: z\r\n\r\n${HI}`],
  ['100 Continue and nothing else', CONTINUE],
  ['102 and 103', `HTTP/1.1 102 Processing\r\n\r\n${HINTS}${HI}`],
  ['103 that says close', `HTTP/1.1 103 X\r\nConnection: close\r\n\r\n${HI}`],
  ['103 of HTTP/1.0', `HTTP/1.0 103 X\r\n\r\n${HI}`],
  ['199', `HTTP/1.1 199 X\r\n\r\n${HI}`],
  ['103 with a length and a body', `HTTP/1.1 103 X\r\nContent-Length: 2\r\n\r\nhi${HI}`],
  ['103 chunked', `HTTP/1.1 103 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n${HI}`],
  ['103 with Upgrade', `HTTP/1.1 103 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n${HI}`],
  ['103 before a response that closes', HINTS + ok('Connection: close', 'Content-Length: 0')],
  ['103 before a response that ends with the connection', `${HINTS}${OK}\r\nbody`],
  ['103 before an upgrade', `${HINTS}${SWITCH}head`],
  ['103 before garbage', `${HINTS}garbage\r\n\r\n`],
  ['forty interim responses', CONTINUE.repeat(20) + HINTS.repeat(20) + HI],
  ['101 without Upgrade, then a response', `HTTP/1.1 101 X\r\n\r\n${HI}`],
];

/** What comes after a whole response. */
const REMAINS = [
  ['a second response', HI + HI], ['a third response', HI.repeat(3)],
  ['a second response that is cut', HI + HI.slice(0, 20)],
  ['a second response with trailers', `${HI}${CHUNKED}2\r\nno\r\n0\r\nX: y\r\n\r\n`],
  ['a second response that upgrades', HI + SWITCH], ['a second response that is a 204', `${HI}HTTP/1.1 204 X\r\n\r\n`],
  ['a second response that is bad', `${HI}HTTP/1.1 abc\r\n\r\n`], ['an interim response', HI + CONTINUE],
  ['an interim response and a final one', HI + CONTINUE + HI], ['garbage', `${HI}garbage`], ['a line end', `${HI}\r\n`],
  ['a bare LF', `${HI}\n`], ['a bare CR', `${HI}\r`], ['many line ends', `${HI}${'\r\n'.repeat(10)}`],
  ['a space', `${HI} `],
  ['NUL', `${HI}\0`], ['one letter', `${HI}H`], ['a request', `${HI}GET / HTTP/1.1\r\n\r\n`],
  ['a line end and a response', `${HI}\r\n${HI}`], ['TLS', `${HI}\x15\x03\x01\0\x02\x02\x46`],
].flatMap(([name, bytes]) => [
  [`${name} behind the response`, bytes],
  [`${name} behind a response that closes`, bytes.replace(OK, `${OK}Connection: close\r\n`)],
  [`${name} behind a 204`, bytes.replace(HI, 'HTTP/1.1 204 No Content\r\n\r\n')],
  [`${name} behind a 304`, bytes.replace(HI, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n')],
  [`${name} behind a chunked response`, bytes.replace(HI, `${CHUNKED}2\r\nhi\r\n0\r\n\r\n`)],
]);

/** Ends before the end. */
const CUT = [
  ['nothing', ''], ['one letter', 'H'], ['half a status line', 'HTTP/1.1 2'], ['a status line', OK],
  ['half a header', `${OK}X: `],
  ['a header line', `${OK}X: y\r\n`], ['half the end of a header', `${OK}X: y\r\n\r`],
  ['a head with a length', ok('Content-Length: 5')],
  ['half a body', `${ok('Content-Length: 5')}hel`], ['a head that is chunked', CHUNKED],
  ['half a chunk size', `${CHUNKED}5`],
  ['half a chunk', `${CHUNKED}5\r\nhel`], ['a chunk', `${CHUNKED}5\r\nhello\r\n`], ['a last chunk', `${CHUNKED}0\r\n`],
  ['half a trailer', `${CHUNKED}0\r\nX: y`], ['a trailer', `${CHUNKED}0\r\nX: y\r\n`], ['a head without length', ok()],
  ['a body without length', `${ok()}hello`], ['a body of HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nhello'],
  ['half of a 103', HINTS.slice(0, 30)],
].map(([name, bytes]) => [`${name} and no more`, bytes]);

/** For the limits that a request can set. */
const LIMITS = [
  ['ten fields', ok(...numbered(10), 'Content-Length: 0')],
  ['a thousand fields', ok(...numbered(999), 'Content-Length: 0')],
  ['a thousand and one fields', ok(...numbered(1000), 'Content-Length: 0')],
  ['twelve hundred fields', ok(...numbered(1199), 'Content-Length: 0')],
  ['forty trailer fields', `${CHUNKED}0\r\n${numbered(40).join('\r\n')}\r\n\r\n`],
  ['twelve hundred trailer fields', `${CHUNKED}0\r\n${numbered(1200).join('\r\n')}\r\n\r\n`],
  ['fields and trailers', `${OK}${numbered(30).join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${
    numbered(30).join('\r\n')}\r\n\r\n`],
  ['a field of 300 bytes', ok(`X: ${'v'.repeat(300)}`, 'Content-Length: 0')],
  ['a field of 17,000 bytes', ok(`X: ${'v'.repeat(17000)}`, 'Content-Length: 0')],
  ['a trailer field of 300 bytes', `${CHUNKED}0\r\nX: ${'v'.repeat(300)}\r\n\r\n`],
  ['a trailer field of 17,000 bytes', `${CHUNKED}0\r\nX: ${'v'.repeat(17000)}\r\n\r\n`],
  ['a reason phrase of 300 bytes', `HTTP/1.1 200 ${'r'.repeat(300)}\r\nContent-Length: 0\r\n\r\n`],
  ['a name of 300 bytes', ok(`${'n'.repeat(300)}: v`, 'Content-Length: 0')],
  ['a chunk extension of 300 bytes', `${CHUNKED}2;${'e'.repeat(300)}\r\nhi\r\n0\r\n\r\n`],
  ['a body of 20,000 bytes', `${ok('Content-Length: 20000')}${'b'.repeat(20000)}`],
  ['a body of 20,000 bytes in chunks', `${CHUNKED}${'a\r\n0123456789\r\n'.repeat(2000)}0\r\n\r\n`],
];

/** For those who asked for another protocol, and those who did not. */
const PROTOCOLS = [
  ['an upgrade', SWITCH], ['an upgrade with its first bytes', `${SWITCH}head`],
  ['an upgrade with bytes that look like HTTP', SWITCH + HI],
  ['an upgrade without Connection', 'HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\nhead'],
  ['an upgrade with close', 'HTTP/1.1 101 X\r\nConnection: close, upgrade\r\nUpgrade: x\r\n\r\nhead'],
  ['an upgrade with a length', 'HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 4\r\n\r\nhead'],
  ['an upgrade that is chunked',
    'HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhead\r\n'],
  ['a 200 with Upgrade', `${ok('Connection: upgrade', 'Upgrade: x', 'Content-Length: 2')}hi`],
  ['a 200 with Upgrade and no length', `${ok('Connection: upgrade', 'Upgrade: x')}hi`],
  ['a 426 with Upgrade', 'HTTP/1.1 426 X\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nhi'],
  ['an upgrade of HTTP/1.0', 'HTTP/1.0 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhead'],
];

/** To CONNECT. */
const CONNECTED = [
  ['a tunnel', ok()], ['a tunnel with its first bytes', `${ok()}head`],
  ['a tunnel with a length', `${ok('Content-Length: 4')}head`],
  ['a tunnel that is chunked', `${CHUNKED}4\r\nhead\r\n`],
  ['a refusal with a length', 'HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno'],
  ['a refusal that closes', 'HTTP/1.1 403 No\r\nConnection: close\r\n\r\nno'],
  ['a 103 before a tunnel', `${HINTS}${ok()}head`],
  ['a 100 before a tunnel', `${CONTINUE}${ok()}head`], ['a tunnel that upgrades', `${SWITCH}head`],
  ['a 204 to CONNECT', 'HTTP/1.1 204 X\r\n\r\nhead'], ['garbage to CONNECT', 'garbage'],
];

/**
 * @param {object} request What kind of request it answers.
 * @param {...[string, string][]} lists Names and bytes.
 */
const toWires = (request, ...lists) => lists.flat().map(([name, bytes]) => ({ name, bytes, ...request }));

/** Repetitions in the table are given as [text, times]. */
const textOf = (piece) => (typeof piece === 'string' ? piece : piece[0].repeat(piece[1]));

/**
 * Every answer, with the method of the request for which it is made.
 * @type {{ name: string, bytes: string, method: string, expect?: boolean }[]}
 */
const WIRES = [
  ...TABLE.map(({ name, method, bytes }) => ({ name, method, bytes: bytes.map(textOf).join('') })),
  ...toWires({ method: 'GET' }, CONNECTIONS, HINTS_OF_TIME, REPEATED, STATUSES, INTERIM, REMAINS, CUT, LIMITS),
  ...toWires({ method: 'GET' }, PROTOCOLS),
  ...toWires({ method: 'HEAD' }, CONNECTIONS.slice(0, 12), STATUSES, INTERIM, REMAINS.slice(0, 40), CUT.slice(-9)),
  ...toWires({ method: 'CONNECT' }, CONNECTED, INTERIM),
  ...toWires({ method: 'POST' }, CONNECTIONS.slice(0, 8), STATUSES.slice(-24), REMAINS.slice(0, 20), CUT),
  ...toWires({ method: 'POST', expect: true }, INTERIM, STATUSES.slice(-32), CUT),
];

module.exports = { WIRES };
