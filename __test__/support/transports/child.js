'use strict';

/** The transports in a child process, which has a process object of Node's own and neither Jest nor its clean-up. */

const { once } = require('node:events');
const net = require('node:net');
const tls = require('node:tls');
const certificates = require('../certificates');
const { KINDS } = require('./kinds');
const { lend, warmUp } = require('./lending');

/** Exit code of a process whose exchange did not begin on a lent connection. */
const NOT_LENT = 97;

/**
 * @param {string} title of the kind
 * @param {typeof import('../../..')} http
 * @returns {{ serveRaw: (onConnection: (socket: net.Socket) => void) => Promise<object>,
 *   agentTo: (peer: object, options?: object, isGivenBack?: boolean) => Promise<import('node:http').Agent> }} as in
 *   index.js
 */
function transportInChild(title, http) {
  const { makeAgent, isLent, isTls } = KINDS.find((kind) => kind.title === title);
  const https = process.env.ORACLE === 'node' ? require('node:https') : require('../../../https');

  async function serveRaw(onConnection) {
    const options = { ...isTls ? certificates.local : {}, allowHalfOpen: true, noDelay: true };
    const server = (isTls ? tls : net).createServer(options, (socket) => {
      socket.on('error', () => {});
      onConnection(socket);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address();
    return { server, address: { host: '127.0.0.1', port, protocol: isTls ? 'https:' : 'http:' } };
  }

  /** Agents whose next exchange is to begin on a lent connection, and has not. */
  const unproved = new Set();
  const watchExit = () => {
    if (unproved.size > 0) process.exitCode = NOT_LENT;
  };

  async function agentTo({ server, address }, options, isGivenBack = false) {
    const agent = makeAgent({ http, https }, { keepAlive: true, ...options });
    if (!isLent) return agent;
    if (!server) {
      // A peer in a process of its own, which answers warm-up requests itself.
      await warmUp(http, agent, address);
      return agent;
    }
    process.off('exit', watchExit).on('exit', watchExit);
    unproved.add(agent);
    await lend(http, agent, server, address, (begun) => {
      if (begun !== isGivenBack || http.stats === undefined) unproved.delete(agent);
    });
    return agent;
  }

  return { serveRaw, agentTo };
}

module.exports = { NOT_LENT, transportInChild };
