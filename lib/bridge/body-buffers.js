'use strict';

/**
 * Buffers that the I/O thread reads the pieces of large bodies into, and that users then get as they are: without them
 * such a piece is copied twice. They are laid out when a body turns out to be large, and taken back when no request is
 * in progress. The other half is src/shared/body_buffers.rs.
 */

const { copyToOwnMemory } = require('./own-memory');

/** Bytes of a piece: what the I/O thread reads at once, and the most that a user gets at once. */
const PIECE = 64 * 1024;
/** As many as may wait for JavaScript before the I/O thread stops to read. */
const COUNT = 8;

class BodyBuffers {
  /** @param {InstanceType<import('../../binding').Bridge>} native */
  constructor(native) {
    this.native = native;
    /** By their places. Nobody else may see one before its place is told to be filled. */
    this.buffers = [];
  }

  /** A piece as long as this has come by the other way: more will follow. */
  prepare(length) {
    if (length < PIECE || this.buffers.length > 0) return;
    try {
      for (let place = 0; place < COUNT; place++) this.lay(place);
    } catch {
      // No memory: with fewer, or none, more pieces come by the other way.
    }
  }

  lay(place) {
    const buffer = Buffer.allocUnsafeSlow(PIECE);
    this.native.layBody(place, buffer);
    this.buffers[place] = buffer;
  }

  /**
   * @param {number} place Of which a `BODY` event has told.
   * @param {number} length So many bytes.
   * @returns {Buffer} They, in memory of their own.
   */
  take(place, length) {
    const buffer = this.buffers[place];
    try {
      if (length === PIECE) {
        this.lay(place);
        return buffer;
      }
      // The rest would be kept with them.
      const chunk = copyToOwnMemory(buffer, 0, length);
      this.native.reuseBody(place);
      return chunk;
    } catch (error) {
      // No memory. Places that stayed filled would stop the reading of all connections.
      this.native.reuseBody(place);
      throw error;
    }
  }

  /** Nobody wants the bytes. */
  drop(place) {
    this.native.reuseBody(place);
  }

  /** Until another large body comes. */
  release() {
    if (this.buffers.length > 0 && this.native.takeBackBodies()) this.buffers.length = 0;
  }
}

module.exports = { BodyBuffers };
