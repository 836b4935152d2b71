/// <reference types="node" />

import * as https from 'node:https';
import type {
  AgentStats, AgentStatus, ClientRequest, ClientResponse, PoolOptions, RacingOptions, RetryOptions, Timeouts,
} from './index.js';

// Every other export is Node's own, as in JavaScript.
export * from 'node:https';

/**
 * Options of {@link Agent}: those of the agent for http, and every option of
 * [`tls.connect()`](https://nodejs.org/api/tls.html#tlsconnectoptions-callback).
 * All times are in milliseconds. Source: https://nodejs.org/api/https.html#new-agentoptions
 */
export interface AgentOptions extends https.AgentOptions, PoolOptions {
  /** The most TLS sessions that are kept for resumption; `0` turns the cache off. Default: `100`. */
  maxCachedSessions?: number | undefined;
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

/** Options of {@link request}: those of an http request, and every option of `tls.connect()`. */
export interface RequestOptions extends https.RequestOptions {
  /**
   * Limits of the phases of the request, in ms. Default: those of the agent.
   * An object with other names is another library's, and is ignored.
   * @throws `ERR_INVALID_ARG_TYPE` if a limit is no number; `ERR_OUT_OF_RANGE` if one is negative or not finite
   */
  timeouts?: Timeouts | undefined;
}

/** Gives each request a TLS socket, and keeps TLS sessions for resumption. */
export class Agent extends https.Agent {
  constructor(options?: AgentOptions | Omit<AgentOptions, 'autoSelectFamily'> & RacingOptions);

  /** Takes a snapshot of the agent's counters, sockets and waiting requests, by origin. Counting is always on. */
  getCurrentStatus(): AgentStatus;
  /** Takes a snapshot of the agent's counters, sockets and waiting requests, over all origins. */
  stats(): AgentStats;
}

/** The agent of requests without one: `keepAlive: true`, `scheduling: 'lifo'`, `timeout: 5000`. Can be set. */
export let globalAgent: Agent;

/** Options of {@link request} that ferrequest adds to those of `https.request()`, as for http. */
export interface RequestOptions extends https.RequestOptions {
  /** Tries the request again when it fails before a response was given. Default: that of the agent. */
  retry?: RetryOptions | false | undefined;
  /** `'race'` as in {@link RacingOptions}; a boolean is Node's own option. The agent's option takes precedence. */
  autoSelectFamily?: boolean | 'race' | undefined;
}

/**
 * Makes a request over TLS. It is in progress at once; the user must call `end()`, even when there is no body.
 * @param callback a listener of `'response'`
 * @throws as `request` of `ferrequest` does; a TLS failure is emitted as `'error'`
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
