'use strict';

/**
 * Makes the members of ClientRequest: the way of a request from its options to its socket.
 *
 * Its writing half is Node's OutgoingMessage. It adds the options, the way to a socket, and the stages at which the
 * user can call it off. The response's events come from response-events.js.
 */

const { AsyncResource } = require('node:async_hooks');
const diagnostics = require('node:diagnostics_channel');
const net = require('node:net');
const { addAbortSignal, finished } = require('node:stream');

const { kRace } = require('../addresses/race-marks');
const agents = require('./global-agent');
const behaviour = require('../node/behaviour');
const connectionChannels = require('../node/connection-channels');
const { debug } = require('../node/debug');
const { connectionReset, createError } = require('../node/errors');
const { kHighWaterMark, kNeedDrain, kOutHeaders, kUniqueHeaders } = require('../node/internals');
const { late } = require('../node/late');
const { kAuthority } = require('../node/request-url');
const { NativeHandle } = require('../socket/native-handle');
const { NativeSocket } = require('../socket/native-socket');
const { OutgoingMessage, hasSource, setHeader } = require('../node/originals');
const { nextTick, now } = require('../node/timing');
const { kStamps } = require('../phases/connecting');
const { Stamps } = require('../phases/stamps');
const timeouts = require('../phases/timeouts');
const performanceEntries = require('../response/performance-entries');
const { kProxyConfig, kTunnel } = require('../proxy/config');
const proxyRequest = require('../proxy/request');
const finishGuard = require('./finish-guard');
const { failInPhase } = require('./phase-failure');
const options_ = require('./request-options');
const { kCounted, kKeepsListeners, kMeets } = require('../response/agent-marks');
const { closeUnread, endUnread } = require('../response/exchange-end');
const { closeRequest, emitError, hasFailed, inTurn, kError, kRetry } = require('../response/request-end');
const socketEvents = require('../response/socket-events');
const { StreamTransport } = require('../stream/stream-transport');
const { LLHTTP, flagsOf, maxHeaderSizeOf } = require('../response/decoder-settings');
const writeBatch = require('../stream/write-batch');
const { bytesOf, timerDuration, validateMethod, validatePath } = require('../node/validators');

/** Loaded for the first request that asks for it. */
const race = late(() => require('../addresses/race'));
const repetition = late(() => require('./repetition'));

const createdChannel = diagnostics.channel('http.client.request.created');

/** Own property of a request: its path. */
const kPath = Symbol('path');

/** The request that is being made at the moment; null when its agent has been asked. */
let beginning = null;

/** The members of the prototype. */
const members = {};

/**
 * Checks the arguments of a request, and assigns what Node assigns in between.
 * @param {import('./client-request').ClientRequest} req
 * @param {string|URL|import('node:http').RequestOptions} input
 * @param {import('node:http').RequestOptions|Function} [requestOptions]
 * @param {(res: import('../response/client-response').ClientResponse) => void} [listener]
 * @returns {ReturnType<typeof options_.normalizeArguments>} What the constructor and the other steps need.
 */
function begin(req, input, requestOptions, listener) {
  const given = options_.normalizeArguments(input, requestOptions, listener);
  const { options } = given;
  if (options.highWaterMark !== undefined && options.highWaterMark !== null && kHighWaterMark) {
    req[kHighWaterMark] = options.highWaterMark;
  }

  const defaultAgent = options._defaultAgent || agents.get();
  const agent = options_.chooseAgent(options, defaultAgent);
  req.agent = agent;
  given.protocol = options_.checkProtocol(options, agent, defaultAgent);

  given.defaultPort = options.defaultPort || agent?.defaultPort;
  options.port = options.port || given.defaultPort || 80;
  options.host = options_.hostOf(options);

  options_.applyOptions(req, options);
  if (options.signal) {
    addAbortSignal(options.signal, req);
    // The agent and the socket get the options too, but the signal is this request's own.
    delete options.signal;
  }
  given.method = options_.checkParserOptions(options);
  return given;
}

/** Gives a request its target, and what depends on its method. A setter of `method` may keep that elsewhere. */
function direct(req, { options, callback, hasPathOfUrl, method }) {
  const target = options_.targetOf(options, method, hasPathOfUrl);
  if (behaviour.assignsPath()) req.path = target;
  else req[kPath] = target;
  if (callback) req.once('response', callback);
  req.useChunkedEncodingByDefault = options_.isBodyUsual(method);
}

/**
 * Sets up a request that has its properties, and asks for its connection.
 * @param {import('./client-request').ClientRequest} req
 * @param {ReturnType<typeof begin>} given
 */
function complete(req, { options, defaultPort }) {
  const { host, port } = options;
  const { agent } = req;
  if (agent) {
    // An agent that would not use the connection again has no reason to ask the peer to keep it.
    const isKept = Boolean(agent.keepAlive) || Number.isFinite(agent.maxSockets);
    req._last = !isKept;
    req.shouldKeepAlive = isKept;
  }

  const authority = options_.authorityOf(host, port, defaultPort);
  req[kAuthority] = authority;
  const isProxied = agent?.[kProxyConfig] ? proxyRequest.isProxied(agent, options) : false;
  setHeaders(req, options, authority, isProxied ? options : undefined);
  req[kUniqueHeaders] = options_.uniqueHeadersOf(options.uniqueHeaders);

  prepareAttempts(req, options);
  if (debug) debug.onRequest(req);
  startPhases(req, options, port);
  beginning = req;
  try {
    connect(req, options);
  } finally {
    beginning = null;
  }
  if (createdChannel.hasSubscribers) createdChannel.publish({ request: req });
}

/** Has a request tried again, and its connections race, where it or its agent asks for that. */
function prepareAttempts(req, options) {
  const { agent } = req;
  const retry = options.retry ?? (agent?.[kKeepsListeners] && agent.options.retry);
  // An aborted signal has called all off.
  if (retry && !req.destroyed) repetition().start(req, retry, options, { connect, refuse: finishRefused });
  if (options.autoSelectFamily === 'race') raceIfPossible(req, agent, options);
}

/** Asks the agent for a socket, or makes one. */
function connect(req, options) {
  if (req.agent) req.agent.addRequest(req, options);
  else connectWithoutAgent(req, options);
}

/** Has a request connect by a race. An agent of others may make connections of which it tells too late. */
function raceIfPossible(req, agent, options) {
  if (!agent || agent[kKeepsListeners]) race().prepare(req, options, agent?.options);
  else options.autoSelectFamily = true;
}

/** Checked whenever it is set, as since Node 24.15: a path with line ends would be several requests. */
Object.defineProperty(members, 'path', {
  __proto__: null,
  get() {
    return this[kPath];
  },
  set(value) {
    this[kPath] = validatePath(value);
  },
  configurable: true,
  enumerable: true,
});

/** Starts the clock of a request, and the timeouts of one that has some. */
function startPhases(req, options, port) {
  const stamps = req[kStamps] = new Stamps(now(), port);
  // One whose signal is aborted already has nothing to wait for.
  const hasTimeouts = options.timeouts || req.agent?.options?.timeouts;
  if (hasTimeouts && !req.destroyed) timeouts.start(req, stamps, options.timeouts, failInPhase);
}

/**
 * Sets the header fields that the options give, and those that follow from them.
 * @param {import('./client-request').ClientRequest} req
 * @param {object} options
 * @param {string} authority
 * @param {{ host: string, port: string|number }} [origin] The origin of a request that goes to a proxy.
 */
function setHeaders(req, options, authority, origin) {
  const { headers } = options;
  if (Array.isArray(headers)) {
    // A list is sent as it is, in its order and with its repetitions.
    storeHeader(req, origin ? proxyRequest.rewrite(req, origin, undefined, headers) : headers);
    return;
  }
  if (headers) {
    for (const name of Object.keys(headers)) req.setHeader(name, headers[name]);
  }
  const userHost = origin && req.getHeader('host');
  const { setHost = options.setDefaultHeaders !== false } = options;
  if (authority && setHost && !req.getHeader('host')) {
    // RFC 9110, section 9.3.6: the target of CONNECT is its authority.
    const isTunnel = req.method === 'CONNECT' && options.path && behaviour.namesTargetInHost();
    setHostField(req, isTunnel ? String(req.path) : authority);
  }
  if (options.auth && !req.getHeader('Authorization')) {
    req.setHeader('Authorization', `Basic ${Buffer.from(options.auth).toString('base64')}`);
  }
  if (origin) proxyRequest.rewrite(req, origin, userHost);
  // The peer is asked at once, before there is a body to send.
  if (req.getHeader('expect')) req._implicitHeader();
}

/** Node's own `setHeader`; undefined where a library has replaced it before ferrequest was loaded. */
const setHeaderOfNode = hasSource(setHeader, 'validateHeaderName(name)') ? setHeader : undefined;

/**
 * Header fields as OutgoingMessage keeps them: by lower-case name, in an object that inherits no property. Node's own
 * has no prototype at all, and V8 makes a hash table of such an object.
 */
class Fields {
  /** @param {string} authority */
  constructor(authority) {
    this.host = ['Host', authority];
  }
}
Object.setPrototypeOf(Fields.prototype, null);
delete Fields.prototype.constructor;
Object.freeze(Fields.prototype);

/** The last authority that setHeader has found to be a valid value: most requests of a process go to the same few. */
let validAuthority;

/** Sets `Host`, without a second check of the same value. A `setHeader` of a library's sees each. */
function setHostField(req, authority) {
  if (authority !== validAuthority || req.setHeader !== setHeaderOfNode) {
    req.setHeader('Host', authority);
    validAuthority = authority;
    return;
  }
  // setHeader does this after its checks.
  const { [kOutHeaders]: fields } = req;
  if (fields) fields.host = ['Host', authority];
  else req[kOutHeaders] = new Fields(authority);
}

/** Renders the request line and the header fields. */
function storeHeader(req, headers) {
  // Users may have set another one since the options were checked.
  validateMethod(req.method);
  req._storeHeader(`${req.method} ${req.path} HTTP/1.1\r\n`, headers);
}

/** Gives a request a connection that is its own and closes behind it. */
function connectWithoutAgent(req, options) {
  req._last = true;
  req.shouldKeepAlive = false;
  if (options.path || options.socketPath) {
    // To a socket, `path` is that of a Unix domain socket.
    options = { __proto__: null, ...options, path: options.socketPath || undefined };
  }
  if (typeof options.createConnection !== 'function') {
    req.onSocket(net.createConnection(options));
    return;
  }
  let called = false;
  const onCreate = (error, socket) => {
    if (called) return;
    called = true;
    if (error) nextTick(emitError, req, error);
    else req.onSocket(socket);
  };
  let socket;
  try {
    socket = options.createConnection(options, onCreate);
  } catch (error) {
    onCreate(error);
  }
  if (socket) onCreate(null, socket);
}

/** The number of attempts there have been; more than 1 with the option `retry` only. */
Object.defineProperty(members, 'attempts', {
  __proto__: null,
  get() {
    return this[kRetry]?.attempts ?? 1;
  },
  // Node's requests have no such property, and who counts attempts may set one.
  set(value) {
    Object.defineProperty(this, 'attempts', { value, configurable: true, enumerable: true, writable: true });
  },
  configurable: true,
});

/** The times of what has happened to the request; docs/timings.md says what each means. */
Object.defineProperty(members, 'timings', {
  __proto__: null,
  get() {
    return this[kStamps]?.timings;
  },
  set(value) {
    Object.defineProperty(this, 'timings', { value, configurable: true, enumerable: true, writable: true });
  },
  configurable: true,
});

/** Starts the perf_hooks entry of the request; Node calls this when the request is written. */
members._finish = function _finish() {
  if (this[kRetry] === undefined || this[kRetry].starts()) performanceEntries.start(this);
  const { socket } = this;
  // Some of it waits for the connection, or for the kernel.
  if (socket.writableLength !== 0) {
    this[kStamps].onEnding();
    this.prependListener('finish', onFinish);
  } else if (socket.isNative) {
    this[kStamps].onStaged();
  } else {
    this[kStamps].onUpload(now());
  }
};

/** @this {import('./client-request').ClientRequest} */
function onFinish() {
  this[kStamps].onFinish();
}

/** Renders the header; Node calls this at the first write. */
members._implicitHeader = function _implicitHeader() {
  if (this._header) {
    throw createError(Error, 'ERR_HTTP_HEADERS_SENT', 'Cannot render headers after they are sent to the client');
  }
  storeHeader(this, this[kOutHeaders]);
};

/** The request that writes or ends at the moment: a cork that is set meanwhile is OutgoingMessage's. */
let writing = null;

/**
 * Writes what the user had written before there was a socket.
 * @param {import('node:stream').Duplex} socket
 * @returns {boolean} False if the user has to wait for 'drain'.
 */
members._flushOutput = function _flushOutput(socket) {
  const { outputData } = this;
  if (outputData.length > 0 && this.writableCorked === 0 && socket.isNative && socket.writeKept(outputData)) {
    this.outputData = [];
    this._onPendingData(-this.outputSize);
    this.outputSize = 0;
    return true;
  }
  // A Writable calls the callbacks of one batch in a row; one that throws must not take the others with it.
  if (outputData.length > 1) {
    const call = callerInRow();
    for (const entry of outputData) {
      const { callback } = entry;
      if (callback) entry.callback = (error) => call(callback, error);
    }
  }
  const outer = writing;
  writing = this;
  try {
    return OutgoingMessage.prototype._flushOutput.call(this, socket);
  } finally {
    writing = outer;
  }
};

/**
 * Makes a function that calls the callbacks of a row at once: callbacks of writes that were not kept may follow in the
 * same row. An exception of one is thrown behind the row, and the callbacks after it are called behind that.
 * @returns {(callback: Function, error?: Error|null) => void}
 */
function callerInRow() {
  let threw = false;
  return (callback, error) => {
    if (threw) {
      nextTick(callback, error);
      return;
    }
    try {
      callback(error);
    } catch (exception) {
      threw = true;
      nextTick(() => {
        throw exception;
      });
    }
  };
}

/**
 * Sends a part of the body.
 * @param {string|Uint8Array|number[]} chunk Text, bytes, or integers from 0 to 255, each of which is a byte.
 * @param {BufferEncoding} [encoding] Encoding of text.
 * @param {(error?: Error|null) => void} [callback]
 * @returns {boolean} False if the user has to wait for 'drain'.
 */
members.write = function write(chunk, encoding, callback) {
  this[kRetry]?.onWrite();
  if (Array.isArray(chunk)) chunk = bytesOf(chunk);
  const outer = writing;
  writing = this;
  try {
    return OutgoingMessage.prototype.write.call(this, chunk, encoding, callback);
  } finally {
    writing = outer;
  }
};

/**
 * Ends the request. The parameters are those of `write`.
 * @returns {this}
 */
members.end = function end(chunk, encoding, callback) {
  if (this[kRetry] !== undefined && this[kRetry].makesBody(chunk)) {
    return repetition().onceFinished(this, chunk, encoding, callback);
  }
  // Elsewhere OutgoingMessage sends the end of a chunked body before the chunks that a cork holds back.
  while (this.isCorkedByUser && !this.finished && !behaviour.endJoinsCorkedChunks()) this.uncork();
  if (Array.isArray(chunk)) chunk = bytesOf(chunk);
  const outer = writing;
  writing = this;
  try {
    return OutgoingMessage.prototype.end.call(this, chunk, encoding, callback);
  } finally {
    writing = outer;
  }
};

/** True while OutgoingMessage writes: corks that its socket gets then are not the user's. */
Object.defineProperty(members, 'isWithinWrite', {
  __proto__: null,
  get() {
    return writing === this;
  },
  configurable: true,
});

/** Own property of a request: the number of corks of the user. */
const kCorks = Symbol('corks');
/**
 * Own property of a request: true while it has a cork of OutgoingMessage. Since releases of Node 24 and 26 a write sets
 * one until the end of the tick, so that the chunks of a tick go out as one.
 */
const kTickCork = Symbol('tickCork');

/** @see https://nodejs.org/api/http.html#requestcork */
members.cork = function cork() {
  if (writing === this) this[kTickCork] = true;
  else this[kCorks] = (this[kCorks] ?? 0) + 1;
  OutgoingMessage.prototype.cork.call(this);
};

/** Undoes one cork; OutgoingMessage calls this at the end of the tick, and in end() for every cork. */
members.uncork = function uncork() {
  // Nothing tells for which cork it is. While there are two kinds both hold the body back, and the tick ends first.
  if (this[kTickCork]) this[kTickCork] = false;
  else if (this[kCorks]) this[kCorks]--;
  if (this.finished) this[kCorks] = 0;
  OutgoingMessage.prototype.uncork.call(this);
  if (this[kNeedDrain] && this.socket && !this.writableCorked) payDrain(this);
};

/**
 * Emits the 'drain' that a request owes for the chunks that a cork has held, or makes its socket do so. The socket
 * itself may owe none: it may have taken all at once, or have less to write than its own high-water mark. (A cork of
 * OutgoingMessage holds all chunks of a tick. write() counts them, and returns `false`.)
 * @param {import('./client-request').ClientRequest} req
 */
function payDrain(req) {
  const { socket } = req;
  if (req.writableLength === 0) {
    if (req.finished || socket.destroyed) return;
    req[kNeedDrain] = false;
    req.emit('drain');
  } else if (socket.writableLength > 0 && socket._writableState) {
    socket._writableState.needDrain = true;
  }
}

/** True while a cork of the user holds the body back. */
Object.defineProperty(members, 'isCorkedByUser', {
  __proto__: null,
  get() {
    return Boolean(this[kCorks]);
  },
  configurable: true,
});

/** @see https://nodejs.org/api/http.html#requestabort */
members.abort = function abort() {
  if (this.aborted) return;
  this.aborted = true;
  this[kStamps].onAbort();
  nextTick(emitAbort, this);
  // An async iterator that is broken off calls this, perhaps behind a destroy() of the user's.
  if (this.destroyed && (isWhole(this) || (this._closed && this.res?.complete))) endUnread(this);
  else if (this.destroyed && this.res?.complete) closeUnread(this);
  else this.destroy();
};

/** Emits 'abort', a tick after the call. */
function emitAbort(req) {
  req.emit('abort');
}

/** Tells whether both messages are whole and calling the request off leaves the connection alone. */
function isWhole(req) {
  return Boolean(req.writableFinished && req.res?.complete) && behaviour.sparesWholeExchange();
}

/**
 * Calls the request off.
 * @param {Error} [error] The error that the request emits.
 * @returns {this}
 */
members.destroy = function destroy(error) {
  if (this.destroyed) return this;
  this.destroyed = true;
  if (debug) debug.onDestroy(this, error);
  this[kStamps]?.onClose();
  // No reader is left for what the response still brings.
  this.res?._dump();
  if (this[kRetry] !== undefined && this[kRetry].callOff(error)) return this;
  // Nothing is left to call off.
  if (isWhole(this)) {
    endUnread(this);
    return this;
  }
  if (this.res?.complete) closeUnread(this);
  this[kError] = error;
  if (this.parser) writeBatch.sendNow(this.parser);
  if (this.socket) {
    connectionChannels.giveReason(this.socket, connectionChannels.closedBy.CALLED_OFF);
    this.socket.destroy(error);
  }
  this[kTunnel]?.destroy();
  return this;
};

/**
 * Takes the socket that an agent, or createConnection, has for this request.
 * @param {import('node:stream').Duplex|null} socket
 * @param {Error} [error] The reason why there is none.
 */
members.onSocket = function onSocket(socket, error) {
  const served = socket?._httpMessage;
  if (this[kRace] !== undefined) this[kRace].attach(socket);
  // A request that is called off without a socket says nothing of how sockets are made.
  if (socket || !this.destroyed) this.agent?.[kMeets]?.(socket);
  if (socket) this[kStamps].onSocket(beginning === this);
  // Before libuv begins to connect, if it can be: the I/O thread then makes the connection.
  if (socket?.isNative === false && !error) takeOver(socket);
  // At once, because a socket can fail before the next tick. What is none is a TypeError of that tick.
  if (typeof socket?.on === 'function' && !error) socketEvents.reserve(this, socket);
  nextTick(onSocketNT, this, socket, error, served);
};

/**
 * Assigns the socket and sends the request, a tick after `onSocket`.
 * @param {import('./client-request').ClientRequest} req
 * @param {import('node:stream').Duplex|null} socket
 * @param {Error} [error]
 * @param {import('node:http').OutgoingMessage|null} [served] The last request of the socket.
 */
function onSocketNT(req, socket, error, served) {
  if (req.destroyed || error) {
    // Where a socket does not know its request yet, the agent keeps it only if another one has just been served.
    if (socket && !behaviour.knowsRequestAtOnce()) socket._httpMessage = served;
    refuseSocket(req, socket, error);
  } else {
    try {
      assignSocket(req, socket);
    } finally {
      // Also when a listener of 'socket' has thrown: the request goes out, and what happens to it is told.
      if (req.parser?.mayHoldBack) writeBatch.flush(req, req.parser);
      else req._flush();
    }
  }
}

/** Closes a request that was called off before it had a socket, or that gets none. */
function refuseSocket(req, socket, error) {
  req.destroyed = true;
  if (!socket) {
    finishRefused(req, null, error || req[kError]);
  } else if (!error && req.agent && !socket.destroyed) {
    // Nothing was sent on it: another request can have it, and it can be idle if its agent thinks so.
    socketEvents.release(socket);
    socket.emit('free');
    finishRefused(req, socket, req[kError]);
  } else {
    if (!error) connectionChannels.giveReason(socket, connectionChannels.closedBy.CALLED_OFF);
    finished(socket.destroy(error || req[kError]), (failure) => {
      if (failure?.code === 'ERR_STREAM_PREMATURE_CLOSE') failure = null;
      finishRefused(req, socket, failure || error);
    });
  }
}

/** Emits 'error', where the request has been told none, and 'close'. */
function finishRefused(req, socket, error) {
  if (!req.aborted && !error) error = connectionReset('socket hang up');
  // Errors of a proxy's tunnel, and of the socket, have been told already.
  inTurn(() => {
    if (error && error.code !== 'ERR_PROXY_TUNNEL' && !socket?._hadError && !hasFailed(req)) emitError(req, error);
  }, () => closeRequest(req));
}

/**
 * Has the I/O thread take a connection over from libuv, where only a request has to do with it. What a user has written
 * on it belongs to no request.
 * @param {import('node:net').Socket} socket
 */
function takeOver(socket) {
  if (socket instanceof NativeSocket && isUnwritten(socket) && socket.becomeNative()) socketEvents.wire(socket);
}

/** Tells whether nothing has been written on a socket. */
function isUnwritten(socket) {
  return socket.bytesWritten === 0 && socket.writable && socket.writableCorked === 0;
}

/** Makes the socket's events those of this request. */
function assignSocket(req, socket) {
  req.socket = socket;
  if (debug) debug.onSocket(req, socket);
  if (connectionChannels.areWatched()) connectionChannels.onAssigned(req, socket, socketEvents.isUsed(req, socket));
  if (socket) req[kStamps].onAssigned(socket);
  if (socket?._handle instanceof NativeHandle) {
    startNatively(req, socket);
  } else if (!(socket instanceof NativeSocket)) {
    startStream(req, socket);
  } else if (socket.connecting && socket.canBecomeNative() && isUnwritten(socket)) {
    socket.parser = null;
    // In front of all that hear of the connection, and write on it then.
    socket.prependOnceListener('connect', AsyncResource.bind(() => startConnected(req, socket)));
  } else {
    startStream(req, socket);
  }
  socketEvents.attach(req, socket);
  if (req.timeout !== undefined || req.agent?.options?.timeout) listenForTimeout(req);
  req.emit('socket', socket);
  req[kRetry]?.onSocket(socket, setSocketTimeout);
}

/** Has the I/O thread read and decode the response. */
function startNatively(req, socket) {
  socket.parser = null;
  socket._handle.request(flagsOf(req), maxHeaderSizeOf(req), LLHTTP);
}

/** Feeds the decoder from the stream. */
function startStream(req, socket) {
  if (typeof socket?.on !== 'function') throw new TypeError('socket.on is not a function');
  socket.parser = req.parser = StreamTransport.start(req, socket);
}

/** Starts the exchange on a connection that libuv has just made. */
function startConnected(req, socket) {
  if (socket.becomeNative()) {
    socketEvents.wire(socket);
    startNatively(req, socket);
  } else {
    startStream(req, socket);
  }
}

/**
 * Feeds the decoder from the stream: the I/O thread has given the socket's descriptor to libuv.
 * @param {import('../socket/native-socket').NativeSocket} socket
 */
members.adoptStream = function adoptStream(socket) {
  if (this.socket === socket && !this.res) startStream(this, socket);
};

/** @this {import('node:net').Socket} */
function emitRequestTimeout() {
  const req = this._httpMessage;
  this[kCounted]?.onTimeout();
  req?.[kRetry]?.onTimeout();
  req?.emit('timeout');
}

/** Makes the socket's 'timeout' the request's. */
function listenForTimeout(req) {
  if (req.timeoutCb) return;
  req.timeoutCb = emitRequestTimeout;
  if (req.socket) req.socket.once('timeout', emitRequestTimeout);
  else req.on('socket', (socket) => socket.once('timeout', emitRequestTimeout));
}

/**
 * Emits 'timeout' when the socket has been idle for some time.
 * @param {number} milliseconds
 * @param {() => void} [callback] Listener of 'timeout'.
 * @returns {this}
 */
members.setTimeout = function setTimeout(milliseconds, callback) {
  if (this._ended) return this;
  listenForTimeout(this);
  milliseconds = timerDuration(milliseconds, 'msecs');
  if (callback) this.once('timeout', callback);
  if (this[kRetry] !== undefined) this[kRetry].timeout = milliseconds;
  if (this.socket) setSocketTimeout(this.socket, milliseconds);
  else this.once('socket', (socket) => setSocketTimeout(socket, milliseconds));
  return this;
};

/** Sets the timeout of a socket when it is connected: the time to connect does not count. */
function setSocketTimeout(socket, milliseconds) {
  if (socket.connecting) socket.once('connect', () => socket.setTimeout(milliseconds));
  else socket.setTimeout(milliseconds);
}

/** @param {() => void} [callback] Listener of 'timeout', as Node's takes it. */
members.clearTimeout = function clearTimeout(callback) {
  this.setTimeout(0, callback);
};

/**
 * Calls a method of the socket as soon as there is one and it is connected.
 * @param {string} [method]
 * @param {unknown[]} [arguments_]
 */
members._deferToConnect = function _deferToConnect(method, arguments_) {
  const call = () => {
    if (method) this.socket[method](...arguments_);
  };
  const onSocket = () => {
    if (this.socket.writable) call();
    else this.socket.once('connect', call);
  };
  if (this.socket) onSocket();
  else this.once('socket', onSocket);
};

/** @see https://nodejs.org/api/http.html#requestsetnodelaynodelay */
members.setNoDelay = function setNoDelay(noDelay) {
  this._deferToConnect('setNoDelay', [noDelay]);
};

/** @see https://nodejs.org/api/http.html#requestsetsocketkeepaliveenable-initialdelay */
members.setSocketKeepAlive = function setSocketKeepAlive(enable, initialDelay) {
  this._deferToConnect('setKeepAlive', [enable, initialDelay]);
};

finishGuard.install(members);

module.exports = { construction: { begin, complete, direct }, members };
