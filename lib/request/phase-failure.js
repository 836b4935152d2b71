'use strict';

/** Ends a request that has taken too long in one of its phases: see lib/phases/timeouts.js. */

const { kRetry } = require('../response/request-end');

/**
 * Calls a request off with an error. The request emits the error, and so does its response, if that is not whole. A
 * request that waits for a socket waits no longer, unlike one that its user calls off.
 * @param {import('./client-request').ClientRequest} req
 * @param {Error} error
 */
function failInPhase(req, error) {
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

/** Takes a request out of the queue of its agent, if that has one. */
function leaveQueue(req) {
  const table = req.agent?.requests;
  if (!table) return;
  for (const name of Object.keys(table)) {
    const index = table[name].indexOf(req);
    if (index === -1) continue;
    table[name].splice(index, 1);
    if (table[name].length === 0) delete table[name];
    return;
  }
}

module.exports = { failInPhase };
