'use strict';

/** Makes the response to a ClientRequest from a HEAD record. */

const { ClientResponse, cut, kBlock, kMostEntries, listOf, makeFieldsWith } = require('./client-response');
const { areOfNode, headersOf } = require('./response-headers');
const { event } = require('../bridge/records');
const { kHeaders, kHeadersCount } = require('../node/internals');

/** Names and values that a response shows at most, unless `maxHeadersCount` says otherwise. */
const DEFAULT_MOST_ENTRIES = 2000;

makeFieldsWith({ kHeaders, kHeadersCount, areOfNode, headersOf });

/**
 * Makes the response that a HEAD or INFORMATION record describes; lib/bridge/records.js has the layout.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {number} flags
 * @param {Buffer} slab
 * @param {Int32Array} words The same memory.
 * @param {number} start
 * @param {number} end
 * @returns {ClientResponse}
 */
function createResponse(req, flags, slab, words, start, end) {
  const res = new ClientResponse(req.socket);
  const numbers = words[start >> 2];
  const major = (numbers >> 16) & 0xff;
  const minor = numbers >>> 24;
  const reason = start + 8;
  const fields = reason + words[(start >> 2) + 1];
  res.httpVersionMajor = major;
  res.httpVersionMinor = minor;
  res.httpVersion = major === 1 && minor === 1 ? '1.1' : `${major}.${minor}`;
  res.statusCode = numbers & 0xffff;
  res.statusMessage = readReason(slab, reason, fields);
  res.joinDuplicateHeaders = req.joinDuplicateHeaders;
  res.upgrade = (flags & event.UPGRADE) !== 0;
  if (fields < end) {
    res[kMostEntries] = mostEntriesOf(req);
    res[kBlock] = slab.latin1Slice(fields, end);
  }
  return res;
}

/**
 * Makes the argument of listeners of 'information'.
 * @param {ClientResponse} res An informational response.
 * @returns {import('node:http').InformationEvent}
 */
function informationOf(res) {
  return {
    statusCode: res.statusCode,
    statusMessage: res.statusMessage,
    httpVersion: res.httpVersion,
    httpVersionMajor: res.httpVersionMajor,
    httpVersionMinor: res.httpVersionMinor,
    headers: res.headers,
    rawHeaders: res.rawHeaders,
  };
}

/** Reads the reason phrase; most are OK, for which no string is made. */
function readReason(slab, start, end) {
  if (end - start === 2 && slab[start] === 0x4f && slab[start + 1] === 0x4b) return 'OK';
  return slab.latin1Slice(start, end);
}

/** @returns {number} Names and values that a response shows at most; 0 for all. */
function mostEntriesOf({ maxHeadersCount }) {
  return typeof maxHeadersCount === 'number' ? maxHeadersCount * 2 : DEFAULT_MOST_ENTRIES;
}

/**
 * Gives a complete response its trailer fields.
 * @param {ClientResponse} res
 * @param {import('../request/client-request').ClientRequest} req
 * @param {string} block Names and values, each ended by LF.
 */
function addTrailers(res, req, block) {
  const list = cut(listOf(block), mostEntriesOf(req));
  // The message is complete, which tells Node's own that these are trailers.
  res._addHeaderLines(list, list.length);
}

module.exports = { addTrailers, createResponse, informationOf };
