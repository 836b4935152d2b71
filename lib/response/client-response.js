'use strict';

/** Makes the response to a ClientRequest from a HEAD record: header fields when they are first read. */

const { IncomingMessage } = require('node:http');

const { kHeaders, kHeadersCount } = require('../node/internals');
const { event } = require('../bridge/records');
const { kStamps } = require('../phases/connecting');
const { areOfNode, headersOf } = require('./response-headers');

/** Names and values that a response shows at most, unless `maxHeadersCount` says otherwise. */
const DEFAULT_MOST_ENTRIES = 2000;
/** Names and values that a list has at most in which Node takes header fields from its parser. */
const LIST_LENGTH = 62;

/** Own properties of a response: its header fields as they came, each name and value ended by LF, and as a list. */
const kBlock = Symbol('block');
const kRawHeaders = Symbol('rawHeaders');
/** Own property of a response: false if it has no Keep-Alive field, which could say how long the peer waits. */
const kAnnouncesTimeout = Symbol('announcesTimeout');
/** Own property of a response: the peer has sent another one behind it, so what comes now is not its own. */
const kSuperseded = Symbol('superseded');
/** Own property of a response: true when an async iterator reads it, or has read it. */
const kIterated = Symbol('iterated');
/** Own property of a response: the number of names and values that it shows at most. */
const kMostEntries = Symbol('mostEntries');

/**
 * The response to a ClientRequest.
 * @see https://nodejs.org/api/http.html#class-httpincomingmessage
 */
class ClientResponse extends IncomingMessage {
  /** Makes the list when it is first read: many responses are never asked for their header. */
  get rawHeaders() {
    const block = this[kBlock];
    if (block !== undefined) {
      this[kBlock] = undefined;
      const most = this[kMostEntries];
      let list = listOf(block);
      if (list.length > LIST_LENGTH) list = cut(list, most);
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

  /** Makes the object without the list, as long as the user has not read that. */
  get headers() {
    if (this[kHeaders]) return this[kHeaders];
    const block = this[kBlock];
    const most = this[kMostEntries];
    if (block === undefined || (most > 0 && most < LIST_LENGTH) || !areOfNode(this)) return super.headers;
    const headers = headersOf(block, this.joinDuplicateHeaders, LIST_LENGTH / 2);
    if (headers === undefined) return super.headers;
    this[kHeaders] = headers;
    return headers;
  }

  set headers(value) {
    super.headers = value;
  }

  /** Gives the times of the exchange: those of the request. */
  get timings() {
    return this.req?.timings;
  }

  set timings(value) {
    Object.defineProperty(this, 'timings', { value, configurable: true, enumerable: true, writable: true });
  }

  /** Notes that the reader does not keep up with the peer: what has come is read later. */
  pause() {
    this.req?.[kStamps]?.onPause();
    return super.pause();
  }

  /** Notes that there is an iterator: see `endUnread` in exchange-end.js. */
  [Symbol.asyncIterator]() {
    this[kIterated] = true;
    return super[Symbol.asyncIterator]();
  }
}

/** Users, util.inspect() and stacks see the class of Node. */
Object.defineProperty(ClientResponse.prototype, 'constructor', { value: IncomingMessage });

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

/**
 * Leaves out the fields beyond the limit, as Node's parser does since Node 22.22.
 * @param {string[]} list Names and values in turn.
 * @param {number} most Names and values at most; 0 for all.
 */
function cut(list, most) {
  return most > 0 && list.length > most ? list.slice(0, most) : list;
}

/**
 * Splits a header block.
 * @param {string} block Names and values, each ended by LF.
 * @returns {string[]} Names and values in turn.
 */
function listOf(block) {
  const list = block.split('\n');
  // Behind the last LF.
  list.pop();
  return list;
}

module.exports = {
  ClientResponse,
  addTrailers,
  createResponse,
  informationOf,
  kAnnouncesTimeout,
  kIterated,
  kSuperseded,
};
