/// <reference types="node" />

import * as http from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';

// Every other export is Node's own, as in JavaScript.
export * from 'node:http';

/** Options of an agent's cache of look-ups. Times are in seconds, as in the package cacheable-lookup. */
export interface DnsOptions {
  /** Keeps the answers of look-ups, and lets equal ones that are under way share one answer. Default: `false`. */
  cache?: boolean | undefined;
  /**
   * The most seconds for which addresses are kept. `dns.lookup()` tells no time to live, so that its answers are kept
   * for exactly this time; a `lookup` of yours may give each address a shorter `ttl`. Default: `10`.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` if it, or another of these, is no number of at least 0
   */
  maxTtl?: number | undefined;
  /** Seconds for which the cache keeps that a name has no address (ENOTFOUND, ENODATA). Default: `0.15`. */
  errorTtl?: number | undefined;
  /**
   * Seconds for which the agent asks `dns.lookup()` for a name, after your `lookup` has found no address of it and
   * `dns.lookup()` has found one. Default: `0`, which never asks `dns.lookup()` instead of your `lookup`.
   */
  fallbackDuration?: number | undefined;
  /** The most answers that are kept; the least recently used one gives way. Default: `1000`. */
  maxItems?: number | undefined;
}

/** Options of retries. Times are in milliseconds. See docs/retry.md. */
export interface RetryOptions {
  /**
   * The most attempts after the first. Default: `5`.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` if it is no integer of at least 0
   */
  maxRetries?: number | undefined;
  /**
   * Time in ms before the second attempt. Default: `500`.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` if it, or one of the next two, is no number of at least 0
   */
  minTimeout?: number | undefined;
  /** The longest time in ms between two attempts, also where the server asks for a longer one. Default: `30000`. */
  maxTimeout?: number | undefined;
  /** Factor by which the time grows for each further attempt. Default: `2`. */
  timeoutFactor?: number | undefined;
  /** Waits for as long as `Retry-After` of a response says. Default: `true`. */
  retryAfter?: boolean | undefined;
  /** Methods of the requests that are tried again. Default: GET, HEAD, OPTIONS, PUT, DELETE, TRACE and QUERY. */
  methods?: readonly string[] | undefined;
  /** Statuses of responses that count as failures. Default: `[500, 502, 503, 504, 429]`. */
  statusCodes?: readonly number[] | undefined;
  /**
   * Codes of errors after which a request is tried again. Default: `ECONNRESET`, `ECONNREFUSED`, `ENOTFOUND`,
   * `ENETDOWN`, `ENETUNREACH`, `EHOSTDOWN`, `EHOSTUNREACH` and `EPIPE`.
   */
  errorCodes?: readonly string[] | undefined;
  /**
   * The most bytes of a request that are kept in memory to be sent again; a larger one is sent once.
   * Default: `1048576`.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` if it is no integer of at least 0
   */
  maxBodySize?: number | undefined;
  /** Makes the body of each attempt, of which nothing is kept then. The user calls `end()` without a chunk. */
  body?: (() => string | Uint8Array | Readable | Iterable<unknown> | AsyncIterable<unknown>) | undefined;
}

/** Options of agents for http and https that Node's agents do not have. */
export interface PoolOptions {
  /** Cache of look-ups, which go through `lookup`, or through `dns.lookup` as it is at the call. Default: no cache. */
  dns?: DnsOptions | undefined;
  /** Tries requests again that fail before a response was given. Default: no retries. */
  retry?: RetryOptions | false | undefined;
  /**
   * Time in ms after which an idle socket is closed. Default, also for `0`: `timeout`, and what the server announces.
   * @throws `ERR_OUT_OF_RANGE` if it is negative
   */
  freeSocketTimeout?: number | undefined;
  /**
   * Age in ms past which a socket serves no further request: it is closed when it is free. Default, also for `0`: none.
   * @throws `ERR_OUT_OF_RANGE` if it is negative
   */
  socketActiveTTL?: number | undefined;
  /**
   * Serves requests that wait for `maxSockets` or `maxTotalSockets` in the order in which they came, over all origins.
   * The agent closes a connection to one origin for an earlier request to another. Default: `false`.
   */
  fairQueue?: boolean | undefined;
}

/** Counters of an agent since it was made, under the names of the package agentkeepalive. */
export interface AgentCounters {
  /** Sockets made. */
  createSocketCount: number;
  /** Sockets that `createConnection` could not make. */
  createSocketErrorCount: number;
  /** Sockets closed. */
  closeSocketCount: number;
  /** Closed sockets that had an error. */
  errorSocketCount: number;
  /** Requests that have emitted `'timeout'`, and sockets that were idle for too long. */
  timeoutSocketCount: number;
  /** Requests that ended with a response, and whose socket came back to the agent. */
  requestCount: number;
}

/** Counters of an agent, with the number of its sockets and waiting requests by origin (`getName()`). */
export interface AgentStatus extends AgentCounters {
  /** Idle sockets. */
  freeSockets: Record<string, number>;
  /** Sockets that serve a request, or are being made for one. */
  sockets: Record<string, number>;
  /** Requests that wait for a socket. */
  requests: Record<string, number>;
}

/** Counters of an agent, with the number of its sockets and waiting requests over all origins. */
export interface AgentStats extends AgentCounters {
  /** Idle sockets. */
  freeSockets: number;
  /** Sockets that serve a request, or are being made for one. */
  sockets: number;
  /** Requests that wait for a socket. */
  requests: number;
}

/** Options of an {@link Agent} whose connections race. */
export interface RacingOptions {
  /**
   * `'race'` connects to the addresses of a name as RFC 8305 says. The next attempt begins after
   * `autoSelectFamilyAttemptTimeout` ms (default: `250`), or when one has failed, and earlier attempts go on. The first
   * that succeeds is taken. If all fail, the error is an `AggregateError` with their errors.
   */
  autoSelectFamily: 'race';
}

/**
 * Options of {@link Agent}. An agent also takes every option of
 * [`socket.connect()`](https://nodejs.org/api/net.html#socketconnectoptions-connectlistener), and passes it on.
 * All times are in milliseconds. An agent's option takes precedence over the same option of a request.
 * Source: https://nodejs.org/api/http.html#new-agentoptions
 */
export interface AgentOptions extends http.AgentOptions, PoolOptions {
  /** Keeps the socket of a finished exchange open for the next one. Default: `false` (`true` for `globalAgent`). */
  keepAlive?: boolean | undefined;
  /** Idle time in ms before the kernel's first TCP keep-alive probe of a pooled socket. Default: `1000`. */
  keepAliveMsecs?: number | undefined;
  /**
   * Time in ms that is subtracted from the server's `Keep-Alive: timeout=` hint, so that an idle socket is closed here
   * before it is closed there. A value that is no finite number of at least 0 counts as the default. Default: `1000`.
   */
  agentKeepAliveTimeoutBuffer?: number | undefined;
  /** The most sockets open at a time to one origin (a `getName()`); other requests wait. Default: `Infinity`. */
  maxSockets?: number | undefined;
  /**
   * The most sockets open at a time over all origins; other requests wait. Default: `Infinity`.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` if it is no number of at least 1
   */
  maxTotalSockets?: number | undefined;
  /** The most idle sockets kept for one origin, where `keepAlive` is on. Default: `256`. */
  maxFreeSockets?: number | undefined;
  /**
   * The idle socket that the next request takes: the last one used (`'lifo'`) or the first. Default: `'lifo'`.
   * @throws `ERR_INVALID_ARG_VALUE` for any other value
   */
  scheduling?: 'fifo' | 'lifo' | undefined;
  /** Inactivity of a socket, in ms, after which it emits `'timeout'`. Default: none (`5000` for `globalAgent`). */
  timeout?: number | undefined;
  /** Sends small packets at once, without Nagle's algorithm. Default: `true`. */
  noDelay?: boolean | undefined;
  /**
   * The variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in upper or lower case; on every supported Node.
   * Default: none, and so no proxy. Source: https://nodejs.org/api/http.html#built-in-proxy-support
   * @throws `ERR_PROXY_INVALID_CONFIG` if the proxy's URL is invalid
   */
  proxyEnv?: NodeJS.ProcessEnv | undefined;
  /**
   * Limits of the phases of its requests, in ms. The same limit of a request takes precedence. Default: none.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` as those of a request
   */
  timeouts?: Timeouts | undefined;
}

/**
 * Limits of the phases of a request, in ms; `0` and `undefined` mean no limit. A request that takes longer is destroyed
 * with a {@link TimeoutError}. The names are got's; docs/timeouts.md says when each phase begins and ends.
 */
export interface Timeouts {
  /** Until the agent, or `createConnection`, has a socket for the request. */
  queue?: number | undefined;
  /** Until the name of the host is looked up. */
  lookup?: number | undefined;
  /** From the end of the look-up, until the connection is established. */
  connect?: number | undefined;
  /** From when the connection is established, until TLS is established and the peer verified. */
  secureConnect?: number | undefined;
  /** From when the connection can be used, until the whole request is handed over. */
  send?: number | undefined;
  /** From when the whole request is handed over, until the header of the final response has come. */
  response?: number | undefined;
  /** From the header of the final response, until the response is read to its end. */
  read?: number | undefined;
  /** From when the request was made, until the response is read to its end. */
  request?: number | undefined;
}

/** Name of the phase that a request is in. */
export type Phase = Exclude<keyof Timeouts, 'request'>;

/**
 * The times of a request's events, in ms since the epoch, with fractions; undefined for an event that has not happened.
 * Its shape is that of @szmarczak/http-timer; docs/timings.md says what each time means.
 */
export interface Timings {
  /** The request was made. */
  start: number;
  /** The request had a socket. */
  socket?: number | undefined;
  /** The name of the host was looked up. */
  lookup?: number | undefined;
  /** The connection was established. With one that is used again this is `socket`. */
  connect?: number | undefined;
  /** TLS was established. With a connection that is used again this is `socket`. */
  secureConnect?: number | undefined;
  /** The whole request was handed over. */
  upload?: number | undefined;
  /** The header of the response had come. */
  response?: number | undefined;
  /** The response was read to its end. */
  end?: number | undefined;
  /** The request failed. */
  error?: number | undefined;
  /** The request was called off, or its response was cut. */
  abort?: number | undefined;
  /** Durations, in ms; undefined until both ends are known. */
  phases: {
    /** `socket` - `start` */
    wait?: number | undefined;
    /** `lookup` - `socket` */
    dns?: number | undefined;
    /** `connect` - `lookup` */
    tcp?: number | undefined;
    /** `secureConnect` - `connect` */
    tls?: number | undefined;
    /** `upload` - (`secureConnect` or `connect`) */
    request?: number | undefined;
    /** `response` - `upload` */
    firstByte?: number | undefined;
    /** `end` - `response` */
    download?: number | undefined;
    /** (`end`, `error` or `abort`) - `start` */
    total?: number | undefined;
  };
}

/**
 * Properties that every error of a request or its response has in addition to those of Node's error. They are not
 * enumerable. An error keeps a property that it has: `port` of a refused connection is the port that refused it.
 */
export interface RequestErrorDetails {
  /** The phase in which the request failed. */
  phase: Phase;
  /** Host of the request. */
  host: string;
  /** Port of the request. */
  port: number;
  /** Method of the request. */
  method: string;
  /** Path of the request, with its query; behind a proxy the whole URL. */
  path: string;
  /** True if the connection had served another request before. */
  reusedSocket: boolean;
  /** Number of times that the request was tried. */
  attempts: number;
  /** `timings` of the request. */
  timings: Timings;
  /** With the code `HPE_HEADER_OVERFLOW`: bytes that the header may have. */
  limit?: number | undefined;
  /** With that code: bytes of the response that had come when it was refused; undefined if the stream counts none. */
  size?: number | undefined;
}

/** The error of a request that took longer than one of its {@link Timeouts}. */
export interface TimeoutError extends Error, RequestErrorDetails {
  /** The code is the same for every limit; `event` names the limit. */
  code: 'ERR_FERREQUEST_TIMEOUT';
  /** Name of the limit. */
  event: keyof Timeouts;
  /** The limit, in ms. */
  timeout: number;
}

/** Properties of every message of the channels `ferrequest:connection:*`. See docs/diagnostics.md. */
export interface ConnectionMessage {
  /** The request that has the connection; null for one that is idle. */
  request: ClientRequest | null;
  /** The socket, or another stream, of the connection. */
  socket: Duplex;
  /** Protocol, host and port of the first request on it, such as `https://example.org:443`. */
  origin: string;
  /** `'native'` for a connection of the I/O thread. */
  transport: 'native' | 'stream';
}

/** Message of `ferrequest:connection:opened`: a new connection is established; with TLS, the peer is verified. */
export interface ConnectionOpenedMessage extends ConnectionMessage {
  request: ClientRequest;
}

/** Message of `ferrequest:connection:failed`: a new connection has closed before it was established. */
export interface ConnectionFailedMessage extends ConnectionMessage {
  /** The error of the socket; null if the request was called off without one. */
  error: Error | null;
}

/** Message of `ferrequest:connection:reused`: another request has got the connection. */
export interface ConnectionReusedMessage extends ConnectionMessage {
  request: ClientRequest;
  /** Number of requests that the connection has been given. */
  requests: number;
}

/** Message of `ferrequest:connection:replaced`: the I/O thread has replaced an idle connection that was closed. */
export interface ConnectionReplacedMessage extends ConnectionMessage {
  request: ClientRequest;
}

/** Causes for which a connection closes; docs/diagnostics.md says what each means. */
export type ClosingReason =
  | 'agent-destroyed' | 'called-off' | 'destroyed' | 'error' | 'gave-way' | 'idle-timeout' | 'not-kept'
  | 'not-persistent' | 'parse-error' | 'peer' | 'pool-full' | 'removed' | 'retried' | 'too-old' | 'unsolicited';

/** Message of `ferrequest:connection:closed`: an established connection has closed. */
export interface ConnectionClosedMessage extends ConnectionMessage {
  reason: ClosingReason;
  /** The error that the socket was destroyed with; null without one. */
  error: Error | null;
  /** Number of requests that the connection has been given. */
  requests: number;
  /** Time in ms since the connection was opened. */
  age: number;
}

/** Message of `ferrequest:request:retried`: an attempt has failed, and another will follow. */
export interface RequestRetriedMessage {
  request: ClientRequest;
  /** Number of attempts that have begun. */
  attempts: number;
  /** Time in ms until the next attempt. */
  delay: number;
  /** The error of the attempt; null if it failed by its response. */
  error: Error | null;
  /** The response, which the user does not get; null if the attempt failed by an error. */
  response: ClientResponse | null;
}

/** The channels of diagnostics_channel that only ferrequest has, and their messages. */
export interface DiagnosticsChannels {
  'ferrequest:connection:opened': ConnectionOpenedMessage;
  'ferrequest:connection:failed': ConnectionFailedMessage;
  'ferrequest:connection:reused': ConnectionReusedMessage;
  'ferrequest:connection:replaced': ConnectionReplacedMessage;
  'ferrequest:connection:closed': ConnectionClosedMessage;
  'ferrequest:request:retried': RequestRetriedMessage;
}

/**
 * Gives each request a socket: an agent keeps connections for reuse, and keeps requests in a queue while it may open no
 * further connection. An agent of node:http, of another package, or any object with `addRequest()` works in its place.
 */
export class Agent extends http.Agent {
  constructor(options?: AgentOptions | Omit<AgentOptions, 'autoSelectFamily'> & RacingOptions);

  /** Takes a snapshot of the agent's counters, sockets and waiting requests, by origin. Counting is always on. */
  getCurrentStatus(): AgentStatus;
  /** Takes a snapshot of the agent's counters, sockets and waiting requests, over all origins. */
  stats(): AgentStats;
}

/** The agent of requests without one: `keepAlive: true`, `scheduling: 'lifo'`, `timeout: 5000`. Can be set. */
export let globalAgent: Agent;

/**
 * Options of {@link request}. A request also takes every option of `http.request()` and of
 * [`socket.connect()`](https://nodejs.org/api/net.html#socketconnectoptions-connectlistener).
 * Source: https://nodejs.org/api/http.html#httprequesturl-options-callback
 */
export interface RequestOptions extends http.RequestOptions {
  /**
   * The agent that manages the connection. `false` makes an agent for this request alone; without an agent the request
   * takes `globalAgent`, unless `createConnection` is given. Default: `globalAgent`.
   * @throws `ERR_INVALID_ARG_TYPE` if it is none; `ERR_INVALID_PROTOCOL` if its protocol is not the request's
   */
  agent?: http.Agent | boolean | undefined;
  /** `false` adds neither `Host`, `Connection`, `Content-Length` nor `Transfer-Encoding`. Default: `true`. */
  setDefaultHeaders?: boolean | undefined;
  /**
   * The most bytes that the response's header may have; the request fails with `HPE_HEADER_OVERFLOW` if it has more.
   * Default, also for `0`: `http.maxHeaderSize` (16384).
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` if it is no integer of at least 0
   */
  maxHeaderSize?: number | undefined;
  /**
   * Inactivity of the socket, in ms, after which `'timeout'` is emitted; nothing is destroyed. Default: none.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` if it is no finite number of at least 0
   */
  timeout?: number | undefined;
  /** Tries the request again when it fails before a response was given. Default: that of the agent. */
  retry?: RetryOptions | false | undefined;
  /** `'race'` as in {@link RacingOptions}; a boolean is Node's own option. The agent's option takes precedence. */
  autoSelectFamily?: boolean | 'race' | undefined;
  /** Bytes buffered for writing before `write()` returns `false`. Default: that of Node's streams. */
  highWaterMark?: number | undefined;
  /**
   * Limits of the phases of the request, in ms. Default: those of the agent.
   * An object with other names is another library's, and is ignored.
   * @throws `ERR_INVALID_ARG_TYPE` if a limit is no number; `ERR_OUT_OF_RANGE` if one is negative or not finite
   */
  timeouts?: Timeouts | undefined;
}

/**
 * The client that serves requests: `native`, whose connections the I/O thread has; `stream`, the Rust decoder over
 * Node's own sockets; `node`, Node's own client.
 */
export type Mode = 'native' | 'stream' | 'node';

/** Counters of this process since it started. See {@link stats}. In the mode `node` all of them stay 0. */
export interface Stats {
  /** The client that serves requests. It is chosen when the module is loaded. */
  mode: Mode;
  /** The reason why the mode is not `native`, with a remedy; null if it is. */
  reason: string | null;
  /** Requests made. */
  requests: number;
  /** Responses whose header has arrived; informational (1xx) ones are not counted. */
  responses: number;
  /** Connections opened by the I/O thread. */
  connectionsOpened: number;
  /**
   * Requests that got a connection, of the I/O thread or a stream, which an earlier request had used. It was idle, or
   * the agent's queue passed it on from request to request.
   */
  connectionsReused: number;
  /** Idle connections that the peer had closed, and that the I/O thread replaced before a byte was sent on them. */
  staleReplaced: number;
  /** Bytes read from connections of the I/O thread. */
  bytesIn: number;
  /** Bytes written to connections of the I/O thread. */
  bytesOut: number;
  /** Calls by which the JavaScript thread handed its staged commands to the I/O thread. */
  doorbells: number;
  /** Requests that the JavaScript thread exchanged itself, which it does while few are in progress at a time. */
  direct: number;
  /** Connections of https whose TLS runs on the I/O thread. */
  tlsNative: number;
  /** Connections of agents for https that stay with Node; docs/https.md says which. */
  tlsOfNode: number;
  /** Times that the JavaScript thread took all records that the I/O thread had queued. */
  drains: number;
  /** Records taken by a drain, on average. */
  recordsPerDrain: number;
}

/** Takes a snapshot of the counters of this process; counting is always on. */
export function stats(): Stats;

/** Everything that has decided which client serves requests. See {@link diagnose}. */
export interface Diagnosis {
  mode: Mode;
  /** The reason why the mode is not `native`, with a remedy; null if it is `native`. */
  reason: string | null;
  /** Code of the error that is the reason, with a heading in docs/troubleshooting.md; null without an error. */
  code: string | null;
  /** Version of the package. */
  version: string;
  /** The runtime that runs the program. */
  runtime: 'node' | 'bun' | 'deno';
  /** Version of Node; in Bun and Deno, the version that they claim to have. */
  node: string;
  /** Range of the supported versions of Node. */
  supportedNode: string;
  /** Version of Node-API that the runtime has. */
  napi: string | null;
  /** `process.platform` */
  platform: NodeJS.Platform;
  /** `process.arch` */
  arch: NodeJS.Architecture;
  /** C library of the process; null on systems with a single one, and if it is neither of the two. */
  libc: { family: 'glibc' | 'musl'; version: string | null } | null;
  /** The search for the addon; null if ferrequest did not look for it. */
  addon: {
    /** Build that the platform needs, such as `linux-x64-gnu`; null if there is none. */
    build: string | null;
    /** The file that is loaded; null without one, and in a bundle. */
    file: string | null;
    /** Version of the addon that is loaded. */
    version: string | null;
    /** True if that is the version of the package; null without an addon. */
    isOfThisVersion: boolean | null;
    /** Files and packages that were tried, in their order. */
    attempts: { source: string; error: { code: string | null; message: string } | null }[];
  } | null;
  /** Environment variables that are set, and that can decide it. */
  environment: Record<string, string>;
  /** Long options that the runtime was started with. */
  execArgv: string[];
}

/** Tells which client serves requests, and everything that has decided that. Add its output to a report of a fault. */
export function diagnose(): Diagnosis;

/** The response to a {@link ClientRequest}, an `IncomingMessage` of node:http. */
export class ClientResponse extends http.IncomingMessage {
  /** The status code, 100 to 999. */
  statusCode: number;
  /** The reason phrase, as it was sent; may be empty. */
  statusMessage: string;
  /** The times of the request: the same object as `req.timings`. */
  timings: Timings;
}

/** The events of {@link ClientRequest}, with the arguments of their listeners. */
export interface ClientRequestEvents {
  /** `abort()` was called for the first time. */
  abort: [];
  /** The response to CONNECT. `head` has the bytes behind its header. Without a listener the connection is closed. */
  connect: [response: ClientResponse, socket: Socket, head: Buffer];
  /** 100 Continue: the server waits for the body. */
  continue: [];
  /** An informational response (1xx) other than 101. */
  information: [info: http.InformationEvent];
  /** The response, before any part of its body. */
  response: [response: ClientResponse];
  /** The request has got its socket. */
  socket: [socket: Socket];
  /** The socket was idle for `timeout` ms. Nothing is destroyed. */
  timeout: [];
  /** 101 Switching Protocols. `head` has the bytes behind its header. Without a listener the connection is closed. */
  upgrade: [response: ClientResponse, socket: Socket, head: Buffer];
  /** Request and response are over; nothing follows. */
  close: [];
  /** The user may write more, after `write()` has returned `false`. */
  drain: [];
  /** The request failed; see {@link RequestErrorDetails}. Without a listener the error is thrown. */
  error: [error: Error];
  /** The whole request was handed over. */
  finish: [];
}

/** A request in progress. Its header can be changed until the first chunk of data, or the end, has been written. */
export class ClientRequest extends http.ClientRequest {
  /** The times of the request's events so far; always the same object. */
  timings: Timings;

  constructor(url: string | URL | RequestOptions, callback?: (response: ClientResponse) => void);
  constructor(url: string | URL, options: RequestOptions, callback?: (response: ClientResponse) => void);

  /** The number of attempts that have begun; `1` without the option `retry`. */
  readonly attempts: number;

  /**
   * Sends a part of the body.
   * @param chunk a string, bytes, or an array of integers from 0 to 255
   * @returns `false` if the user should wait for `'drain'` before the next part
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_STREAM_NULL_VALUES` for another type, `ERR_OUT_OF_RANGE` for another integer
   */
  write(chunk: string | Uint8Array | readonly number[], callback?: (error: Error | null | undefined) => void): boolean;
  /** @param encoding of a string. Default: `'utf8'` */
  write(
    chunk: string | Uint8Array | readonly number[],
    encoding: BufferEncoding,
    callback?: (error: Error | null | undefined) => void,
  ): boolean;
  // These types are as wide as node:http's, so that code for it compiles here; others throw ERR_INVALID_ARG_TYPE.
  write(chunk: any, callback?: (error: Error | null | undefined) => void): boolean;
  write(chunk: any, encoding: BufferEncoding, callback?: (error: Error | null | undefined) => void): boolean;

  /** Ends the request; when its body is chunked, with the last chunk and the trailers. */
  end(callback?: () => void): this;
  /** @param data the last part of the body, as {@link write} takes it */
  end(data: string | Uint8Array | readonly number[], callback?: () => void): this;
  /** @param encoding of a string. Default: `'utf8'` */
  end(data: string | Uint8Array | readonly number[], encoding: BufferEncoding, callback?: () => void): this;
  end(data: any, callback?: () => void): this;
  end(data: any, encoding: BufferEncoding, callback?: () => void): this;

  addListener<E extends keyof ClientRequestEvents>(event: E, listener: (...args: ClientRequestEvents[E]) => void): this;
  addListener(event: string | symbol, listener: (...args: any[]) => void): this;
  on<E extends keyof ClientRequestEvents>(event: E, listener: (...args: ClientRequestEvents[E]) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  once<E extends keyof ClientRequestEvents>(event: E, listener: (...args: ClientRequestEvents[E]) => void): this;
  once(event: string | symbol, listener: (...args: any[]) => void): this;
  prependListener<E extends keyof ClientRequestEvents>(
    event: E,
    listener: (...args: ClientRequestEvents[E]) => void,
  ): this;
  prependListener(event: string | symbol, listener: (...args: any[]) => void): this;
  prependOnceListener<E extends keyof ClientRequestEvents>(
    event: E,
    listener: (...args: ClientRequestEvents[E]) => void,
  ): this;
  prependOnceListener(event: string | symbol, listener: (...args: any[]) => void): this;
}

/**
 * Makes a request. It is in progress at once; the user must call `end()`, even when there is no body.
 * @param callback a listener of `'response'`
 * @throws `ERR_INVALID_URL`, `ERR_INVALID_PROTOCOL`, `ERR_INVALID_ARG_TYPE`, `ERR_UNESCAPED_CHARACTERS` and others, as
 *   node:http does, for invalid arguments; later errors are emitted as `'error'`
 */
export function request(
  options: RequestOptions | string | URL,
  callback?: (response: ClientResponse) => void,
): ClientRequest;
/** @param options take precedence over the parts of `url` */
export function request(
  url: string | URL,
  options: RequestOptions,
  callback?: (response: ClientResponse) => void,
): ClientRequest;

/** Makes a request without a body: {@link request} with the method GET by default, and `end()` called. */
export function get(
  options: RequestOptions | string | URL,
  callback?: (response: ClientResponse) => void,
): ClientRequest;
export function get(
  url: string | URL,
  options: RequestOptions,
  callback?: (response: ClientResponse) => void,
): ClientRequest;
