'use strict';

/** Makes a socket ready to be idle, and ready for its next request, as keepSocketAlive and reuseSocket of Node do. */

const { exchange } = require('../socket/stages');
const { kAnnouncesTimeout } = require('../response/client-response');
const idleGuard = require('../response/idle-guard');

/** Milliseconds before the announced time at which a connection counts as closed, unless an option says so. */
const TIMEOUT_BUFFER = 1000;

/** Own property of a socket: true while its timeout is the shorter one that the peer has announced for idle sockets. */
const kIsShortened = Symbol('isShortened');

/**
 * @param {import('node:http').AgentOptions} options
 * @returns {number} Milliseconds.
 * @see https://nodejs.org/api/http.html#new-agentoptions
 */
function timeoutBufferOf({ agentKeepAliveTimeoutBuffer: buffer }) {
  return typeof buffer === 'number' && Number.isFinite(buffer) && buffer >= 0 ? buffer : TIMEOUT_BUFFER;
}

/**
 * Makes a socket ready to be idle.
 * @param {import('node:http').Agent} agent
 * @param {import('node:net').Socket} socket
 * @returns {boolean} True if the agent may keep the socket.
 */
function keepSocketAlive(agent, socket) {
  if (socket._handle?.exchange === exchange.RETIRED) return false;
  socket.setKeepAlive(true, agent.keepAliveMsecs);
  socket.unref();
  const announced = announcedTimeout(socket._httpMessage?.res, agent.agentKeepAliveTimeoutBuffer ?? TIMEOUT_BUFFER);
  // The peer would have closed it before it could be used.
  if (announced === 0) return false;
  let timeout = agent.options.timeout || 0;
  if (announced < timeout) {
    timeout = announced;
    socket[kIsShortened] = true;
  }
  if (socket.timeout !== timeout) socket.setTimeout(timeout);
  idleGuard.watch(socket);
  return true;
}

/**
 * Reads for how long the peer will keep a connection from `Keep-Alive`
 * (https://datatracker.ietf.org/doc/html/rfc2068#section-19.7.1.1).
 * @param {import('../response/client-response').ClientResponse|null|undefined} res
 * @param {number} buffer Milliseconds to subtract.
 * @returns {number} Milliseconds; Infinity if the peer does not say.
 */
function announcedTimeout(res, buffer) {
  // A response to a request of another client does not say whether there is such a field.
  if (!res || res[kAnnouncesTimeout] === false) return Infinity;
  const seconds = /^timeout=(\d+)/.exec(res.headers['keep-alive'])?.[1];
  return seconds === undefined ? Infinity : Math.max(Number.parseInt(seconds, 10) * 1000 - buffer, 0);
}

/**
 * Gives a socket that is idle no longer its timeout back. What the peer has announced is for how long it keeps an idle
 * connection; it may take longer than that to answer, and Node's client ends the wait then.
 * @param {import('node:http').Agent} agent
 * @param {import('node:net').Socket} socket
 */
function restoreTimeout(agent, socket) {
  if (socket[kIsShortened] !== true) return;
  socket[kIsShortened] = false;
  socket.setTimeout(agent.options.timeout || 0);
}

/**
 * Makes an idle socket ready for a request.
 * @param {import('node:net').Socket} socket
 * @param {import('../request/client-request').ClientRequest} req
 */
function reuseSocket(socket, req) {
  idleGuard.unwatch(socket);
  req.reusedSocket = true;
  socket.ref();
}

module.exports = { keepSocketAlive, restoreTimeout, reuseSocket, timeoutBufferOf };
