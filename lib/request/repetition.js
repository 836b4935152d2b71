'use strict';

/** Has a request begun again when it fails: the option `retry`. */

const race = require('../addresses/race');
const { kRace } = require('../addresses/race-marks');
const { nextTick } = require('../node/timing');
const { kRetry } = require('../response/request-end');
const { createPolicy } = require('../retry/policy');
const { Retry } = require('../retry/retry');
const finishGuard = require('./finish-guard');

/**
 * The policy of each object of options, an agent's being that of many requests; undefined of one that is not ours.
 * @type {WeakMap<object, object|undefined>}
 */
const policies = new WeakMap();

/** @returns {import('../retry/policy').RetryPolicy|undefined} Undefined if the option is not ours. */
function policyOf(retry) {
  if (typeof retry !== 'object') return undefined;
  if (!policies.has(retry)) policies.set(retry, createPolicy(retry));
  return policies.get(retry);
}

/**
 * Gives a request a Retry, unless it is one that is never sent again.
 * @param {import('./client-request').ClientRequest} req
 * @param {object} retry The option.
 * @param {object} options Options of the request.
 * @param {object} client
 * @param {(req: object, options: object) => void} client.connect Asks for a socket.
 * @param {(req: object, socket: null, error?: Error) => void} client.refuse Closes a request that gets none.
 */
function start(req, retry, options, { connect, refuse }) {
  const policy = policyOf(retry);
  if (policy === undefined || !policy.methods.has(req.method) || req.method === 'CONNECT') return;
  req[kRetry] = new Retry(req, policy, {
    begin(again) {
      if (again[kRace] !== undefined) race.renew(again, options);
      try {
        connect(again, options);
      } catch (error) {
        again.destroyed = true;
        nextTick(refuse, again, null, error);
      }
    },
    refuse: (again, error) => nextTick(refuse, again, null, error),
    failEnd: finishGuard.failEnd,
  });
}

/**
 * Adds the callback of `end()`, whose arguments these are, to a request that writes its body itself.
 * @returns {import('./client-request').ClientRequest}
 */
function onceFinished(req, ...arguments_) {
  const callback = arguments_.find((argument) => typeof argument === 'function');
  if (callback) req.once('finish', callback);
  return req;
}

module.exports = { onceFinished, start };
