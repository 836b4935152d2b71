'use strict';

/**
 * The class of responses to a ClientRequest, which makes header fields when they are first read. It is there when
 * ferrequest is loaded, because it is exported; made-response.js, which makes responses, is loaded with the first
 * request.
 */

const { IncomingMessage } = require('node:http');

const { kStamps } = require('../phases/connecting');

/**
 * `made-response.js` sets these for the first request: symbols of Node's, and functions, by which a response makes its
 * header fields. A response without `kBlock` needs none of them.
 */
let kHeaders;
let kHeadersCount;
let areOfNode;
let headersOf;

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
    const block = this[kBlock];
    if (block === undefined) return super.headers;
    if (this[kHeaders]) return this[kHeaders];
    const most = this[kMostEntries];
    if ((most > 0 && most < LIST_LENGTH) || !areOfNode(this)) return super.headers;
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
 * Takes what header fields are made with.
 * @param {object} means
 */
function makeFieldsWith(means) {
  ({ kHeaders, kHeadersCount, areOfNode, headersOf } = means);
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
  cut,
  kAnnouncesTimeout,
  kBlock,
  kIterated,
  kMostEntries,
  kSuperseded,
  listOf,
  makeFieldsWith,
};
