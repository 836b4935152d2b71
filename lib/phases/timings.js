'use strict';

/**
 * Makes `req.timings` of the stamps of a request, in the shape that @szmarczak/http-timer has made known. That package,
 * and so got, leaves a request alone that has it.
 */

const { dateNow, now } = require('../node/timing');

/**
 * Times are milliseconds since the epoch, with fractions; undefined for what has not happened.
 * @typedef {object} Timings
 * @property {number} start
 * @property {number|undefined} socket
 * @property {number|undefined} lookup
 * @property {number|undefined} connect
 * @property {number|undefined} secureConnect
 * @property {number|undefined} upload
 * @property {number|undefined} response
 * @property {number|undefined} end
 * @property {number|undefined} error
 * @property {number|undefined} abort
 * @property {Record<'wait'|'dns'|'tcp'|'tls'|'request'|'firstByte'|'download'|'total', number|undefined>} phases
 *   Milliseconds.
 */

/** Names of the stamps, in the order of http-timer. */
const TIMES = [
  'start', 'socket', 'lookup', 'connect', 'secureConnect', 'upload', 'response', 'end', 'error', 'abort',
];

/** Milliseconds between the epoch and the beginning of the monotonic clock, by object of the user. */
const offsets = new WeakMap();

/**
 * Makes the object that the user sees.
 * @param {import('./stamps').Stamps} stamps
 * @returns {Timings}
 */
function makeView(stamps) {
  const view = {};
  for (const name of TIMES) view[name] = undefined;
  view.phases = {};
  // Anew for each: the clock of the epoch is set from time to time, and stops when the machine sleeps.
  offsets.set(view, dateNow() - now());
  refresh(view, stamps);
  return view;
}

/**
 * Takes from the object what was known of an attempt of the request: all but its start.
 * @param {Timings} view
 */
function forget(view) {
  for (const name of TIMES) {
    if (name !== 'start') view[name] = undefined;
  }
}

/**
 * Writes into the object what is known now.
 * @param {Timings} view
 * @param {import('./stamps').Stamps} stamps
 */
function refresh(view, stamps) {
  const offset = offsets.get(view);
  for (const name of TIMES) {
    if (stamps[name] !== undefined) view[name] = offset + stamps[name];
  }
  const { start, socket, lookup, connect, secureConnect, upload, response, end } = stamps;
  const { phases } = view;
  phases.wait = between(start, socket);
  phases.dns = between(socket, lookup);
  phases.tcp = between(lookup, connect);
  phases.tls = between(connect, secureConnect);
  phases.request = between(secureConnect ?? connect, upload);
  phases.firstByte = between(upload, response);
  phases.download = between(response, end);
  phases.total = between(start, end ?? stamps.error ?? stamps.abort);
}

/**
 * @param {number|undefined} from
 * @param {number|undefined} to
 * @returns {number|undefined} Milliseconds, to the microsecond; 0 for what came before, as an answer that did not wait
 *   for the whole request.
 */
function between(from, to) {
  if (from === undefined || to === undefined) return undefined;
  return to > from ? Math.round((to - from) * 1000) / 1000 : 0;
}

module.exports = { forget, makeView, refresh };
