'use strict';

const { threadCpu } = require('./proc');

const TICK_MS = 10;

// After a long wait for its turn it does not hold the thread for longer than this at once.
const LONGEST_HOLD_MS = 20;

/**
 * Holds the JavaScript thread for a share of the time, as the rest of an application would. It works off what it owes
 * since its start, so that the share is the same however late its timer is called.
 */
class BusyWork {
  /** @param {number} share between 0 and 1 */
  constructor(share) {
    this.share = share;
    this.startedAt = performance.now();
    this.spentMs = 0;
    // Less than that where the thread had to wait for a processor.
    this.spentCpuUs = 0;
    this.timer = setInterval(() => this.work(), TICK_MS);
  }

  /** @private */
  work() {
    const cpuBefore = threadCpu('/proc/self');
    const startedAt = performance.now();
    const owed = (startedAt - this.startedAt) * this.share - this.spentMs;
    const until = startedAt + Math.min(owed, LONGEST_HOLD_MS);
    let now = startedAt;
    while (now < until) {
      now = performance.now();
    }
    this.spentMs += now - startedAt;
    this.spentCpuUs += threadCpu('/proc/self') - cpuBefore;
  }

  stop() {
    clearInterval(this.timer);
  }
}

module.exports = { BusyWork };
