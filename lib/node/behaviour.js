'use strict';

/**
 * Asks Node's own functions how they behave where releases of Node differ. A release line is no answer: what begins in
 * one line is brought to the lines before, and is missing in the first releases of its own.
 *
 * Each question is asked once, when its answer is first needed. It makes no connection, no async resource and no trace.
 */

const { unseen } = require('./internals');
const { Agent, ClientRequest, OutgoingMessage, Socket } = require('./originals');

/**
 * Makes a function that asks once.
 * @param {() => boolean} ask
 * @returns {() => boolean}
 */
function once(ask) {
  let answer;
  return () => {
    answer ??= answerOf(ask);
    return answer;
  };
}

/**
 * Asks. A function of a library's that stands in Node's place may fail on what is made up here: it counts as the newest
 * Node's.
 */
function answerOf(ask) {
  try {
    return ask();
  } catch {
    return true;
  }
}

/**
 * Tells whether `destroy()` of a request leaves the connection alone when both messages are whole.
 * @returns {boolean}
 */
const sparesWholeExchange = once(() => {
  let spared = true;
  ClientRequest.prototype.destroy.call({
    destroyed: false,
    writableFinished: true,
    res: { complete: true, _dump() {} },
    socket: { destroy() { spared = false; } },
  });
  return spared;
});

/**
 * Tells whether the constructor of requests assigns `path`, which a derived class may have a setter for.
 * @returns {boolean}
 */
const assignsPath = once(() => !('path' in ClientRequest.prototype));

/** Makes a CONNECT request to nowhere whose target is in its URL. */
function makeConnect() {
  const agent = { addRequest() {}, defaultPort: 80, protocol: 'http:' };
  return unseen(() => new ClientRequest(new URL('http://proxy.test/origin.test:1'), { agent, method: 'CONNECT' }));
}

/**
 * Tells whether `Host` of a CONNECT request is its target (RFC 9110, section 9.3.6) instead of the proxy.
 * @returns {boolean}
 */
const namesTargetInHost = once(() => {
  const req = makeConnect();
  return req.getHeader('host') === req.path;
});

/**
 * Tells whether the target of a CONNECT request loses the slash of the URL that it comes from.
 * @returns {boolean}
 */
const takesTargetFromUrl = once(() => makeConnect().path === 'origin.test:1');

/**
 * Tells whether a socket knows its request as soon as the agent gives it to the request, before the next tick.
 * @returns {boolean}
 */
const knowsRequestAtOnce = once(() => String(ClientRequest.prototype.onSocket).includes('_httpMessage'));

/**
 * Tells whether a response that is cut has, as `cause` of its error, the error of its request or socket. Node's
 * listener for errors of the socket, which keeps that for the cause, tells by its source.
 * @returns {boolean}
 */
const tellsCauseOfAbort = once(() => {
  if (!knowsRequestAtOnce()) return false;
  let source = '';
  const socket = {
    on(name, listener) {
      source = String(listener);
      // Before Node makes a tick for the rest.
      throw new Error('The listener is known');
    },
  };
  try {
    ClientRequest.prototype.onSocket.call({}, socket);
  } catch {
    // Thrown above.
  }
  return source.includes('kError');
});

/**
 * Tells whether `end()` sends its chunk and those that a cork holds back as one, and the end of the body behind them.
 * @returns {boolean}
 */
const endJoinsCorkedChunks = once(() => {
  const message = new OutgoingMessage();
  message._header = 'POST / HTTP/1.1\r\n\r\n';
  message._headerSent = true;
  message.chunkedEncoding = true;
  message.cork();
  message.write('held');
  message.end('last');
  return message.outputData.map(({ data }) => String(data)).join('') === '8\r\nheldlast\r\n0\r\n\r\n';
});

/**
 * Tells whether an agent reads on an idle socket, and closes the socket at the end of the peer without 'end'.
 * @returns {boolean}
 */
const watchesIdleSockets = once(() => {
  const agent = new Agent({ keepAlive: true });
  const socket = new Socket();
  const handle = { close() {}, getAsyncId: () => 0, reading: false, readStart: () => 0 };
  Object.assign(socket, { setKeepAlive() {}, unref() {}, _handle: handle, _httpMessage: { shouldKeepAlive: true } });
  agent.emit('free', socket, { host: 'localhost', port: 80 });
  socket._handle = null;
  return handle.reading;
});

module.exports = {
  assignsPath,
  endJoinsCorkedChunks,
  knowsRequestAtOnce,
  namesTargetInHost,
  sparesWholeExchange,
  takesTargetFromUrl,
  tellsCauseOfAbort,
  watchesIdleSockets,
};
