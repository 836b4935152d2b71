'use strict';

/** Makes the settings of the decoder for a request: the numbers of the REQUEST command (lib/bridge/records.js). */

const http = require('node:http');

const { command } = require('../bridge/records');
const { isOptionSet } = require('../node/command-line');

/** Release of llhttp that the decoder agrees with, where releases differ: major << 16 | minor << 8 | patch. */
const LLHTTP = packVersion(process.versions.llhttp);

/** @param {string} [version] Release of llhttp in the running Node; by default the newest known. */
function packVersion(version = '9.4.3') {
  const [major, minor, patch] = version.split('.').map(Number);
  return (major << 16) | (minor << 8) | patch;
}

/** Bytes of the largest header limit that the REQUEST command can carry. Users may ask for more, and never need it. */
const LARGEST_HEADER_SIZE = 2 ** 32 - 1;

/** True when the warning has been emitted. */
let warned = false;
const insecureByDefault = isOptionSet('insecure-http-parser');

/** Tells whether the process asks for the lenient parser; warns once, as Node does. */
function isLenientByDefault() {
  if (insecureByDefault && !warned) {
    warned = true;
    process.emitWarning('Using insecure HTTP parsing');
  }
  return insecureByDefault;
}

/**
 * @param {import('../request/client-request').ClientRequest} req
 * @returns {number} Flags of the REQUEST command.
 */
function flagsOf(req) {
  let flags = 0;
  if (req.method === 'HEAD') flags = command.METHOD_HEAD;
  else if (req.method === 'CONNECT') flags = command.METHOD_CONNECT;
  return flags | (leniencyOf(req) << command.LENIENT_SHIFT);
}

/** Finds the leniency: httpValidation decides, then insecureHTTPParser, then the process. */
function leniencyOf(req) {
  switch (req.httpValidation) {
    case 'strict':
      return 0;
    case 'relaxed':
      return command.LENIENT_HEADER_VALUE;
    case 'insecure':
      return command.LENIENT_ALL;
    default: {
      const { insecureHTTPParser = isLenientByDefault() } = req;
      return insecureHTTPParser ? command.LENIENT_ALL : 0;
    }
  }
}

/**
 * @param {import('../request/client-request').ClientRequest} req
 * @returns {number} Bytes of header that a response has at most.
 */
function maxHeaderSizeOf(req) {
  return Math.min(req.maxHeaderSize || http.maxHeaderSize, LARGEST_HEADER_SIZE);
}

module.exports = { LLHTTP, flagsOf, maxHeaderSizeOf };
