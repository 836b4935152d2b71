'use strict';

const bridge = require('./bridge');
const counts = require('./counts');

/**
 * Counters of this process since start.
 * @returns {import('../..').Stats}
 */
function stats() {
  const counters = bridge.counters();
  return {
    requests: counts.requests,
    responses: counts.responses,
    connectionsOpened: counters?.connectionsOpened ?? 0,
    connectionsReused: counts.connectionsReused,
    staleReplaced: counters?.staleReplaced ?? 0,
    bytesIn: counters?.bytesIn ?? 0,
    bytesOut: counters?.bytesOut ?? 0,
    doorbells: counters?.doorbells ?? 0,
    direct: counters?.direct ?? 0,
    drains: counts.drains,
    recordsPerDrain: counts.drains === 0 ? 0 : counts.records / counts.drains,
  };
}

module.exports = { stats };
