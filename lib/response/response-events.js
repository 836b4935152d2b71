'use strict';

/**
 * Makes the response and its events from the records of the decoder.
 *
 * Both transports call these functions: NativeHandle with records of the I/O thread, StreamTransport with those of a
 * chunk. The order of every event, and what destroys what, is that of Node's own client.
 */

const diagnostics = require('node:diagnostics_channel');

const { kAnnouncesTimeout, kSuperseded } = require('./client-response');
const { maxHeaderSizeOf } = require('./decoder-settings');
const { listenForEnd, noteEndFirst } = require('./exchange-end');
const { addTrailers, createResponse, informationOf } = require('./made-response');
const performanceEntries = require('./performance-entries');
const { closeRequest, emitError, inTurn, kRetry } = require('./request-end');
const socketEvents = require('./socket-events');
const counters = require('../bridge/counters');
const { event } = require('../bridge/records');
const { closedBy, giveReason } = require('../node/connection-channels');
const { debug } = require('../node/debug');
const { copyToOwnMemory } = require('../node/own-memory');
const { kStamps } = require('../phases/connecting');
const { define } = require('../phases/error-details');

const finishChannel = diagnostics.channel('http.client.response.finish');

/**
 * Emits an informational response (1xx; RFC 9110, section 15.2).
 * @param {import('node:net').Socket} socket
 * @param {number} flags Flags of the record.
 * @param {Buffer} slab Memory that holds the record.
 * @param {Int32Array} words The same memory.
 * @param {number} start Offset of the record's payload, in bytes.
 * @param {number} end Offset behind it.
 */
function onInformation(socket, flags, slab, words, start, end) {
  const req = socket._httpMessage;
  if (!req || isDoubleResponse(req, socket)) return;
  const res = createResponse(req, flags, slab, words, start, end);
  if (res.statusCode === 100) inTurn(() => req.emit('continue'), () => emitInformation(req, res));
  else emitInformation(req, res);
}

/** Emits 'information'; see `onInformation`. */
function emitInformation(req, res) {
  req.emit('information', informationOf(res));
}

/** Makes the final response and emits it. The parameters are those of `onInformation`. */
function onHead(socket, flags, slab, words, start, end) {
  const req = socket._httpMessage;
  if (!req || isDoubleResponse(req, socket)) return;
  const res = createResponse(req, flags, slab, words, start, end);
  req.res = res;
  counters.responses++;
  const stamps = req[kStamps];
  stamps.onResponse();
  // As http-timer does for who has asked for the times: some copy what a response has of its own.
  if (stamps.view !== null) res.timings = stamps.view;
  if (flags & event.UPGRADE) return;
  res[kAnnouncesTimeout] = (flags & event.KEEP_ALIVE_FIELD) !== 0;
  if (!(flags & event.KEEP_ALIVE) && !req.upgradeOrConnect) req.shouldKeepAlive = false;
  res.req = req;
  if (debug) debug.onResponse(req, res);
  if (req[kRetry] !== undefined && req[kRetry].takesResponse(res)) {
    listenForEnd(req, res);
    res._dump();
    return;
  }
  performanceEntries.stop(req, res);
  if (finishChannel.hasSubscribers) {
    noteEndFirst(res);
    finishChannel.publish({ request: req, response: res });
  }

  listenForEnd(req, res);
  socketEvents.listenForTimeout(socket);
  // A body without a reader must not hold the connection.
  if (req.aborted || !req.emit('response', res)) res._dump();
  if (res.statusCode === 304 && req.method !== 'HEAD') res.complete = true;
}

/**
 * Destroys a socket whose peer answers twice: it cannot be trusted with a third message.
 * @returns {boolean} True if the request has a response already.
 */
function isDoubleResponse(req, socket) {
  if (req.res === null) return false;
  req.res[kSuperseded] = true;
  giveReason(socket, closedBy.UNSOLICITED);
  socket.destroy();
  return true;
}

/**
 * Gives a piece of the body, which is in memory that others use too, to the response.
 * @param {import('node:net').Socket} socket
 * @param {Uint8Array} source
 * @param {number} start
 * @param {number} end
 */
function onData(socket, source, start, end) {
  const res = socket._httpMessage?.res;
  if (res && !res._dumped && !res[kSuperseded]) pushBody(socket, res, copyToOwnMemory(source, start, end));
}

/**
 * Gives a piece of the body, which has memory of its own, to the response.
 * @param {import('node:net').Socket} socket
 * @param {Buffer} chunk
 */
function onBody(socket, chunk) {
  const res = socket._httpMessage?.res;
  if (res && !res._dumped && !res[kSuperseded]) pushBody(socket, res, chunk);
}

/** Gives a chunk to the reader, and pauses the socket for a reader that has enough. */
function pushBody(socket, res, chunk) {
  if (!res.push(chunk)) socket.pause();
}

/**
 * Completes the response.
 * @param {import('node:net').Socket} socket
 * @param {Buffer} slab
 * @param {number} start Offset of the trailer fields, in bytes.
 * @param {number} end Offset behind them.
 */
function onEnd(socket, slab, start, end) {
  const req = socket._httpMessage;
  const res = req?.res;
  if (!res || res[kSuperseded]) return;
  res.complete = true;
  if (start < end) addTrailers(res, req, slab.latin1Slice(start, end));
  res.push(null);
  if (res.readableFlowing) req[kStamps].onLastByte();
  // Nothing more is expected, but the socket has to notice its end.
  if (!socket._paused && socket.readable) socket.resume();
  socketEvents.stopReading(socket);
}

/**
 * Fails a request whose response the decoder refuses.
 * @param {import('node:net').Socket} socket
 * @param {Error & { code: string }} error
 * @param {number} size Bytes of the response that have come; NaN if they are not counted.
 */
function onParseError(socket, error, size) {
  if (debug) debug.onParseError(socket, error);
  giveReason(socket, closedBy.PARSE_ERROR);
  const req = socket._httpMessage;
  if (!req) {
    socket.destroy();
    return;
  }
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    define(error, 'limit', maxHeaderSizeOf(req));
    if (size >= 0) define(error, 'size', size);
  }
  socketEvents.giveUp(socket);
  socket.destroy();
  socket._hadError = true;
  emitError(req, error);
}

/**
 * Gives the socket to the user after an upgrade or CONNECT. The socket is an ordinary one by now.
 * @param {import('node:net').Socket} socket
 * @param {Buffer} head Bytes that the peer has sent behind the header.
 */
function onUpgrade(socket, head) {
  const req = socket._httpMessage;
  const res = req?.res;
  // What upgrades is no response to this request, if there is one at all.
  if (!res || res[kSuperseded]) {
    socket.destroy();
    return;
  }
  res.upgrade = true;
  // The bytes behind the head are not a body.
  res.complete = true;
  res.push(null);
  socketEvents.stopReading(socket);
  if (req.timeoutCb) socket.removeListener('timeout', req.timeoutCb);
  const name = req.method === 'CONNECT' ? 'connect' : 'upgrade';
  if (req.listenerCount(name) === 0) {
    socket.destroy();
    return;
  }
  req.upgradeOrConnect = true;
  socket.emit('agentRemove');
  socketEvents.detach(socket);
  socket._httpMessage = null;
  socket.readableFlowing = null;
  inTurn(() => req.emit(name, res, socket, head), () => {
    req.destroyed = true;
    closeRequest(req);
  });
}

/**
 * Destroys a connection on which bytes came that no request asked for (response-queue poisoning, CWE-444).
 * @param {import('node:net').Socket} socket
 */
function onUnsolicited(socket) {
  const req = socket._httpMessage;
  // A request that is still being written keeps the connection until then, and not longer.
  if (req && !(req._ended && req.writableFinished)) return;
  if (!req || req.res?.complete) socket.destroy();
}

module.exports = {
  onBody,
  onData,
  onEnd,
  onHead,
  onInformation,
  onParseError,
  onUnsolicited,
  onUpgrade,
};
