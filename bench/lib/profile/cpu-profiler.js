'use strict';

const inspector = require('node:inspector');
const { promisify } = require('node:util');

const SAMPLING_INTERVAL_US = 100;

/**
 * V8's sampling profiler, switched on for a part of the process's life only. What it gives is what `--cpu-prof`
 * writes, without start-up and warm-up.
 */
class CpuProfiler {
  constructor() {
    this.session = new inspector.Session();
    this.session.connect();
    this.post = promisify(this.session.post.bind(this.session));
  }

  /** @returns {Promise<void>} */
  async start() {
    await this.post('Profiler.enable');
    await this.post('Profiler.setSamplingInterval', { interval: SAMPLING_INTERVAL_US });
    await this.post('Profiler.start');
  }

  /** @returns {Promise<import('node:inspector').Profiler.Profile>} */
  async stop() {
    const { profile } = await this.post('Profiler.stop');
    this.session.disconnect();
    return profile;
  }
}

module.exports = { CpuProfiler };
