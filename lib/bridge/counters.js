'use strict';

/** Counters of the JavaScript thread, for `stats()`. The I/O thread keeps its own; see `ioThreadCounters`. */
module.exports = { requests: 0, responses: 0, connectionsReused: 0, drains: 0, records: 0, tlsNative: 0, tlsOfNode: 0 };
