'use strict';

/** Requests from start to end, and the bytes they carry. */

const http = require('./http');

/**
 * @param {import('node:http').ClientRequest} req
 * @returns {Promise<import('node:http').IncomingMessage>} the response; rejects with the request's error
 */
function responseTo(req) {
  return new Promise((resolve, reject) => {
    req.once('response', resolve);
    req.once('error', reject);
  });
}

/**
 * @param {import('node:stream').Readable} stream
 * @returns {Promise<Buffer>} all its bytes; rejects if it fails or closes before its end
 */
function bytesOf(stream) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('closed before its end')));
  });
}

/**
 * Makes a request and reads its response to the end.
 * @param {object} options of the request; `body`: what to end it with
 * @returns {Promise<{ req: http.ClientRequest, res: http.IncomingMessage, body: Buffer }>}
 */
async function exchange({ body, ...options }) {
  const req = http.request(options);
  const response = responseTo(req);
  req.end(body);
  const res = await response;
  return { req, res, body: await bytesOf(res) };
}

/**
 * Deterministic bytes that no framing repeats (xorshift32).
 * @param {number} length
 * @param {number} [seed] not 0
 * @returns {Buffer}
 */
function pseudoRandomBytes(length, seed = 0x9e3779b9) {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed | 0;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state & 0xff;
  }
  return bytes;
}

/** Bytes that the kernel's buffers of two connections, there and back, do not hold: somebody has to read. */
const MORE_THAN_KERNEL_HOLDS = 24 * 1024 * 1024;

module.exports = { MORE_THAN_KERNEL_HOLDS, responseTo, bytesOf, exchange, pseudoRandomBytes };
