'use strict';

/**
 * Feeds the Rust decoder from a JavaScript stream: a TLS socket, a Duplex that createConnection returned, a socket of
 * another agent. The records go to the same functions as those of a NativeHandle.
 */

const { AsyncResource } = require('node:async_hooks');
const { Socket } = require('node:net');

const { GROUPS_A_TURN, StreamDecoder } = require('../bridge/bridge');
const counters = require('../bridge/counters');
const { closedBy, giveReason } = require('../node/connection-channels');
const { panicError, parseError } = require('../node/errors');
const { copyToOwnMemory } = require('../node/own-memory');
const { setImmediate } = require('../node/timing');
const { LLHTTP, flagsOf, maxHeaderSizeOf } = require('../response/decoder-settings');
const { HEADER_SIZE, event } = require('../bridge/records');
const { retire } = require('../response/exchange-end');
const { guard, unguard } = require('../response/idle-guard');
const responseEvents = require('../response/response-events');
const { isOurs, kTransport, listen } = require('../response/socket-events');
const { StreamBacklog, joined } = require('./stream-backlog');

/** Memory for the records of a chunk; those that do not fit get memory of their own. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);
const scratchWords = new Int32Array(scratch.buffer);
let scratchInUse = false;

/** Backlogs whose bytes wait for the callback of a write: the batch that is not full yet. @type {StreamBacklog[]} */
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
    /** Bytes that the socket had read before the request; undefined of a stream that does not count them. */
    this.bytesBefore = 0;
    /** True if write-batch.js may hold a request back: on a TLS socket, but the first. */
    this.mayHoldBack = false;
    /** True if write-batch.js has sent the request. */
    this.isBatched = false;
    /** Bytes and events that wait for a later turn, or null. @type {StreamBacklog|null} */
    this.backlog = null;
    /** True while the records of a chunk are being dispatched. */
    this.isDispatching = false;
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
    let transport = socket[kTransport];
    if (transport === undefined) transport = socket[kTransport] = new StreamTransport(socket);
    else counters.connectionsReused++;
    transport.isBatched = false;
    transport.flags = flagsOf(req);
    transport.maxHeaderSize = maxHeaderSizeOf(req);
    transport.bytesBefore = socket.bytesRead;
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
    if (this.socket.readableLength > 0) retire(this.socket);
    this.close();
    this.socket.removeListener('data', onSocketData);
  }

  /** Ends an exchange: bytes that still come are not for this request. */
  close() {
    if (this.stage === CLOSED) return;
    this.stage = CLOSED;
    const { socket } = this;
    // What waits is behind the response. If the response came to nothing, the socket closes anyway.
    if (this.backlog !== null && this.backlog.drop()) retire(socket);
    this.mayHoldBack = socket.encrypted === true;
    if (socket.parser === this) socket.parser = null;
    if (this.outgoing.parser === this) this.outgoing.parser = null;
    // An idle connection would keep the request, and its response, from being collected.
    this.outgoing = null;
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
   * Throws an exception in a later turn, in the async context of the request.
   * @param {unknown} exception
   */
  throwLater(exception) {
    const { resource } = this;
    if (resource === null) setImmediate(rethrow, exception);
    else resource.runInAsyncScope(setImmediate, null, rethrow, exception);
  }

  /**
   * Decodes a chunk. A chunk that comes before the callback of the write waits for that callback, because a request
   * finishes before its response. (A write near the end of a turn is called back near the end of the next one.) A chunk
   * that comes while another is decoded waits too. A listener has made the stream emit it, as an empty write to TLS
   * does.
   * @param {Buffer} chunk
   */
  receive(chunk) {
    if (this.backlog !== null) {
      this.backlog.chunks.push(chunk);
    } else if (this.isDispatching) {
      // A listener has made its own stream go on, and its chunk is not done.
      this.openBacklog().chunks.push(chunk);
    } else if (this.isWriting()) {
      this.backlog = new StreamBacklog(this);
      this.backlog.chunks.push(chunk);
      // Behind the callbacks of TLS writes, which are due now.
      if (waiting.length === 0) setImmediate(receiveWaiting, waiting);
      if (waiting.push(this.backlog) === GROUPS_A_TURN) waiting = [];
    } else {
      this.resource.runInAsyncScope(this.execute, this, chunk);
    }
  }

  /** @returns {StreamBacklog} The backlog, which is worked off from a later turn on. */
  openBacklog() {
    if (this.backlog === null) {
      this.backlog = new StreamBacklog(this);
      this.backlog.schedule();
    }
    return this.backlog;
  }

  /** Tells whether the request has gone out in a batch whose callback is still to come. */
  isWriting() {
    return this.isBatched && this.socket.writableLength > 0;
  }

  /**
   * Decodes bytes that have waited, unless the request has been called off.
   * @param {Buffer} chunk
   */
  decodeLate(chunk) {
    this.isBatched = false;
    if (this.stage !== CLOSED && !this.outgoing.destroyed) this.resource.runInAsyncScope(this.execute, this, chunk);
  }

  /**
   * Postpones an event of the stream while something waits that came before it.
   * @param {() => void} onEvent Called later if the event has to wait.
   * @param {boolean} isLast True for an error or a close: bytes wait no longer for the callback of a write then.
   * @returns {boolean} True if the event has to wait.
   */
  postpones(onEvent, isLast) {
    const { backlog } = this;
    if (backlog === null) return false;
    const areBytesFirst = backlog.rest === null && backlog.events.length === 0;
    backlog.addEvent(onEvent);
    if (isLast && areBytesFirst && !this.isDispatching) backlog.proceed(2);
    return true;
  }

  /** Tells whether the end of the stream completes the message. */
  endsMessage() {
    if (this.stage !== DECODING) return false;
    const length = this.decoder.finish(scratch);
    return length < 0 || (length > 0 && (scratchWords[0] & 0xff) !== event.FAILED);
  }

  /**
   * Decodes a chunk and dispatches its records.
   * @param {Buffer} chunk
   */
  execute(chunk) {
    // A listener that makes another socket emit 'data' comes back here before this chunk is done.
    let records = scratchInUse ? Buffer.alloc(0) : scratch;
    let length = this.decode(chunk, records);
    if (length < 0) {
      records = this.decoder.take();
      length = -length;
    }
    this.dispatch(chunk, records, length);
  }

  /**
   * Dispatches what a listener that threw has left of a chunk, unless the request has been called off since.
   * @param {import('./stream-backlog').Rest} rest
   */
  dispatchRest({ chunk, records, isCalledOff }) {
    if (this.outgoing.destroyed && !isCalledOff) return;
    this.resource.runInAsyncScope(this.dispatch, this, chunk, records, records.length);
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
    const { socket } = this;
    const req = socket._httpMessage;
    if (!req) {
      giveReason(socket, closedBy.UNSOLICITED);
      socket.destroy();
    } else if (isOurs(req)) {
      retire(socket);
    }
  }

  /**
   * Gives records to response-events.js. Should a listener throw, the next record is the next one in a later turn.
   * @param {Buffer} chunk
   * @param {Buffer} records
   * @param {number} length Bytes of records.
   */
  dispatch(chunk, records, length) {
    const { socket } = this;
    const words = records === scratch ? scratchWords : wordsOf(records);
    const nested = scratchInUse;
    scratchInUse = true;
    this.isDispatching = true;
    let upgraded = -1;
    let at = 0;
    try {
      while (at < length) {
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
            if (flags & event.UPGRADE) upgraded = words[word + 1];
            responseEvents.onHead(socket, flags, records, words, start, end);
            break;
          case event.DATA: {
            const offset = words[start >> 2];
            const size = words[(start >> 2) + 1];
            if (size === chunk.length && isForUsAlone(socket, chunk)) responseEvents.onBody(socket, chunk);
            else responseEvents.onData(socket, chunk, offset, offset + size);
            break;
          }
          case event.END:
            if (flags & event.FOLLOWED) retire(socket);
            responseEvents.onEnd(socket, records, start, end);
            break;
          case event.PARSE_ERROR:
            responseEvents.onParseError(
              socket, parseError(records, words, start, end, chunk), socket.bytesRead - this.bytesBefore);
            break;
          case event.FAILED:
            socket.destroy(panicError('decoder'));
            break;
          default:
        }
      }
    } finally {
      scratchInUse = nested;
      this.isDispatching = false;
      if (at < length) this.keepRest(chunk, copyToOwnMemory(records, at, length));
    }
    if (upgraded !== -1) this.upgrade(copyToOwnMemory(chunk, upgraded, chunk.length));
  }

  /**
   * Keeps the records behind the one whose listener has thrown.
   * @param {Buffer} chunk
   * @param {Buffer} records
   */
  keepRest(chunk, records) {
    // Behind the response: what the peer says there is not for this request, and nobody else's either.
    if (this.stage === CLOSED) retire(this.socket);
    else this.openBacklog().rest = { chunk, records, isCalledOff: this.outgoing.destroyed };
  }

  /**
   * Gives the socket to the user, with all that has come behind the head.
   * @param {Buffer} head
   */
  upgrade(head) {
    if (this.backlog !== null) head = joined([head, ...this.backlog.takeChunks()]);
    responseEvents.onUpgrade(this.socket, head);
  }
}

/** @param {unknown} exception */
function rethrow(exception) {
  throw exception;
}

/** Gives the memory of a buffer as words; a buffer with memory of its own is aligned. */
function wordsOf(buffer) {
  if (buffer.byteOffset % 4 !== 0) buffer = Buffer.from(Uint8Array.prototype.slice.call(buffer));
  return new Int32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
}

/**
 * Tells whether a chunk has memory of its own that neither the stream nor another listener uses: Node has allocated it
 * for this read.
 * @param {import('node:stream').Duplex} socket
 * @param {Buffer} chunk
 * @returns {boolean}
 */
function isForUsAlone(socket, chunk) {
  // A socket without a handle is fed by JavaScript.
  return socket instanceof Socket && Boolean(socket._handle) && socket.listenerCount('data') === 1 &&
    chunk.buffer.byteLength === chunk.length;
}

/** @this {import('node:stream').Duplex} */
function onSocketData(chunk) {
  const transport = this[kTransport];
  if (transport.stage !== CLOSED) transport.receive(chunk);
}

/**
 * Gives a batch of responses to their requests. Ticks run between two batches, because each has an immediate.
 * @param {StreamBacklog[]} due
 */
function receiveWaiting(due) {
  if (due === waiting) waiting = [];
  let at = 0;
  try {
    while (at < due.length) {
      const backlog = due[at++];
      // A stream of JavaScript's may call back by an immediate of its own, behind this one.
      if (backlog.transport.isWriting()) backlog.schedule();
      else backlog.proceed(1);
    }
  } finally {
    // A listener has thrown.
    if (at < due.length) setImmediate(receiveWaiting, due.slice(at));
  }
}

module.exports = { StreamTransport };
