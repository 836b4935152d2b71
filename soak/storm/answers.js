'use strict';

/** Bytes of the answers of a storm, as the plan has them, and as the faults of servers spoil them. */

const { Random } = require('../../__test__/differential/random');
const { bytesOfBody } = require('./pattern');

/** Bytes of header fields that every client refuses: Node's client takes 16 KiB. */
const OVERLONG = 40_000;

/**
 * @param {import('./plan').Plan} plan
 * @returns {string} the value of the trailer field
 */
function trailerOf({ id }) {
  return `behind ${id}`;
}

/**
 * @param {import('./plan').Plan} plan
 * @param {string[]} fields in place of those that say where the body ends, or beside them
 * @returns {Buffer} the head of an answer, with its interim responses
 */
function headOf({ id, answer }, fields = framingFields(answer)) {
  const interim = `HTTP/1.1 103 Early Hints\r\nX-Id: ${id}\r\n\r\n`.repeat(answer.interim);
  const lines = [`HTTP/1.1 ${answer.status} Storm`, `X-Id: ${id}`, ...fields];
  if (!answer.keepsAlive) lines.push('Connection: close');
  if (answer.hasTrailers) lines.push('Trailer: X-Behind');
  return Buffer.from(`${interim}${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function framingFields({ framing, size }) {
  if (framing === 'length') return [`Content-Length: ${size}`];
  return framing === 'chunked' ? ['Transfer-Encoding: chunked'] : [];
}

/**
 * @param {import('./plan').Plan} plan
 * @returns {boolean} true when the answer has a body, which one to HEAD has not, whatever its head says
 */
function hasBody({ method, answer }) {
  return method !== 'HEAD' && answer.framing !== 'none';
}

/**
 * @param {import('./plan').Plan} plan
 * @returns {number} bytes of the body of which a user gets the whole answer
 */
function sizeToRead(plan) {
  if (!hasBody(plan)) return 0;
  return plan.fault === 'length too small' ? Math.floor(plan.at * plan.answer.size) : plan.answer.size;
}

/**
 * @param {import('./plan').Plan} plan
 * @param {Buffer} pattern
 * @returns {Buffer} the body of an answer in its framing
 */
function bodyOf(plan, pattern) {
  const { answer } = plan;
  if (!hasBody(plan)) return Buffer.alloc(0);
  const bytes = bytesOfBody(pattern, answer);
  return answer.framing === 'chunked' ? chunked(plan, bytes) : bytes;
}

function chunked(plan, bytes) {
  const { answer } = plan;
  const random = new Random(answer.seed);
  const largest = random.pick([1 + (bytes.length >> 3), 4096, 70_000]);
  const parts = [];
  for (let at = 0; at < bytes.length;) {
    const chunk = bytes.subarray(at, at + 1 + random.below(largest));
    const extension = random.oneIn(8) ? ';storm=1' : '';
    parts.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`), chunk, Buffer.from('\r\n'));
    at += chunk.length;
  }
  const trailers = answer.hasTrailers ? `X-Behind: ${trailerOf(plan)}\r\n` : '';
  parts.push(Buffer.from(`0\r\n${trailers}\r\n`));
  return Buffer.concat(parts);
}

/** Fields of a head that no client may take. */
const BAD_FIELDS = {
  'garbage for a field': (random) => random.pick(['X-Bad\0: 1', 'no field at all', 'X Y: 1', 'X-Bad: a\0b']),
  'garbage for a length': (random) => `Content-Length: ${random.pick(['12a', '-1', '1 2', 'x', '9'.repeat(20)])}`,
  'overlong header': () => `X-Long: ${'x'.repeat(OVERLONG)}`,
};

/**
 * @param {import('./plan').Plan} plan
 * @param {Buffer} pattern
 * @returns {Buffer} an answer that every client must refuse
 */
function refusedAnswer(plan, pattern) {
  const random = new Random(plan.answer.seed);
  const { fault, answer } = plan;
  if (fault === 'garbage for a status line') {
    return Buffer.from(random.pick([
      'garbage', '\0\0\0\0', 'HTTP/9.9 200 OK\r\n\r\n', 'HTTP/1.1 2x0 OK\r\n\r\n', 'HTTP/1.1 20000 OK\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00', 'HTTP 200\r\n\r\n',
    ]), 'latin1');
  }
  if (fault === 'garbage for a chunk size') {
    const bad = random.pick(['zz\r\n', '-1\r\n', ' \r\n', 'fffffffffffffffffff\r\n', '5 5\r\n']);
    return Buffer.concat([headOf(plan), Buffer.from(bad), Buffer.from('more\r\n')]);
  }
  if (fault === 'conflicting lengths') {
    const lengths = random.pick([
      [`Content-Length: ${answer.size}`, `Content-Length: ${answer.size + 1}`],
      ['Transfer-Encoding: chunked', `Content-Length: ${answer.size}`],
    ]);
    return Buffer.concat([headOf(plan, lengths), bodyOf(plan, pattern)]);
  }
  return headOf(plan, [BAD_FIELDS[fault](random), ...fault === 'garbage for a length' ? [] : framingFields(answer)]);
}

/**
 * @param {number} form which of the forms
 * @returns {Buffer} bytes for which no request has asked, in a form that a client might take for an answer
 */
function forgedBytes(form) {
  const forms = [
    'HTTP/1.1 200 OK\r\nX-Forged: 1\r\nContent-Length: 6\r\n\r\nforged',
    'HTTP/1.1 200 OK\r\nX-Forged: 1\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX-Forged: 1\r\nContent-Length: 4000\r\n\r\nforged',
    'HTTP/1.1 200 OK\r\nX-Forged: 1\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nforged\r\n',
    'HTTP/1.1 103 Early Hints\r\nX-Forged: 1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX-Forged: 1\r\n',
    'HTTP/1.1 204 No Content\r\nX-Forged: 1\r\n\r\n'.repeat(3),
    '\r\n', 'H', 'forged',
  ];
  return Buffer.from(forms[form % forms.length], 'latin1');
}

module.exports = { bodyOf, forgedBytes, headOf, refusedAnswer, sizeToRead, trailerOf };
