'use strict';

/**
 * How many written bytes of a connection may be on their way to the kernel before a write's callback waits for it.
 *
 * As many as the kernel has taken before, within limits: where it takes them fast, both threads always have something
 * to do, and a peer that is slow from the beginning costs no more memory than the smallest window.
 */

/** Also what a writer may be ahead before `write()` answers `false`, however fast the kernel is. */
const SMALLEST = 256 * 1024;
const LARGEST = 1024 * 1024;

/** Bytes after which the kernel's progress is asked for: often enough that a window moves on before it is full. */
const ASK_AFTER = SMALLEST / 2;

/**
 * @param {number} acknowledged Bytes of the connection that the kernel is known to have taken.
 * @returns {number}
 */
function writeWindow(acknowledged) {
  return Math.min(Math.max(acknowledged, SMALLEST), LARGEST);
}

module.exports = { ASK_AFTER, SMALLEST, writeWindow };
