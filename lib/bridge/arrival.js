'use strict';

/**
 * Tells how far the JavaScript thread is with the events of the I/O thread, and when they happened. One look at the
 * clock serves all events of a page: it takes as long as many a step of a request.
 */
module.exports = {
  /** True while a drain is under way, and between it and the ticks that it makes due. */
  isUnderWay: false,
  /** Time of the last part of that drain, in milliseconds of `now` in lib/node/timing.js. */
  time: 0,
  /** Time at which the event has happened that is being dispatched; in ticks it is `time`. */
  happened: 0,
  /** True while a drain has been broken off: the rest of the events waits for another turn of the event loop. */
  isLaterDue: false,
};
