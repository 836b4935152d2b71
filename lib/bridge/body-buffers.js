'use strict';

/**
 * Buffers that the I/O thread reads the pieces of large bodies into. Users get them as they are; without them such a
 * piece is copied twice. JavaScript lays them out for the first large body, and takes them back when no request is in
 * progress. The other half is src/shared/body_buffers.rs.
 */

const { copyToOwnMemory } = require('../node/own-memory');

/** Bytes of a piece: the I/O thread reads as many at once, and a user gets no more at once. */
const PIECE = 64 * 1024;
/** Bytes from which the I/O thread copies a piece of a smaller body into a buffer, instead of its page. */
const LARGE_PIECE = 16 * 1024;
/** Buffers laid out: as many may wait for JavaScript before the I/O thread stops reading. */
const COUNT = 8;

class BodyBuffers {
  /** @param {InstanceType<import('../../binding').Bridge>} native */
  constructor(native) {
    this.native = native;
    /** Buffers by their places. No user may see one before a `BODY` event has told that its place is filled. */
    this.buffers = [];
    /** Large pieces that have come through pages since a request began with none in progress. */
    this.pieces = 0;
  }

  /**
   * Lays buffers out once a piece of full length, or several large ones, have come through a page: more will follow. A
   * smaller body that comes alone is not worth them.
   * @param {number} length Bytes of the piece.
   */
  prepare(length) {
    if (length < LARGE_PIECE || this.buffers.length > 0) return;
    if (++this.pieces < COUNT && length < PIECE) return;
    try {
      for (let place = 0; place < COUNT; place++) this.lay(place);
    } catch {
      // No memory: with fewer buffers, or none, more pieces come through pages.
    }
  }

  /**
   * Lays a buffer out.
   * @param {number} place
   */
  lay(place) {
    const buffer = Buffer.allocUnsafeSlow(PIECE);
    this.native.layBody(place, buffer);
    this.buffers[place] = buffer;
  }

  /**
   * Takes the bytes out of a filled place.
   * @param {number} place The place that a `BODY` event has told of.
   * @param {number} length Bytes in it.
   * @returns {Buffer} The bytes, in memory of their own.
   */
  take(place, length) {
    const buffer = this.buffers[place];
    try {
      if (length === PIECE) {
        this.lay(place);
        return buffer;
      }
      // A user who keeps a short piece would keep the whole buffer.
      const chunk = copyToOwnMemory(buffer, 0, length);
      this.native.reuseBody(place);
      return chunk;
    } catch (error) {
      // No memory. Places that stayed filled would stop the reading of all connections.
      this.native.reuseBody(place);
      throw error;
    }
  }

  /**
   * Lets a filled place be filled again, because its connection has no handle any more.
   * @param {number} place
   */
  drop(place) {
    this.native.reuseBody(place);
  }

  /** Takes all buffers back, unless the I/O thread uses one; the next large body has them laid out again. */
  release() {
    this.pieces = 0;
    if (this.buffers.length > 0 && this.native.takeBackBodies()) this.buffers.length = 0;
  }
}

module.exports = { BodyBuffers };
