'use strict';

/** Tells a request its error, and that it is closed. */

const diagnostics = require('node:diagnostics_channel');
const { debug } = require('../node/debug');
const { kStamps } = require('../phases/connecting');
const { addDetails } = require('../phases/error-details');
const { setImmediate } = require('../node/timing');

const errorChannel = diagnostics.channel('http.client.request.error');

/** Own property of a request: the error that destroy() was given, or its socket has failed with. */
const kError = Symbol('error');
/** Own property of a request that is tried again when it fails: its Retry. */
const kRetry = Symbol('retry');
/** Own property of a request: true when an error has been emitted on it. */
const kFailed = Symbol('failed');

/**
 * Emits an error on a request, and publishes it to diagnostics_channel.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {Error} error
 */
function emitError(req, error) {
  if (req[kRetry] !== undefined && req[kRetry].takesError(error)) return;
  req[kFailed] = true;
  const stamps = req[kStamps];
  // A request of Node's own client, which a proxy's tunnel has failed, has none.
  if (stamps !== undefined) {
    addDetails(error, req, stamps);
    stamps.onError();
  }
  if (debug) debug.onError(req, error);
  if (errorChannel.hasSubscribers) errorChannel.publish({ request: req, error });
  req.emit('error', error);
}

/**
 * @param {import('../request/client-request').ClientRequest} req
 * @returns {boolean} True if `emitError` has emitted an error on the request.
 */
function hasFailed(req) {
  return req[kFailed] === true;
}

/**
 * Emits 'close' on a request, unless that has been done.
 * @param {import('../request/client-request').ClientRequest} req
 */
function closeRequest(req) {
  if (req._closed || (req[kRetry] !== undefined && req[kRetry].holdsOpen())) return;
  req._closed = true;
  req[kStamps]?.onClose();
  req.emit('close');
}

/**
 * Calls two functions in turn, although listeners may throw in the first. The second is then called in a later turn, so
 * that the exception reaches 'uncaughtException' before it.
 * @param {() => void} first
 * @param {() => void} second
 */
function inTurn(first, second) {
  let threw = true;
  try {
    first();
    threw = false;
  } finally {
    if (threw) setImmediate(second);
  }
  second();
}

module.exports = { closeRequest, emitError, hasFailed, inTurn, kError, kRetry };
