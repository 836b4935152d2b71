'use strict';

const { setTimeout: delay } = require('node:timers/promises');

const { LatencyHistogram } = require('./latency-histogram');

/** One request after the other. */
class Lane {
  /** @param {ClosedLoop} loop */
  constructor(loop) {
    this.loop = loop;
    this.startedAt = 0;
    this.onDone = this.onDone.bind(this);
  }

  next() {
    this.loop.inProgress++;
    this.startedAt = performance.now();
    this.loop.send(this.onDone);
  }

  /** @param {Error | null} [error] */
  onDone(error) {
    const { loop } = this;
    loop.inProgress--;
    if (error) {
      loop.running = false;
      loop.rejectDrained(error);
      return;
    }
    loop.count(performance.now() - this.startedAt);
    if (loop.running) {
      this.next();
    } else if (loop.inProgress === 0) {
      loop.resolveDrained();
    }
  }
}

/**
 * Keeps a fixed number of requests in progress: each lane sends its next request when its last one is answered.
 * The first request that fails ends the run.
 */
class ClosedLoop {
  /**
   * @param {(done: (error?: Error | null) => void) => void} send
   * @param {number} lanes
   */
  constructor(send, lanes) {
    this.send = send;
    this.completed = 0;
    this.latencies = new LatencyHistogram();
    this.running = true;
    this.inProgress = 0;
    this.awaited = { count: Infinity, reached() {} };
    this.drained = new Promise((resolve, reject) => {
      this.resolveDrained = resolve;
      this.rejectDrained = reject;
    });
    // Whoever waits at that time gets the error; that nobody does yet is no error of its own.
    this.drained.catch(() => {});
    for (let lane = 0; lane < lanes; lane++) {
      new Lane(this).next();
    }
  }

  /**
   * @param {number} milliseconds
   * @returns {Promise<void>} fulfilled after that time of requests
   */
  afterTime(milliseconds) {
    return this.orFailure(delay(milliseconds));
  }

  /**
   * @param {number} count
   * @returns {Promise<void>} fulfilled after that many more answers
   */
  afterAnswers(count) {
    return this.orFailure(new Promise((resolve) => {
      this.awaited = { count: this.completed + count, reached: resolve };
    }));
  }

  /** @returns {Promise<void>} fulfilled when no request is in progress any more */
  drain() {
    this.running = false;
    if (this.inProgress === 0) {
      this.resolveDrained();
    }
    return this.drained;
  }

  /**
   * @param {Promise<void>} awaited
   * @returns {Promise<void>}
   * @private
   */
  orFailure(awaited) {
    return Promise.race([awaited, this.drained]);
  }

  /**
   * @param {number} milliseconds
   * @private
   */
  count(milliseconds) {
    this.latencies.record(milliseconds);
    this.completed++;
    if (this.completed === this.awaited.count) {
      this.awaited.reached();
    }
  }
}

module.exports = { ClosedLoop };
