'use strict';

const { setImmediate } = require('../node/timing');

/**
 * Queue of the handles whose writing side ends in the next check phase. Their commands, and those of the closes that
 * mostly follow, go out with one doorbell; a shutdown and a close together are one system call.
 */
class ShutdownQueue {
  constructor() {
    /** @type {import('./native-handle').NativeHandle[]} */
    this.handles = [];
  }

  /**
   * Adds a handle of which the kernel has every byte. Nothing can go wrong that net.Socket would look at, so
   * JavaScript does not wait for the I/O thread to do it.
   * @param {import('./native-handle').NativeHandle} handle
   */
  add(handle) {
    if (this.handles.push(handle) === 1) setImmediate(run, this);
  }

  /** Ends the writing side of all handles. */
  run() {
    const { handles } = this;
    this.handles = [];
    let next = 0;
    try {
      while (next < handles.length) handles[next++].finishShutdown();
    } finally {
      // A listener has thrown; the others have their turn all the same.
      for (; next < handles.length; next++) this.add(handles[next]);
    }
  }
}

/** @param {ShutdownQueue} queue */
function run(queue) {
  queue.run();
}

module.exports = { ShutdownQueue };
