'use strict';

/**
 * Connects to an https server through a proxy: CONNECT, its answer, TLS inside (RFC 9110, section 9.3.6).
 *
 * A request gets its socket when TLS is established, as from Node. Until then the connection to the proxy is in the
 * agent's table, so that maxSockets holds meanwhile and the agent's destroy() ends the tunnel. A request that is called
 * off meanwhile ends it too.
 */

const http = require('node:http');
const net = require('node:net');
const tls = require('node:tls');

const { connectionReset, createError } = require('../node/errors');
const { symbolOf } = require('../node/internals');
const { clearTimeout, setTimeout } = require('../node/timing');
const { connectionOptionsOf, kTunnel, usesProxy } = require('../proxy/config');
const { emitError } = require('../response/request-end');

/** Own property of an agent: the request for which it is making a connection. */
const kServed = Symbol('served');

const END_OF_HEADER = '\r\n\r\n';

/** Milliseconds that a proxy which refuses has to finish its answer. */
const LINGER = 1000;

/** Matches an authority that neither ends the request target nor begins another line. */
const AUTHORITY = /^[^\0-\x20\x7f]+$/;

/** A tunnel that is being made. */
class Tunnel {
  /**
   * @param {object} parameters
   * @param {import('node:https').Agent} parameters.agent
   * @param {import('../proxy/config').ProxyConfig} parameters.config
   * @param {object} parameters.options Options of the connection to the server.
   * @param {(options: object) => tls.TLSSocket} parameters.connectTls
   * @param {(error: Error|null, socket?: tls.TLSSocket) => void} parameters.callback
   */
  constructor({ agent, config, options, connectTls, callback }) {
    this.agent = agent;
    this.config = config;
    this.options = options;
    this.connectTls = connectTls;
    this.callback = callback;
    this.authority = authorityOf(agent, options);
    /** The proxy's answer so far, and its length in bytes. */
    this.chunks = [];
    this.length = 0;
    /** The last bytes of the answer, which may begin END_OF_HEADER. */
    this.tail = Buffer.alloc(0);
    /** True when the tunnel has been made or has failed. */
    this.settled = false;
    /** Sockets with our listeners: the connection to the proxy, then the TLS connection inside too. */
    this.watched = [];
    this.listeners = {
      error: (error) => this.fail(error),
      timeout: () => this.fail(timeoutError(options.timeout)),
      close: () => this.fail(connectionReset('socket hang up')),
    };
    /** Listeners of the connection to the proxy, until it has answered. */
    this.answerListeners = {
      readable: () => this.read(),
      end: () => this.fail(tunnelError('Connection to establish proxy tunnel ended unexpectedly')),
    };
    this.socket = this.connectToProxy();
    this.reserve();
  }

  /** @returns {net.Socket} */
  connectToProxy() {
    const options = connectionOptionsOf(this.config, this.options);
    const isSecure = this.config.protocol === 'https:';
    const socket = isSecure ? tls.connect(options) : net.connect(options);
    this.watch(socket);
    socket.once(isSecure ? 'secureConnect' : 'connect', () => this.ask());
    return socket;
  }

  /** Lets the end of a socket be the end of the tunnel. */
  watch(socket) {
    this.watched.push(socket);
    listen(socket, this.listeners);
    // An error that comes when all is decided has no other listener.
    socket.on('error', noop);
  }

  /** Sends CONNECT. */
  ask() {
    const { agent, authority, config, socket } = this;
    if (!AUTHORITY.test(authority)) {
      this.fail(createError(TypeError, 'ERR_INVALID_CHAR', 'Invalid character in the host of a CONNECT request'));
      return;
    }
    const lines = [`CONNECT ${authority} HTTP/1.1`];
    if (config.auth) lines.push(`proxy-authorization: ${config.auth}`);
    if (agent.keepAlive || agent.maxSockets !== Infinity) lines.push('proxy-connection: keep-alive');
    lines.push(`host: ${authority}`);
    socket.write(lines.join('\r\n') + END_OF_HEADER);
    listen(socket, this.answerListeners);
  }

  /** Reads the proxy's answer up to the end of its header. */
  read() {
    for (let chunk; !this.settled && (chunk = this.socket.read()) !== null;) {
      this.chunks.push(chunk);
      this.length += chunk.length;
      const seam = Buffer.concat([this.tail, chunk]);
      this.tail = seam.subarray(1 - END_OF_HEADER.length);
      const end = seam.indexOf(END_OF_HEADER);
      const length = this.length - (end === -1 ? 0 : seam.length - end - END_OF_HEADER.length);
      const limit = this.options.maxHeaderSize || http.maxHeaderSize;
      if (length > limit) {
        this.fail(tunnelError(`Proxy response headers exceeded ${limit} bytes`));
      } else if (end !== -1) {
        this.onAnswer(Buffer.concat(this.chunks), length);
        return;
      }
    }
  }

  /**
   * Starts TLS behind a 200, and fails otherwise.
   * @param {Buffer} answer
   * @param {number} length Bytes of its header.
   */
  onAnswer(answer, length) {
    const { authority, config, socket } = this;
    const statusLine = answer.toString('utf8', 0, answer.indexOf('\r\n'));
    const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1];
    if (status !== '200') {
      const error = tunnelError(`Failed to establish tunnel to ${authority} via ${config.href}: ${statusLine}`);
      if (status) error.statusCode = Number(status);
      this.fail(error, closeInStages);
      return;
    }
    unlisten(socket, this.answerListeners);
    socket.setTimeout(0);
    // All that follows the header is the tunnel's, also if the header announces a body.
    if (answer.length > length) socket.unshift(answer.subarray(length));
    this.startTls();
  }

  /** Speaks TLS with the server, inside the tunnel. */
  startTls() {
    const { options, socket } = this;
    const { host, timeout } = options;
    try {
      const servername = net.isIP(host) ? undefined : host;
      this.inner = this.connectTls({ __proto__: null, servername, ...options, socket });
    } catch (error) {
      this.fail(error);
      return;
    }
    this.watch(this.inner);
    if (timeout) this.inner.setTimeout(timeout);
    this.inner.once('secureConnect', () => this.succeed());
  }

  /** Gives the TLS socket to the agent. */
  succeed() {
    if (!this.settle()) return;
    this.inner.removeListener('error', noop);
    // The agent enters the new one.
    this.release();
    this.callback(null, this.inner);
  }

  /**
   * Closes both connections and tells the agent the error.
   * @param {Error} error
   * @param {(socket: net.Socket) => void} [close] Closes the connection to the proxy.
   */
  fail(error, close = destroy) {
    if (!this.settle()) return;
    this.inner?.destroy();
    close(this.socket);
    try {
      this.callback(error);
    } finally {
      this.release();
      // The request that waits may have the place.
      if (this.options._agentKey) this.agent.removeSocket(this.socket, this.options);
    }
  }

  /** Ends the tunnel of a request that is called off. */
  destroy() {
    this.fail(connectionReset('socket hang up'));
  }

  /** @returns {boolean} True for the first caller, which decides how the tunnel ends. */
  settle() {
    if (this.settled) return false;
    this.settled = true;
    unlisten(this.socket, this.answerListeners);
    for (const socket of this.watched) unlisten(socket, this.listeners);
    return true;
  }

  /** Enters the connection to the proxy in the agent's table. */
  reserve() {
    const { agent, options: { _agentKey: name } } = this;
    if (!name) return;
    agent.sockets[name] ??= [];
    agent.sockets[name].push(this.socket);
    agent.totalSocketCount++;
  }

  /** Undoes `reserve`. */
  release() {
    const { agent, options: { _agentKey: name } } = this;
    if (!name) return;
    remove(agent.sockets, name, this.socket);
    agent.totalSocketCount--;
  }
}

/** Listens to errors that concern no request any more. */
function noop() {}

/** Adds listeners, which are in an object by event. */
function listen(emitter, listeners) {
  for (const name of Object.keys(listeners)) emitter.on(name, listeners[name]);
}

/** Undoes `listen`. */
function unlisten(emitter, listeners) {
  for (const name of Object.keys(listeners)) emitter.removeListener(name, listeners[name]);
}

/** Closes a connection at once. */
function destroy(socket) {
  socket.destroy();
}

/**
 * Closes a connection when the proxy has said the rest or LINGER has passed, instead of resetting it under the proxy
 * (RFC 9112, section 9.6).
 */
function closeInStages(socket) {
  const timer = setTimeout(destroy, LINGER, socket);
  socket.once('close', () => clearTimeout(timer));
  socket.resume();
  socket.end();
}

/** Makes the error of a tunnel that cannot be made. */
function tunnelError(message) {
  return createError(Error, 'ERR_PROXY_TUNNEL', message);
}

/** Makes the error of a tunnel that takes too long. */
function timeoutError(milliseconds) {
  const error = tunnelError(`Connection to establish proxy tunnel timed out after ${milliseconds}ms`);
  error.proxyTunnelTimeout = milliseconds;
  return error;
}

/** Makes the target of CONNECT (RFC 9112, section 3.2.3): host and port, the default port too. */
function authorityOf(agent, { host, port }) {
  return `${net.isIPv6(host) ? `[${host}]` : host}:${port || agent.defaultPort}`;
}

/**
 * @param {import('node:https').Agent} agent
 * @param {import('../proxy/config').ProxyConfig} config
 * @param {object} options Options of a connection.
 * @returns {boolean} True if it goes through a tunnel.
 */
function needsTunnel(agent, config, options) {
  return (options.protocol || agent.protocol) === 'https:' && usesProxy(config, options);
}

/**
 * Connects as createConnection of Node's agent does, through a tunnel.
 * @param {import('node:https').Agent} agent
 * @param {import('../proxy/config').ProxyConfig} config
 * @param {object} options
 * @param {(options: object) => tls.TLSSocket} connectTls
 * @param {(error: Error|null, socket?: tls.TLSSocket) => void} [callback]
 */
function createConnection(agent, config, options, connectTls, callback = noop) {
  const tunnel = new Tunnel({ agent, config, options, connectTls, callback });
  if (agent[kServed]) agent[kServed][kTunnel] = tunnel;
}

/**
 * Makes a socket as createSocket of Node's agent does. Node's way to tell a request of a failure would leave a request
 * in the queue that had waited for its turn.
 * @param {import('node:https').Agent} agent
 * @param {(req: object, options: object, callback: Function) => void} createNodeSocket
 * @param {import('node:http').ClientRequest} req
 * @param {object} options
 * @param {Function} callback
 * @param {boolean} tells True if the request leaves it to its agent to emit ERR_PROXY_TUNNEL.
 */
function createSocket(agent, createNodeSocket, req, options, callback, tells) {
  const queue = Object.keys(agent.requests).find((name) => agent.requests[name][0] === req);
  agent[kServed] = req;
  try {
    createNodeSocket.call(agent, req, options, (error, socket) => {
      req[kTunnel] = undefined;
      if (!error) callback(null, socket);
      // A request that waits can have got another socket meanwhile, or heard of another failure.
      else if (queue === undefined || remove(agent.requests, queue, req)) refuse(req, error, tells);
    });
  } finally {
    agent[kServed] = undefined;
  }
}

/**
 * Tells a request that it gets no socket.
 * @param {import('node:http').ClientRequest} req
 * @param {Error} error
 * @param {boolean} tells See createSocket.
 */
function refuse(req, error, tells) {
  // A request that is called off emits the error that it was called off with.
  const isUnwanted = req.destroyed;
  const tell = () => {
    try {
      if (error.code === 'ERR_PROXY_TUNNEL' && !isUnwanted) {
        if (error.proxyTunnelTimeout) req.emit('timeout');
        if (tells) emitError(req, error);
      }
    } finally {
      req.onSocket(null, isUnwanted ? undefined : error);
    }
  };
  // A request that has waited was made in another context.
  const resource = req[symbolOf(req, 'requestAsyncResource')];
  if (resource) resource.runInAsyncScope(tell);
  else tell();
}

/**
 * Takes a value out of one of an agent's tables.
 * @returns {boolean} True if it was there.
 */
function remove(table, name, value) {
  const index = table[name]?.indexOf(value) ?? -1;
  if (index === -1) return false;
  table[name].splice(index, 1);
  if (table[name].length === 0) delete table[name];
  return true;
}

module.exports = { createConnection, createSocket, needsTunnel };
