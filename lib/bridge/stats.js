'use strict';

const { bridge } = require('./bridge');
const counters = require('./counters');
const { mode, reason } = require('../ladder/rung');

/**
 * Tells what this process has done since its start.
 * @returns {import('../..').Stats}
 */
function stats() {
  const ioThread = bridge.ioThreadCounters();
  return {
    mode,
    reason,
    requests: counters.requests,
    responses: counters.responses,
    connectionsOpened: ioThread?.connectionsOpened ?? 0,
    connectionsReused: counters.connectionsReused,
    staleReplaced: ioThread?.staleReplaced ?? 0,
    bytesIn: ioThread?.bytesIn ?? 0,
    bytesOut: ioThread?.bytesOut ?? 0,
    doorbells: ioThread?.doorbells ?? 0,
    direct: ioThread?.direct ?? 0,
    tlsNative: counters.tlsNative,
    tlsOfNode: counters.tlsOfNode,
    drains: counters.drains,
    recordsPerDrain: counters.drains === 0 ? 0 : counters.records / counters.drains,
  };
}

module.exports = { stats };
