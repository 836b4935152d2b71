'use strict';

const { Readable } = require('node:stream');

const { Pool } = require('./undici');

// Undici closes connections after four idle seconds unless told otherwise; Node's agent keeps them.
const KEEP_ALIVE_MS = 60_000;

/**
 * Opens undici's own pool, with the number of connections and one request at a time on each, as Node's agent has it.
 *
 * @param {import('.').Target} target
 * @returns {import('undici').Pool}
 */
function openPool(target) {
  return new Pool(target.origin, {
    connections: target.connections,
    // Zero is undici's way to say that each request gets a connection of its own.
    pipelining: target.newConnections ? 0 : 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Otherwise undici 8 offers HTTP/2, and treats a new connection as one that many requests may share.
    allowH2: false,
    connect: connectOptions(target),
  });
}

/**
 * Makes the options that undici gives to `tls.connect()`.
 *
 * @param {import('.').Target} target
 * @returns {import('undici').buildConnector.BuildOptions}
 */
function connectOptions({ ca, sessions }) {
  return { ...ca && { ca }, ...sessions === 'none' && { maxCachedSessions: 0 } };
}

/**
 * Makes the options of one request. They are made for each when the body can be read only once.
 *
 * @param {import('.').Target} target
 * @returns {() => import('undici').Dispatcher.RequestOptions}
 */
function requestOptions({ request }) {
  const { body } = request;
  const options = {
    path: request.path,
    method: request.method,
    headers: headersFor(request),
    body: body?.kind === 'whole' ? body.piece : undefined,
  };
  switch (body?.kind) {
    case 'chunked':
      // Any iterable is sent chunk by chunk, and it is the cheapest form of that which undici takes.
      return () => ({ ...options, body: Array(body.count).fill(body.piece) });
    case 'stream':
      return () => ({ ...options, body: repeated(body) });
    default:
      return () => options;
  }
}

/**
 * @param {import('../workloads').RequestSpec} request
 * @returns {Record<string, string> | undefined}
 */
function headersFor({ headers, body }) {
  if (body?.kind === 'stream') {
    return { ...headers, 'content-length': String(body.piece.length * body.count) };
  }
  return headers;
}

/**
 * A stream of `count` times the same piece.
 *
 * @param {import('../workloads').BodySpec} body
 * @returns {Readable}
 */
function repeated({ piece, count }) {
  let left = count;
  return new Readable({
    highWaterMark: piece.length,
    read() {
      this.push(left-- > 0 ? piece : null);
    },
  });
}

module.exports = { openPool, requestOptions };
