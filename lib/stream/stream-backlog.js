'use strict';

/**
 * Backlog of a stream: what has come and waits for a later turn of the event loop, in the order in which it came. A
 * listener that throws leaves the rest of its chunk there, so that nothing is lost and nothing overtakes it.
 */

const { AsyncResource } = require('node:async_hooks');
const { setImmediate } = require('../node/timing');

/**
 * Records that a listener has kept from being dispatched, because it threw.
 * @typedef {object} Rest
 * @property {Buffer} chunk Bytes that were decoded.
 * @property {Buffer} records Records in memory of their own.
 * @property {boolean} isCalledOff True if the request was destroyed already when the listener threw.
 */

/** Backlog of one transport, made when something has to wait; most streams never have one. */
class StreamBacklog {
  /** @param {import('./stream-transport').StreamTransport} transport */
  constructor(transport) {
    this.transport = transport;
    /** @type {Rest|null} */
    this.rest = null;
    /** Chunks behind the rest. @type {Buffer[]} */
    this.chunks = [];
    /** Events of the stream behind the chunks. @type {(() => void)[]} */
    this.events = [];
  }

  /** Has the backlog worked off from a later turn on. */
  schedule() {
    setImmediate(proceed, this, 1);
  }

  /** @returns {boolean} True if nothing waits any more. */
  isEmpty() {
    return this.rest === null && this.chunks.length === 0 && this.events.length === 0;
  }

  /**
   * Adds an event, which runs in the async context of this call.
   * @param {() => void} event
   */
  addEvent(event) {
    this.events.push(AsyncResource.bind(event));
  }

  /**
   * Works the first steps off, and has the others worked off in later turns, also if a listener throws.
   * @param {number} most Number of steps at most.
   */
  proceed(most) {
    const { transport } = this;
    try {
      for (let i = 0; i < most && !this.isEmpty(); i++) this.takeStep();
    } finally {
      if (!this.isEmpty()) this.schedule();
      else if (transport.backlog === this) transport.backlog = null;
    }
  }

  /** Gives the transport what came first. */
  takeStep() {
    const { rest, transport } = this;
    if (rest !== null) {
      this.rest = null;
      transport.dispatchRest(rest);
    } else if (this.chunks.length > 0) {
      transport.decodeLate(joined(this.takeChunks()));
    } else {
      this.events.shift()();
    }
  }

  /** @returns {Buffer[]} The chunks that wait; none does any more. */
  takeChunks() {
    const { chunks } = this;
    this.chunks = [];
    return chunks;
  }

  /**
   * Drops bytes and records, because the exchange is over.
   * @returns {boolean} True if there were some.
   */
  drop() {
    const had = this.rest !== null || this.chunks.length > 0;
    this.rest = null;
    this.chunks = [];
    return had;
  }
}

/**
 * @param {StreamBacklog} backlog
 * @param {number} most
 */
function proceed(backlog, most) {
  backlog.proceed(most);
}

/**
 * Joins chunks in memory of their own.
 * @param {Buffer[]} chunks
 * @returns {Buffer}
 */
function joined(chunks) {
  if (chunks.length === 1) return chunks[0];
  const bytes = Buffer.allocUnsafeSlow(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

module.exports = { StreamBacklog, joined };
