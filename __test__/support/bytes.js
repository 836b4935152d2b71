'use strict';

/** Bytes of files that tests transfer, and what tells two of them apart. */

const { createCipheriv, createHash } = require('node:crypto');

/**
 * @param {number} size
 * @returns {Buffer} always the same bytes, made fast: the key stream of AES in counter mode
 */
function pseudoRandomFile(size) {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(size));
}

/**
 * @param {Buffer} bytes
 * @returns {string} in hexadecimal
 */
function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

module.exports = { pseudoRandomFile, sha256 };
