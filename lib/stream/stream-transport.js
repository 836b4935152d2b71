'use strict';

/**
 * The Rust decoder fed from a JavaScript stream: a TLS socket, whatever createConnection returned, a socket of
 * another agent. It gives the same records to the same functions as a NativeHandle.
 */

const { setImmediate } = require('node:timers');

const { AsyncResource, GROUPS_A_TURN, StreamDecoder } = require('../bridge/bridge');
const counts = require('../bridge/counts');
const { parseError } = require('../node/errors');
const { runTicks } = require('../node/internals');
const { LLHTTP, flagsOf, maxHeaderSizeOf } = require('../response/decoder-settings');
const { HEADER_SIZE, event } = require('../bridge/records');
const { retire } = require('../response/exchange-end');
const responseEvents = require('../response/response-events');
const { kTransport, listen, requestOf } = require('../response/socket-events');

/** Records of most chunks fit into this; those of others get memory of their own. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);
const scratchWords = new Int32Array(scratch.buffer);
let scratchInUse = false;

/** Transports whose bytes wait for a turn. */
let waiting = [];

/** A stream has one, which serves one request after the other. */
class StreamTransport {
  /** @param {import('node:stream').Duplex} socket */
  constructor(socket) {
    this.socket = socket;
    this.outgoing = null;
    this.decoder = new StreamDecoder();
    this.resource = null;
    this.closed = true;
    /** Whether the decoder is armed for the response, which is done with its first chunk. */
    this.isArmed = false;
    this.flags = 0;
    this.maxHeaderSize = 0;
    /** Whether write-batch.js may hold a request back: on a TLS socket, not the first. */
    this.mayHoldBack = false;
    /** Whether it was write-batch.js that has sent the request. */
    this.isBatched = false;
    /** What has come before the callback of that write. */
    this.early = null;
  }

  /**
   * Starts to read the response to a request.
   * @param {import('../request/client-request').ClientRequest} req
   * @param {import('node:stream').Duplex} socket
   * @returns {StreamTransport}
   */
  static start(req, socket) {
    const transport = socket[kTransport] ??= new StreamTransport(socket);
    transport.isArmed = transport.isBatched = false;
    transport.early = null;
    transport.flags = flagsOf(req);
    transport.maxHeaderSize = maxHeaderSizeOf(req);
    transport.outgoing = req;
    transport.resource = new AsyncResource('HTTPCLIENTREQUEST');
    transport.closed = false;
    counts.requests++;
    listen(socket, 'data', onSocketData);
    return transport;
  }

  /** The socket is somebody else's from now on. */
  stopListening() {
    this.socket.removeListener('data', onSocketData);
  }

  /** What the socket still brings is not for this request. */
  close() {
    if (this.closed) return;
    this.closed = true;
    this.early = null;
    const { socket } = this;
    this.mayHoldBack = socket.encrypted === true;
    if (socket.parser === this) socket.parser = null;
    if (this.outgoing.parser === this) this.outgoing.parser = null;
    this.resource.emitDestroy();
    this.resource = null;
  }

  /** Sends what was held back, in the async context of its request. */
  uncork() {
    const { resource, socket } = this;
    if (resource === null) socket.uncork();
    else resource.runInAsyncScope(socket.uncork, socket);
  }

  /**
   * Decodes a chunk. One that is there before the callback of the write waits for it, because a request finishes before
   * its response: what is written near the end of a turn is called back near the end of the next one.
   */
  receive(chunk) {
    if (this.early !== null) {
      this.early = Buffer.concat([this.early, chunk]);
    } else if (this.isWriting()) {
      this.early = chunk;
      // Behind the callbacks of TLS writes, which are due now.
      if (waiting.length === 0) setImmediate(receiveWaiting);
      waiting.push(this);
    } else {
      this.resource.runInAsyncScope(this.execute, this, chunk);
    }
  }

  /** Whether its request has gone out with others, and the callback of that write is still to come. */
  isWriting() {
    return this.isBatched && this.socket.writableLength > 0;
  }

  /** Decodes what has waited, unless the request has been called off. */
  catchUp() {
    const chunk = this.early;
    if (chunk === null) return;
    this.early = null;
    this.isBatched = false;
    if (!this.closed && !this.outgoing.destroyed) this.resource.runInAsyncScope(this.execute, this, chunk);
  }

  /**
   * @param {(this: import('node:stream').Duplex) => void} onEnd
   * @returns {boolean} Whether the end of the stream has to wait too: then this is called later.
   */
  postpones(onEnd) {
    if (this.early === null) return false;
    setImmediate(() => onEnd.call(this.socket));
    return true;
  }

  /** @returns {boolean} Whether the end of the stream completes the message. */
  endsMessage() {
    if (!this.isArmed) return false;
    return this.decoder.finish(scratch) !== 0;
  }

  /** @param {Buffer} chunk */
  execute(chunk) {
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

  /** @returns {number} How many bytes of records; negative if there are that many, and did not fit. */
  decode(chunk, records) {
    if (this.isArmed) return this.decoder.execute(chunk, records);
    this.isArmed = true;
    return this.decoder.begin(chunk, records, this.flags, this.maxHeaderSize, LLHTTP);
  }

  /**
   * Bytes that no request of ours has asked for: they are behind a response whose request is still being written, or
   * the socket is idle and they are meant to be taken for the next response. If Node's own client has the socket, they
   * are for it.
   */
  onUnaskedData() {
    const { outgoing, socket } = this;
    const req = socket._httpMessage;
    if (!req) socket.destroy();
    else if (req === outgoing || requestOf(socket)) retire(socket);
  }

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
    if (upgraded !== -1) responseEvents.onUpgrade(socket, chunk.subarray(upgraded));
  }
}

/** The memory of a buffer as words; it is aligned, because a buffer of its own starts at 0. */
function wordsOf(buffer) {
  if (buffer.byteOffset % 4 !== 0) buffer = Buffer.from(Uint8Array.prototype.slice.call(buffer));
  return new Int32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
}

function onSocketData(chunk) {
  const transport = this[kTransport];
  if (transport.closed) transport.onUnaskedData();
  else transport.receive(chunk);
}

function receiveOne(transport) {
  transport.catchUp();
}

/** Gives the responses of a burst to their requests, as the I/O thread's are given. */
function receiveWaiting() {
  const due = waiting;
  waiting = [];
  // Where nobody but the event loop can run ticks, each has a turn of its own.
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
