'use strict';

/**
 * Feeds the Rust decoder from a JavaScript stream: a TLS socket, a Duplex that createConnection returned, a socket of
 * another agent. The records go to the same functions as those of a NativeHandle.
 */

const { AsyncResource } = require('node:async_hooks');
const { setImmediate } = require('node:timers');

const { GROUPS_A_TURN, StreamDecoder } = require('../bridge/bridge');
const counters = require('../bridge/counters');
const { parseError } = require('../node/errors');
const { runTicks } = require('../node/internals');
const { LLHTTP, flagsOf, maxHeaderSizeOf } = require('../response/decoder-settings');
const { HEADER_SIZE, event } = require('../bridge/records');
const { retire } = require('../response/exchange-end');
const { guard, unguard } = require('../response/idle-guard');
const responseEvents = require('../response/response-events');
const { kTransport, listen, requestOf } = require('../response/socket-events');

/** Memory for the records of a chunk; those that do not fit get memory of their own. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);
const scratchWords = new Int32Array(scratch.buffer);
let scratchInUse = false;

/** Transports whose bytes wait for the next turn of the event loop. */
let waiting = [];

/** Stages of the exchange of a transport. */
/** No request of ours has the stream. */
const CLOSED = 0;
/** A request has the stream; the decoder is armed with the first chunk of the response. */
const WAITING = 1;
/** The decoder has begun. */
const DECODING = 2;

/** Decodes the responses that come on one stream, for one request after the other. */
class StreamTransport {
  /** @param {import('node:stream').Duplex} socket */
  constructor(socket) {
    this.socket = socket;
    this.outgoing = null;
    this.decoder = new StreamDecoder();
    this.resource = null;
    this.stage = CLOSED;
    this.flags = 0;
    this.maxHeaderSize = 0;
    /** True if write-batch.js may hold a request back: on a TLS socket, but the first. */
    this.mayHoldBack = false;
    /** True if write-batch.js has sent the request. */
    this.isBatched = false;
    /** Bytes that came before the callback of that write, or while a chunk is decoded. @type {Buffer|null} */
    this.early = null;
    /** True while a chunk is decoded and its records are dispatched. */
    this.isExecuting = false;
  }

  /** True while no request of ours has the stream; for the guard. */
  get isIdle() {
    return this.stage === CLOSED;
  }

  /**
   * Starts to read the response to a request.
   * @param {import('../request/client-request').ClientRequest} req
   * @param {import('node:stream').Duplex} socket
   * @returns {StreamTransport}
   */
  static start(req, socket) {
    const transport = socket[kTransport] ??= new StreamTransport(socket);
    transport.isBatched = false;
    transport.early = null;
    transport.flags = flagsOf(req);
    transport.maxHeaderSize = maxHeaderSizeOf(req);
    transport.outgoing = req;
    transport.resource = new AsyncResource('HTTPCLIENTREQUEST');
    transport.stage = WAITING;
    counters.requests++;
    guard(socket, transport);
    listen(socket, 'data', onSocketData);
    return transport;
  }

  /** Leaves the bytes of the socket to its next user. */
  stopListening() {
    unguard(this.socket);
    this.socket.removeListener('data', onSocketData);
  }

  /**
   * Ends an exchange behind the last byte of the response, or at one that the decoder has refused. The listener of
   * 'data' goes, as that of Node's client: one that is there when the response closes says that the body was cut.
   */
  finish() {
    if (this.stage === CLOSED) return;
    // Behind the response, and for no request.
    if (this.early !== null || this.socket.readableLength > 0) retire(this.socket);
    this.close();
    this.socket.removeListener('data', onSocketData);
  }

  /** Ends an exchange: bytes that still come are not for this request. */
  close() {
    if (this.stage === CLOSED) return;
    this.stage = CLOSED;
    this.early = null;
    const { socket } = this;
    this.mayHoldBack = socket.encrypted === true;
    if (socket.parser === this) socket.parser = null;
    if (this.outgoing.parser === this) this.outgoing.parser = null;
    this.resource.emitDestroy();
    this.resource = null;
  }

  /** Sends a request that was held back, in its async context. */
  uncork() {
    const { resource, socket } = this;
    if (resource === null) socket.uncork();
    else resource.runInAsyncScope(socket.uncork, socket);
  }

  /**
   * Decodes a chunk. A chunk that comes before the callback of the write waits for that, because a request finishes
   * before its response. (A write near the end of a turn is called back near the end of the next one.) A chunk that
   * comes while another is decoded waits too: a listener has made the stream emit it, as an empty write to TLS does.
   * @param {Buffer} chunk
   */
  receive(chunk) {
    if (this.early !== null) {
      this.early = Buffer.concat([this.early, chunk]);
    } else if (this.isExecuting) {
      this.early = chunk;
    } else if (this.isWriting()) {
      this.early = chunk;
      // Behind the callbacks of TLS writes, which are due now.
      if (waiting.length === 0) setImmediate(receiveWaiting);
      waiting.push(this);
    } else {
      this.resource.runInAsyncScope(this.execute, this, chunk);
    }
  }

  /** Tells whether the request has gone out in a batch whose callback is still to come. */
  isWriting() {
    return this.isBatched && this.socket.writableLength > 0;
  }

  /** Decodes the bytes that have waited, unless the request has been called off. */
  catchUp() {
    if (this.isExecuting) return;
    const chunk = this.takeEarly();
    if (chunk === null) return;
    this.isBatched = false;
    this.resource.runInAsyncScope(this.execute, this, chunk);
  }

  /** @returns {Buffer|null} The bytes that have waited; null if there are none, or nobody wants them. */
  takeEarly() {
    const chunk = this.early;
    this.early = null;
    return this.stage === CLOSED || this.outgoing.destroyed ? null : chunk;
  }

  /**
   * Postpones the end of the stream while bytes wait.
   * @param {(this: import('node:stream').Duplex) => void} onEnd Called later if the end has to wait.
   * @returns {boolean} True if the end has to wait.
   */
  postpones(onEnd) {
    if (this.early === null) return false;
    setImmediate(() => onEnd.call(this.socket));
    return true;
  }

  /** Tells whether the end of the stream completes the message. */
  endsMessage() {
    return this.stage === DECODING && this.decoder.finish(scratch) !== 0;
  }

  /**
   * Decodes a chunk, and then those that have come meanwhile.
   * @param {Buffer|null} chunk
   */
  execute(chunk) {
    this.isExecuting = true;
    try {
      for (; chunk !== null; chunk = this.takeEarly()) this.executeOne(chunk);
    } finally {
      this.isExecuting = false;
      // A listener has thrown.
      if (this.early !== null) setImmediate(receiveOne, this);
    }
  }

  /**
   * Decodes a chunk and dispatches its records.
   * @param {Buffer} chunk
   */
  executeOne(chunk) {
    const nested = scratchInUse;
    // A listener that makes another socket emit 'data' comes back here before this chunk is done.
    let records = nested ? Buffer.alloc(0) : scratch;
    let length = this.decode(chunk, records);
    if (length < 0) {
      records = this.decoder.take();
      length = -length;
    }
    scratchInUse = true;
    try {
      this.dispatch(chunk, records, length);
    } finally {
      scratchInUse = nested;
    }
  }

  /** @returns {number} Bytes of records; negative if they did not fit. */
  decode(chunk, records) {
    if (this.stage === DECODING) return this.decoder.execute(chunk, records);
    this.stage = DECODING;
    return this.decoder.begin(chunk, records, this.flags, this.maxHeaderSize, LLHTTP);
  }

  /**
   * Retires or destroys a stream that brings bytes which no request of ours has asked for. They are behind a response
   * whose request is still being written, or are meant to be taken for the next response. Those for Node's own client,
   * if that has the socket, are left alone.
   */
  onUnaskedData() {
    const { outgoing, socket } = this;
    const req = socket._httpMessage;
    if (!req) socket.destroy();
    else if (req === outgoing || requestOf(socket)) retire(socket);
  }

  /** Gives records to response-events.js. */
  dispatch(chunk, records, length) {
    const { socket } = this;
    const words = records === scratch ? scratchWords : wordsOf(records);
    let upgraded = -1;
    for (let at = 0; at < length;) {
      const word = at >> 2;
      const opcode = words[word] & 0xff;
      const flags = words[word] >>> 8;
      const start = at + HEADER_SIZE;
      const end = start + words[word + 2];
      at = start + ((words[word + 2] + 3) & ~3);
      switch (opcode) {
        case event.INFORMATION:
          responseEvents.onInformation(socket, flags, records, words, start, end);
          break;
        case event.HEAD:
          responseEvents.onHead(socket, flags, records, words, start, end);
          if (flags & event.UPGRADE) upgraded = words[word + 1];
          break;
        case event.DATA: {
          const offset = words[start >> 2];
          responseEvents.onBody(socket, chunk.subarray(offset, offset + words[(start >> 2) + 1]));
          break;
        }
        case event.END:
          if (flags & event.FOLLOWED) retire(socket);
          responseEvents.onEnd(socket, records, start, end);
          break;
        case event.PARSE_ERROR:
          responseEvents.onParseError(socket, parseError(records, words, start, end, chunk));
          break;
        default:
      }
    }
    if (upgraded !== -1) responseEvents.onUpgrade(socket, this.headOf(chunk.subarray(upgraded)));
  }

  /** Puts the bytes that have come meanwhile behind those of an upgrade. */
  headOf(bytes) {
    const { early } = this;
    this.early = null;
    return early === null ? bytes : Buffer.concat([bytes, early]);
  }
}

/** Gives the memory of a buffer as words; a buffer with memory of its own is aligned. */
function wordsOf(buffer) {
  if (buffer.byteOffset % 4 !== 0) buffer = Buffer.from(Uint8Array.prototype.slice.call(buffer));
  return new Int32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
}

/** @this {import('node:stream').Duplex} */
function onSocketData(chunk) {
  const transport = this[kTransport];
  if (transport.stage !== CLOSED) transport.receive(chunk);
}

/** Decodes the bytes that have waited on one transport. */
function receiveOne(transport) {
  transport.catchUp();
}

/** Gives the responses of a burst to their requests, as those of the I/O thread are given. */
function receiveWaiting() {
  const due = waiting;
  waiting = [];
  // Where only the event loop can run ticks, each has a turn of its own.
  const end = runTicks === undefined ? 1 : due.length;
  let at = 0;
  try {
    while (at < end) {
      const transport = due[at++];
      // A stream of JavaScript's may call back by an immediate of its own, behind this one.
      if (transport.isWriting()) setImmediate(receiveOne, transport);
      else transport.catchUp();
      if (at % GROUPS_A_TURN === 0) runTicks?.();
    }
  } finally {
    // Also when a listener has thrown.
    if (at < due.length) {
      if (waiting.length === 0) setImmediate(receiveWaiting);
      waiting = [...due.slice(at), ...waiting];
    }
  }
}

module.exports = { StreamTransport };
