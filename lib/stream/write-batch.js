'use strict';

/**
 * Requests that go out on TLS sockets in one turn of the event loop are written in batches.
 *
 * Each is a system call on this thread, and one that may have to wake the peer: where responses come in bursts, and
 * each is followed by the next request, a peer on the same machine is woken for every single one, which takes longer
 * than all the rest of a request. The first one of a turn goes out at once, so nothing is delayed where there is no
 * burst.
 */

const { setImmediate } = require('node:timers');

const atExit = require('../bridge/at-exit');

/** How many requests are held back at most. */
const LARGEST = 64;
/** For how many milliseconds at most, if more requests come: the peer is not to be idle while this side is at work. */
const LONGEST = 2;

/** Transports whose sockets are corked. */
const held = [];
/** When the first of them was. */
let since = 0;
/** Whether a request has gone out in this turn. */
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
  const now = performance.now();
  if (held.length === 0) since = now;
  // The process may end before the turn.
  if (held.length === 0) atExit.add(release);
  held.push(transport);
  transport.socket.cork();
  req._flush();
  if (held.length >= LARGEST || now - since > LONGEST) release();
}

function endTurn() {
  isBurst = false;
  release();
}

function release() {
  atExit.remove(release);
  for (const transport of held.splice(0)) transport.uncork();
}

/**
 * Sends what is held back of a request that is called off: without a burst it would have been out already.
 * @param {import('./stream-transport').StreamTransport} transport
 */
function sendNow(transport) {
  const index = held.indexOf(transport);
  if (index === -1) return;
  held.splice(index, 1);
  transport.uncork();
}

module.exports = { flush, sendNow };
