'use strict';

/** ClientResponse: the response to a ClientRequest, made from a head record. */

const { IncomingMessage } = require('node:http');

const { kHeaders, kHeadersCount } = require('../node/internals');
const { event } = require('../bridge/records');
const { areOfNode, headersOf } = require('./response-headers');

/** Node's default for maxHeadersCount, in names and values together. */
const DEFAULT_MAX_HEADER_PAIRS = 2000;
/** Node takes header fields from its parser in lists of at most this many names and values. */
const BATCH = 62;
/** Since Node 22 a list that would go beyond the limit is cut; before, it was the last one that was taken. */
const CUTS_LISTS = Number.parseInt(process.versions.node, 10) >= 22;

/** Own properties of a response: its header fields as they came, and as the list that `rawHeaders` is. */
const kBlock = Symbol('block');
const kRawHeaders = Symbol('rawHeaders');
/** Own property of a response: it has a Keep-Alive field, which may say how long the peer keeps the connection. */
const kAnnouncesTimeout = Symbol('announcesTimeout');
/** Own property of a response: the peer has sent another one behind it, so what comes now is not its own. */
const kSuperseded = Symbol('superseded');
/** Own property of a response: how many names and values of them count. */
const kMostPairs = Symbol('mostPairs');

/**
 * The response to a ClientRequest.
 * @see https://nodejs.org/api/http.html#class-httpincomingmessage
 */
class ClientResponse extends IncomingMessage {
  /** Many responses are never asked for their header, so the list is made when it is first wanted. */
  get rawHeaders() {
    const block = this[kBlock];
    if (block !== undefined) {
      this[kBlock] = undefined;
      const most = this[kMostPairs];
      let list = listOf(block);
      if (list.length > BATCH) list = cut(list, most);
      this[kRawHeaders] = list;
      // For `headers` and `headersDistinct`, which are made from the list.
      this[kHeadersCount] = most > 0 ? Math.min(most, list.length) : list.length;
    }
    return this[kRawHeaders];
  }

  set rawHeaders(value) {
    this[kBlock] = undefined;
    this[kRawHeaders] = value;
  }

  /** Made without the list, as long as nobody has seen that. */
  get headers() {
    if (this[kHeaders]) return this[kHeaders];
    const block = this[kBlock];
    const most = this[kMostPairs];
    if (block === undefined || (most > 0 && most < BATCH) || !areOfNode(this)) return super.headers;
    const headers = headersOf(block, this.joinDuplicateHeaders, BATCH / 2);
    if (headers === undefined) return super.headers;
    this[kHeaders] = headers;
    return headers;
  }

  set headers(value) {
    super.headers = value;
  }
}

/**
 * Makes the response that a HEAD or INFORMATION record describes; the layout is in src/bridge/records.rs.
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
    res[kMostPairs] = mostPairsOf(req);
    res[kBlock] = slab.latin1Slice(fields, end);
  }
  return res;
}

/**
 * @param {ClientResponse} res An informational one.
 * @returns {import('node:http').InformationEvent} What listeners of 'information' get of it.
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

/** Most reason phrases are this one. */
function readReason(slab, start, end) {
  if (end - start === 2 && slab[start] === 0x4f && slab[start + 1] === 0x4b) return 'OK';
  return slab.latin1Slice(start, end);
}

/** How many names and values a response may show, by `maxHeadersCount`. */
function mostPairsOf({ maxHeadersCount }) {
  return typeof maxHeadersCount === 'number' ? maxHeadersCount * 2 : DEFAULT_MAX_HEADER_PAIRS;
}

/**
 * Gives a complete response its trailer fields.
 * @param {ClientResponse} res
 * @param {import('../request/client-request').ClientRequest} req
 * @param {string} block Names and values, each ended by LF.
 */
function addTrailers(res, req, block) {
  const list = cut(listOf(block), mostPairsOf(req));
  // The message is complete, which tells Node's own that these are trailers.
  res._addHeaderLines(list, list.length);
}

/**
 * Leaves out what Node would not have collected.
 * @param {string[]} list Names and values in turn.
 * @param {number} most So many of them, 0 for all.
 */
function cut(list, most) {
  if (most <= 0) return list;
  const kept = CUTS_LISTS ? most : Math.ceil(most / BATCH) * BATCH;
  return list.length > kept ? list.slice(0, kept) : list;
}

/** @returns {string[]} Names and values in turn. */
function listOf(block) {
  const list = block.split('\n');
  // Behind the last LF.
  list.pop();
  return list;
}

module.exports = { ClientResponse, addTrailers, createResponse, informationOf, kAnnouncesTimeout, kSuperseded };
