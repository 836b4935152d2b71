'use strict';

/**
 * What is measured. Everything here is data; how a run goes is in `lib/steady-run.js` and `lib/idle-run.js`.
 *
 * @typedef {object} RequestSpec
 * @property {'GET' | 'POST'} method
 * @property {string} path one of the routes of `server/src/main.rs`
 * @property {Record<string, string>} [headers]
 * @property {BodySpec} [body]
 * @property {'host' | 'hostname'} [hostOption] how node:http and what is like it is told the host
 * @property {object} [agentOptions] more of those of its agent
 * @property {{ length: number, header?: [name: string, value: string] }} expect what a good answer has
 *
 * @typedef {object} BodySpec
 * @property {'whole' | 'chunked' | 'stream'} kind one buffer; a few pieces of unknown total; many pieces of known total
 * @property {Buffer} piece
 * @property {number} count how many times the piece is sent
 *
 * @typedef {object} Goal
 * @property {string} metric a key of the summary's ratios
 * @property {number} [atLeast]
 * @property {number} [atMost]
 * @property {number} [below]
 * @property {string} [of] the client that is to reach it, if that is not ferrequest itself
 * @property {string} [over] the client that the ratio is to, if that is not the row's baseline
 *
 * @typedef {object} Workload
 * @property {string} id
 * @property {string} title
 * @property {'steady' | 'idle'} run
 * @property {number} connections
 * @property {RequestSpec} request
 * @property {string[]} clients ids from `clients/index.js`, the baseline first
 * @property {Goal[]} goals
 * @property {boolean} [tls]
 * @property {boolean} [ca] the clients are given the server's certificate as `ca`, beside NODE_EXTRA_CA_CERTS
 * @property {'none' | 'cached'} [sessions] TLS sessions that the client keeps for its next connections
 * @property {boolean} [loopDelay] the event-loop delay is measured too
 * @property {boolean} [newConnections] each request on a connection of its own
 * @property {number} [busyShare] share of the time that other work holds the JavaScript thread
 * @property {number} [transferBytes] counted in MiB moved instead of requests
 * @property {boolean} [quick] part of `--quick`
 * @property {string} [chart] its label in the chart, if it is drawn
 */

const KIB = 1024;
const MIB = 1024 * KIB;
const LARGE = 256 * MIB;
const SMALL_BODY = 15;
const IDLE_CONNECTIONS = 4000;

const CORE = ['node', 'fetch', 'undici-request', 'undici-dispatch', 'ferrequest'];
/** Those that can be told to open a connection for each request, and whether to resume TLS sessions. */
const NEW_TLS_CONNECTIONS = ['node', 'undici-request', 'undici-dispatch', 'ferrequest'];
const CORE_AND_WRK = [...CORE, 'wrk'];

/** @type {RequestSpec} */
const GET_SMALL = { method: 'GET', path: '/small', expect: { length: SMALL_BODY } };

/**
 * A JSON document of exactly `size` bytes.
 *
 * @param {number} size
 * @returns {Buffer}
 */
function jsonOf(size) {
  const empty = JSON.stringify({ id: 4711, text: '' });
  return Buffer.from(JSON.stringify({ id: 4711, text: 'x'.repeat(size - empty.length) }));
}

/**
 * The goals that most workloads share.
 *
 * @param {number} rate
 * @param {number} cpu
 * @returns {Goal[]}
 */
function rateAndCpu(rate, cpu) {
  return [{ metric: 'rate', atLeast: rate }, { metric: 'cpu', atMost: cpu }];
}

/** @type {Workload[]} */
const workloads = [
  {
    id: 'get-50',
    title: 'GET 15 B, 50 connections',
    run: 'steady',
    connections: 50,
    request: GET_SMALL,
    clients: CORE_AND_WRK,
    goals: [
      ...rateAndCpu(4, 0.3),
      { metric: 'rate', atLeast: 1.3, over: 'undici-request' },
      { metric: 'rate', atLeast: 1, over: 'undici-dispatch' },
    ],
    quick: true,
    chart: 'GET 15 B, 50 connections',
  },
  {
    id: 'get-hostname',
    title: 'GET 15 B, 50 connections, with `hostname` in the options, as most libraries pass it',
    run: 'steady',
    connections: 50,
    request: { ...GET_SMALL, hostOption: 'hostname' },
    clients: ['node', 'ferrequest'],
    goals: [],
  },
  {
    id: 'get-500',
    title: 'GET 15 B, 500 connections',
    run: 'steady',
    connections: 500,
    request: GET_SMALL,
    clients: CORE_AND_WRK,
    goals: rateAndCpu(4, 0.3),
    chart: 'GET 15 B, 500 connections',
  },
  {
    id: 'get-1',
    title: 'GET 15 B, 1 connection',
    run: 'steady',
    connections: 1,
    request: GET_SMALL,
    clients: CORE_AND_WRK,
    goals: rateAndCpu(1.3, 0.8),
    quick: true,
    chart: 'GET 15 B, 1 connection',
  },
  {
    id: 'get-headers',
    title: 'GET with 18 header fields, res.headers read, 50 connections',
    run: 'steady',
    connections: 50,
    request: {
      method: 'GET',
      path: '/headers',
      expect: { length: SMALL_BODY, header: ['etag', '"5f3c-61b2a9d0e4c40"'] },
    },
    clients: CORE_AND_WRK,
    goals: rateAndCpu(4, 0.3),
    chart: 'GET, 18 header fields',
  },
  {
    id: 'post-json',
    title: 'POST 1 KB JSON, 50 connections',
    run: 'steady',
    connections: 50,
    request: {
      method: 'POST',
      path: `/sink/${KIB}`,
      headers: { 'content-type': 'application/json' },
      body: { kind: 'whole', piece: jsonOf(KIB), count: 1 },
      expect: { length: SMALL_BODY },
    },
    clients: CORE_AND_WRK,
    goals: rateAndCpu(4, 0.3),
    quick: true,
    chart: 'POST 1 KB JSON',
  },
  {
    id: 'post-chunked',
    title: 'POST 4 chunks of 4 KiB, chunked, 50 connections',
    run: 'steady',
    connections: 50,
    request: {
      method: 'POST',
      path: `/sink/${16 * KIB}`,
      body: { kind: 'chunked', piece: Buffer.alloc(4 * KIB, 'c'), count: 4 },
      expect: { length: SMALL_BODY },
    },
    clients: CORE_AND_WRK,
    goals: rateAndCpu(4, 0.35),
    chart: 'POST 4 chunks of 4 KiB',
  },
  {
    id: 'get-64k',
    title: 'GET 64 KiB, 20 connections',
    run: 'steady',
    connections: 20,
    request: { method: 'GET', path: `/bytes/${64 * KIB}`, expect: { length: 64 * KIB } },
    clients: CORE_AND_WRK,
    goals: rateAndCpu(2, 0.6),
    chart: 'GET 64 KiB',
  },
  {
    id: 'download',
    title: 'Download 256 MiB, 1 connection',
    run: 'steady',
    connections: 1,
    request: { method: 'GET', path: `/bytes/${LARGE}`, expect: { length: LARGE } },
    clients: CORE_AND_WRK,
    goals: [{ metric: 'rate', atLeast: 1.3 }, { metric: 'js', atMost: 0.5 }],
    transferBytes: LARGE,
    quick: true,
    chart: 'Download 256 MiB',
  },
  {
    id: 'upload',
    title: 'Upload 256 MiB with backpressure, 1 connection',
    run: 'steady',
    connections: 1,
    request: {
      method: 'POST',
      path: `/sink/${LARGE}`,
      body: { kind: 'stream', piece: Buffer.alloc(64 * KIB, 'u'), count: LARGE / (64 * KIB) },
      expect: { length: SMALL_BODY },
    },
    clients: [...CORE, 'net-socket'],
    goals: [{ metric: 'rate', atLeast: 1.3 }, { metric: 'js', atMost: 0.6 }],
    transferBytes: LARGE,
    quick: true,
    chart: 'Upload 256 MiB',
  },
  {
    id: 'new-connections',
    title: 'GET 15 B, a new connection for each request (agent: false), 50 at a time',
    run: 'steady',
    connections: 50,
    request: GET_SMALL,
    // fetch() has no setting for it.
    clients: ['node', 'undici-request', 'undici-dispatch', 'ferrequest', 'net-socket', 'wrk'],
    goals: rateAndCpu(2, 0.6),
    newConnections: true,
    chart: 'GET, new connections',
  },
  {
    id: 'idle',
    title: `${IDLE_CONNECTIONS.toLocaleString('en')} idle pooled connections`,
    run: 'idle',
    connections: IDLE_CONNECTIONS,
    request: { method: 'GET', path: `/gather/${IDLE_CONNECTIONS}`, expect: { length: SMALL_BODY } },
    // fetch() cannot be told to keep connections for longer than four seconds.
    clients: ['node', 'undici-request', 'ferrequest', 'net-socket'],
    goals: [{ metric: 'rssGrowth', atMost: 0.35 }],
  },
  {
    id: 'libraries',
    title: 'axios and got, GET 15 B, 50 connections, on node:http and with ferrequest registered',
    run: 'steady',
    connections: 50,
    request: GET_SMALL,
    clients: ['axios', 'axios-ferrequest', 'got', 'got-ferrequest'],
    goals: [{ metric: 'rate', atLeast: 1.5, of: 'axios-ferrequest' }],
  },
  {
    id: 'https-50',
    title: 'https GET 15 B, 50 connections',
    run: 'steady',
    connections: 50,
    request: GET_SMALL,
    clients: CORE_AND_WRK,
    goals: [
      ...rateAndCpu(4.5, 0.3),
      { metric: 'js', atMost: 0.2 },
      { metric: 'rate', atLeast: 1.3, over: 'undici-dispatch' },
    ],
    tls: true,
    quick: true,
    chart: 'https GET 15 B, 50 connections',
  },
  {
    id: 'https-options',
    title: 'https GET 15 B, 50 connections, with an option of TLS in those of the agent',
    run: 'steady',
    connections: 50,
    request: { ...GET_SMALL, agentOptions: { rejectUnauthorized: true } },
    clients: ['node', 'ferrequest'],
    goals: [],
    tls: true,
  },
  {
    id: 'https-1',
    title: 'https GET 15 B, 1 connection',
    run: 'steady',
    connections: 1,
    request: GET_SMALL,
    clients: CORE_AND_WRK,
    goals: [{ metric: 'rate', atLeast: 1.5 }],
    tls: true,
    chart: 'https GET 15 B, 1 connection',
  },
  {
    id: 'https-new',
    title: 'https GET 15 B, a new connection with a full handshake for each request, 10 at a time',
    run: 'steady',
    connections: 10,
    request: GET_SMALL,
    clients: NEW_TLS_CONNECTIONS,
    goals: [
      { metric: 'rate', atLeast: 2 },
      { metric: 'js', atMost: 0.35 },
      { metric: 'loopDelay', below: 1 },
    ],
    tls: true,
    ca: true,
    newConnections: true,
    sessions: 'none',
    loopDelay: true,
    chart: 'https GET, full handshakes',
  },
  {
    id: 'https-resumed',
    title: 'https GET 15 B, a new connection with a resumed session for each request, 10 at a time',
    run: 'steady',
    connections: 10,
    request: GET_SMALL,
    clients: NEW_TLS_CONNECTIONS,
    goals: [{ metric: 'rate', atLeast: 2 }],
    tls: true,
    ca: true,
    newConnections: true,
    sessions: 'cached',
    loopDelay: true,
    chart: 'https GET, resumed sessions',
  },
  {
    id: 'https-64k',
    title: 'https GET 64 KiB, 20 connections',
    run: 'steady',
    connections: 20,
    request: { method: 'GET', path: `/bytes/${64 * KIB}`, expect: { length: 64 * KIB } },
    clients: CORE_AND_WRK,
    goals: [{ metric: 'rate', atLeast: 2 }, { metric: 'js', atMost: 0.35 }],
    tls: true,
    chart: 'https GET 64 KiB',
  },
  {
    id: 'https-download',
    title: 'https download 256 MiB, 1 connection',
    run: 'steady',
    connections: 1,
    request: { method: 'GET', path: `/bytes/${LARGE}`, expect: { length: LARGE } },
    clients: CORE_AND_WRK,
    goals: [{ metric: 'rate', atLeast: 1.3 }, { metric: 'js', atMost: 0.35 }],
    tls: true,
    transferBytes: LARGE,
    chart: 'https download 256 MiB',
  },
  {
    id: 'https-busy',
    title: 'https GET 15 B, 50 connections, the JavaScript thread held half of the time by other work',
    run: 'steady',
    connections: 50,
    request: GET_SMALL,
    clients: CORE,
    goals: [{ metric: 'rate', atLeast: 1 }, { metric: 'p99', atMost: 1 }],
    tls: true,
    busyShare: 0.5,
  },
  {
    id: 'https-axios',
    title: 'axios, https GET 15 B, 50 connections, on node:https and with ferrequest registered',
    run: 'steady',
    connections: 50,
    request: GET_SMALL,
    clients: ['axios', 'axios-ferrequest'],
    goals: [{ metric: 'rate', atLeast: 1.6, of: 'axios-ferrequest' }],
    tls: true,
  },
  {
    id: 'busy',
    title: 'GET 15 B, 50 connections, the JavaScript thread held half of the time by other work',
    run: 'steady',
    connections: 50,
    request: GET_SMALL,
    clients: CORE,
    goals: [{ metric: 'rate', atLeast: 4 }, { metric: 'p99', atMost: 0.5 }],
    busyShare: 0.5,
  },
];

/**
 * @param {string} id
 * @returns {Workload}
 */
function workloadById(id) {
  const found = workloads.find((workload) => workload.id === id);
  if (!found) {
    throw new Error(`no workload is called ${id}`);
  }
  return found;
}

module.exports = { workloads, workloadById, MIB };
