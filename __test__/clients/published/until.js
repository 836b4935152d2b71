'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

/** Waits for a condition, for as long as the scenario may take. */
async function until(condition) {
  while (!await condition()) await sleep(2);
}

module.exports = { until };
