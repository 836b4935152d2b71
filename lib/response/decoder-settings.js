'use strict';

/** What a request asks of the decoder: as numbers, in the way of the REQUEST command of src/records/layout.rs. */

const http = require('node:http');

const { command } = require('../bridge/records');

/** The llhttp release to agree with, where releases differ: major << 16 | minor << 8 | patch. */
const LLHTTP = packVersion(process.versions.llhttp);

/** @param {string|undefined} version */
function packVersion(version = '9.4.3') {
  const [major, minor, patch] = version.split('.').map(Number);
  return (major << 16) | (minor << 8) | patch;
}

let warned = false;
const insecureByDefault = isOptionSet('insecure-http-parser');

/**
 * @param {string} name
 * @returns {boolean} Whether Node was started with an option that is on or off: by NODE_OPTIONS, or on the command
 *   line, which comes after it. The last one counts, and underscores are as good as dashes.
 */
function isOptionSet(name) {
  const options = [...(process.env.NODE_OPTIONS ?? '').split(/\s+/), ...process.execArgv]
    .map((option) => option.replaceAll('_', '-'));
  return options.lastIndexOf(`--${name}`) > options.lastIndexOf(`--no-${name}`);
}

/** @returns {boolean} Whether the process asks for the lenient parser; warns once, as Node does. */
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

/** httpValidation, where it is given, decides; then insecureHTTPParser; then the process. */
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
 * @returns {number} Bytes of header that a response may have.
 */
function maxHeaderSizeOf(req) {
  return req.maxHeaderSize || http.maxHeaderSize;
}

module.exports = { LLHTTP, flagsOf, maxHeaderSizeOf };
