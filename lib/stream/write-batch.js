'use strict';

/**
 * Writes requests on TLS sockets in batches: those of one turn of the event loop go out together.
 *
 * Each write is a system call on this thread, which may have to wake the peer. In a burst, where each response is
 * followed by the next request, a peer on the same machine is woken for every request. That takes longer than the rest
 * of a request. The first request of a turn goes out at once, so nothing is delayed where there is no burst.
 */

const atExit = require('../bridge/at-exit');
const { now, setImmediate } = require('../node/timing');

/** Number of requests in the largest batch. */
const LARGEST = 64;
/** Milliseconds after which the next request sends the batch, so that the peer is not idle while this side works. */
const LONGEST = 2;

/** Transports whose sockets are corked. */
const held = [];
/** Time in milliseconds when the first of them was corked. */
let since = 0;
/** True when a request has gone out in this turn. */
let isBurst = false;

/**
 * Sends what a request has written so far, or holds it back until the end of the turn.
 * @param {import('../request/client-request').ClientRequest} req
 * @param {import('./stream-transport').StreamTransport} transport
 */
function flush(req, transport) {
  transport.isBatched = true;
  if (!isBurst) {
    isBurst = true;
    setImmediate(endTurn);
    req._flush();
    return;
  }
  const time = now();
  if (held.length === 0) since = time;
  // The process may end before the turn.
  if (held.length === 0) atExit.add(release);
  held.push(transport);
  transport.socket.cork();
  req._flush();
  if (held.length >= LARGEST || time - since > LONGEST) release();
}

/** Sends the batch of a turn, and lets the next request go out at once. */
function endTurn() {
  isBurst = false;
  release();
}

/** Sends the batch. */
function release() {
  atExit.remove(release);
  for (const transport of held.splice(0)) send(transport);
}

/**
 * Sends a request. An exception of its socket does not concern the request in whose tick this runs, nor those behind
 * it. It is thrown in a later turn, in the context of its own request. (A process that exits has no such turn.)
 * @param {import('./stream-transport').StreamTransport} transport
 */
function send(transport) {
  try {
    transport.uncork();
  } catch (exception) {
    transport.throwLater(exception);
  }
}

/**
 * Sends a request that is called off while it is held back: without a burst it would have been out already.
 * @param {import('./stream-transport').StreamTransport} transport
 */
function sendNow(transport) {
  const index = held.indexOf(transport);
  if (index === -1) return;
  held.splice(index, 1);
  send(transport);
}

module.exports = { flush, sendNow };
