'use strict';

/** What client and server of a measurement of memory agree on. */

/** Requests that the server answers when all have come. */
const TOGETHER = 100;

/** Responses of which a client reads the beginning, and the rest later. */
const LARGE = {
  '/gibibyte': { size: 2 ** 30, words: 'a response of 1 GiB' },
  '/pieces': { size: 2 ** 18, words: 'a response of 256 KiB in chunks of 1 byte' },
};

module.exports = { LARGE, TOGETHER };
