'use strict';

/** ClientResponse: the response to a ClientRequest, made from a head record. */

const { IncomingMessage } = require('node:http');

const { event } = require('./records');

/** Node's default for maxHeadersCount, in names and values together. */
const DEFAULT_MAX_HEADER_PAIRS = 2000;

/**
 * The response to a ClientRequest.
 * @see https://nodejs.org/api/http.html#class-httpincomingmessage
 */
class ClientResponse extends IncomingMessage {}

/**
 * Makes the response that a HEAD or INFORMATION record describes; the layout is in src/bridge/records.rs.
 * @param {import('./client-request').ClientRequest} req
 * @param {import('node:net').Socket} socket
 * @param {number} flags
 * @param {Buffer} slab
 * @param {Int32Array} words The same memory.
 * @param {number} start
 * @param {number} end
 * @returns {ClientResponse}
 */
function createResponse(req, socket, flags, slab, words, start, end) {
  const res = new ClientResponse(socket);
  const numbers = words[start >> 2];
  const major = (numbers >> 16) & 0xff;
  const minor = numbers >>> 24;
  const reason = start + 8;
  const fields = reason + words[(start >> 2) + 1];
  res.httpVersionMajor = major;
  res.httpVersionMinor = minor;
  res.httpVersion = major === 1 && minor === 1 ? '1.1' : `${major}.${minor}`;
  res.statusCode = numbers & 0xffff;
  res.statusMessage = slab.latin1Slice(reason, fields);
  res.joinDuplicateHeaders = req.joinDuplicateHeaders;
  res.upgrade = (flags & event.UPGRADE) !== 0;
  if (fields < end) addFields(res, req, slab.latin1Slice(fields, end));
  return res;
}

/**
 * Gives a response its header fields, or, once it is complete, its trailer fields.
 * @param {ClientResponse} res
 * @param {import('./client-request').ClientRequest} req
 * @param {string} block Names and values, each ended by LF.
 */
function addFields(res, req, block) {
  const list = block.split('\n');
  // Behind the last LF.
  list.pop();
  const { maxHeadersCount } = req;
  const most = typeof maxHeadersCount === 'number' ? maxHeadersCount * 2 : DEFAULT_MAX_HEADER_PAIRS;
  res._addHeaderLines(list, most > 0 ? Math.min(most, list.length) : list.length);
}

module.exports = { ClientResponse, addFields, createResponse };
