'use strict';

/** Makes a socket ready to be idle, and ready for its next request, as keepSocketAlive and reuseSocket of Node do. */

const { kExpires } = require('./census');
const { TIMEOUT_BUFFER, kIdleLimit } = require('./own-properties');
const { now } = require('../node/timing');
const { exchange } = require('../socket/stages');
const { kAnnouncesTimeout } = require('../response/client-response');
const idleGuard = require('../response/idle-guard');

/** Own property of an idle socket of such an agent: the time, by `now()`, until which it may serve another request. */
const kIdleUntil = Symbol('idleUntil');

/** Own property of a socket: true while its timeout is a shorter one, for idle sockets. */
const kIsShortened = Symbol('isShortened');

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
  if (agent[kIdleLimit] !== undefined) {
    const left = timeLeft(agent, socket, announced);
    if (!(left > 0)) return false;
    socket[kIdleUntil] = now() + left;
    if (left < (timeout || Infinity)) {
      timeout = Math.ceil(left);
      socket[kIsShortened] = true;
    }
  }
  if (socket.timeout !== timeout) socket.setTimeout(timeout);
  idleGuard.watch(socket);
  return true;
}

/** @returns {number} Milliseconds for which a socket, which gets free now, may be idle. */
function timeLeft(agent, socket, announced) {
  const { [kExpires]: expires = Infinity } = socket;
  return Math.min(agent[kIdleLimit], announced, expires - now());
}

/**
 * Tells whether a socket has been idle for too long; its timer may be late.
 * @param {import('node:net').Socket} socket An idle one.
 * @returns {boolean}
 */
function hasIdledTooLong(socket) {
  return socket[kIdleUntil] !== undefined && socket[kIdleUntil] <= now();
}

/**
 * Tells whether a socket is older than `socketActiveTTL` allows.
 * @param {import('node:net').Socket} socket
 * @returns {boolean}
 */
function isTooOld(socket) {
  return socket[kExpires] !== undefined && socket[kExpires] <= now();
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
 * Gives a socket that is idle no longer its timeout back. What the peer has announced, and options of the agent, say
 * how long an idle connection is kept; the peer may take longer to answer, and Node's client ends the wait then.
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

module.exports = { hasIdledTooLong, isTooOld, keepSocketAlive, restoreTimeout, reuseSocket };
