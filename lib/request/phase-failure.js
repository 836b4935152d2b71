'use strict';

/** Ends a request that has taken too long in one of its phases: see lib/phases/timeouts.js. */

const { kRetry } = require('../response/request-end');

/**
 * Ends an attempt of a request that is tried again after such an error, or the request.
 * @param {import('./client-request').ClientRequest} req
 * @param {Error & { event: string }} error
 * @returns {boolean} True if there will be another attempt, so that the limit of the whole holds on.
 */
function failInPhase(req, error) {
  // Where a function of others makes the socket, that would come to a later attempt.
  if (error.event !== 'request' && req[kRetry] !== undefined && (req.socket || leaveQueue(req)) &&
      req[kRetry].takesLimit(error)) return true;
  callOff(req, error);
  return false;
}

/**
 * Calls a request off with an error. The request emits the error, and so does its response, if that is not whole. A
 * request that waits for a socket waits no longer, unlike one that its user calls off.
 * @param {import('./client-request').ClientRequest} req
 * @param {Error} error
 */
function callOff(req, error) {
  if (req[kRetry]?.isWaiting()) {
    req.destroy(error);
    return;
  }
  const { res } = req;
  if (res && !res.destroyed) {
    res.destroy(error);
    return;
  }
  req.destroy(error);
  if (req.socket) return;
  leaveQueue(req);
  req.onSocket(null, error);
}

/**
 * Takes a request out of the queue of its agent, if that has one.
 * @returns {boolean} True if it was there.
 */
function leaveQueue(req) {
  const table = req.agent?.requests;
  if (!table) return false;
  for (const name of Object.keys(table)) {
    const index = table[name].indexOf(req);
    if (index === -1) continue;
    table[name].splice(index, 1);
    if (table[name].length === 0) delete table[name];
    return true;
  }
  return false;
}

module.exports = { failInPhase };
