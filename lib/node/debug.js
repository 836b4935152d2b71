'use strict';

/**
 * Traces requests and connections to stderr with `NODE_DEBUG=ferrequest`, as NODE_DEBUG=http does for Node's client
 * (https://nodejs.org/api/util.html#utildebuglogsection-callback). They are numbered in the order of their first lines.
 */

const util = require('node:util');

const log = util.debuglog('ferrequest');

/** Numbers by object, and the last number of each kind. */
const numbers = { request: new WeakMap(), connection: new WeakMap() };
const last = { request: 0, connection: 0 };

/**
 * @param {'request'|'connection'} kind
 * @param {object} object
 * @returns {string} Such as `request 3`.
 */
function nameOf(kind, object) {
  let number = numbers[kind].get(object);
  if (number === undefined) numbers[kind].set(object, number = ++last[kind]);
  return `${kind} ${number}`;
}

/** Writes one line for each event. */
const tracer = {
  /** @param {import('../request/client-request').ClientRequest} req */
  onRequest(req) {
    const authority = req.getHeader('host') ?? req.host;
    log('%s: %s %s//%s%s', nameOf('request', req), req.method, req.protocol, authority, req.path);
  },

  /**
   * @param {import('../request/client-request').ClientRequest} req
   * @param {import('node:stream').Duplex} socket
   */
  onSocket(req, socket) {
    const state = req.reusedSocket ? 'reused' : 'new';
    // The constructor that a NativeSocket shows is Node's.
    const kind = socket.isNative === undefined ? socket.constructor.name : 'NativeSocket';
    log('%s: has %s (%s %s)', nameOf('request', req), nameOf('connection', socket), state, kind);
  },

  /**
   * @param {import('../request/client-request').ClientRequest} req
   * @param {import('../response/client-response').ClientResponse} res
   */
  onResponse(req, res) {
    const connection = req.shouldKeepAlive ? 'keep-alive' : 'close';
    log('%s: response %d %s (%s)', nameOf('request', req), res.statusCode, res.statusMessage, connection);
  },

  /**
   * @param {import('../request/client-request').ClientRequest} req
   * @param {Error & { code?: string }} error
   */
  onError(req, error) {
    log('%s: error %s (%s)', nameOf('request', req), error.code ?? error.name, error.message);
  },

  /**
   * @param {import('node:stream').Duplex} socket
   * @param {Error & { code: string, bytesParsed: number }} error
   */
  onParseError(socket, error) {
    log('%s: parse error %s behind %d bytes', nameOf('connection', socket), error.code, error.bytesParsed);
  },

  /** @param {import('node:stream').Duplex} socket */
  onFree(socket) {
    log('%s: free', nameOf('connection', socket));
  },

  /**
   * @param {import('../request/client-request').ClientRequest} req
   * @param {Error} [error]
   */
  onDestroy(req, error) {
    log('%s: destroyed%s', nameOf('request', req), error ? ` with ${error.code ?? error.name}` : '');
  },

  /** @param {import('node:stream').Duplex} socket */
  onClose(socket) {
    log('%s: closed', nameOf('connection', socket));
  },
};

/** The tracer, or null while tracing is off, so that nothing is computed for it. @type {typeof tracer|null} */
const debug = log.enabled ? tracer : null;

module.exports = { debug };
