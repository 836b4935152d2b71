'use strict';

/** What JavaScript counts for `stats()`; the I/O thread counts the rest. */
module.exports = { requests: 0, responses: 0, connectionsReused: 0, drains: 0, records: 0 };
