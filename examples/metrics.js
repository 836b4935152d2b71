'use strict';

/**
 * Makes metrics of requests and connections, and prints them in the format of Prometheus: `node examples/metrics.js`.
 * It uses prom-client where that is installed, or else the few classes of the same shape in metrics/registry.js. A
 * program would copy `observe()`.
 */

const { subscribe } = require('node:diagnostics_channel');
const { once } = require('node:events');
const http = require('ferrequest');

/** Upper bounds, in seconds, of the buckets of the histogram of durations. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Makes metrics of all requests of this process from now on.
 * @param {object} client The classes Counter, Gauge and Histogram, as prom-client has them.
 * @param {object} register The registry of the metrics.
 * @param {Record<string, import('ferrequest').Agent>} agents Agents to make metrics of, by name.
 */
function observe(client, register, agents) {
  const make = (kind, name, help, labelNames, options) => {
    return new client[kind]({ name: `http_client_${name}`, help, labelNames, registers: [register], ...options });
  };
  const duration = make('Histogram', 'request_duration_seconds', 'From request() to the end of the response',
    ['method', 'host', 'status'], { buckets: BUCKETS });
  const failed = make('Counter', 'requests_failed_total', 'Requests that have emitted an error',
    ['method', 'host', 'code', 'phase']);
  const retried = make('Counter', 'requests_retried_total', 'Attempts that another followed', ['method', 'host']);
  const open = make('Gauge', 'connections', 'Connections that stand', ['origin', 'transport']);
  const reused = make('Counter', 'connections_reused_total', 'Requests on a connection that there was', ['origin']);
  const closed = make('Counter', 'connections_closed_total', 'Connections that have closed', ['origin', 'reason']);
  make('Gauge', 'agent_sockets', 'Sockets and waiting requests of an agent', ['agent', 'state'], {
    collect() {
      for (const agent of Object.keys(agents)) {
        const { sockets, freeSockets, requests } = agents[agent].stats();
        this.set({ agent, state: 'used' }, sockets);
        this.set({ agent, state: 'idle' }, freeSockets);
        this.set({ agent, state: 'waiting' }, requests);
      }
    },
  });

  subscribe('http.client.response.finish', ({ request, response }) => {
    const { host, method } = request;
    response.once('close', () => {
      const { total } = request.timings.phases;
      if (total !== undefined) duration.observe({ method, host, status: response.statusCode }, total / 1000);
    });
  });
  subscribe('http.client.request.error', ({ request: { host, method }, error }) => {
    failed.inc({ method, host, code: error.code ?? error.name, phase: error.phase });
  });
  subscribe('ferrequest:request:retried', ({ request: { host, method } }) => retried.inc({ method, host }));
  // An upgraded connection has another transport when it closes: the gauge needs the first one.
  const transports = new WeakMap();
  subscribe('ferrequest:connection:opened', ({ origin, socket, transport }) => {
    transports.set(socket, transport);
    open.inc({ origin, transport });
  });
  subscribe('ferrequest:connection:reused', ({ origin }) => reused.inc({ origin }));
  subscribe('ferrequest:connection:closed', ({ origin, reason, socket }) => {
    closed.inc({ origin, reason });
    if (transports.has(socket)) open.dec({ origin, transport: transports.get(socket) });
  });
}

/** @returns {object} prom-client, or classes of the same shape. */
function findClient() {
  try {
    return require('prom-client');
  } catch {
    return require('./metrics/registry.js');
  }
}

/** Makes a request and reads its response. */
async function ask(options) {
  const [res] = await once(http.get(options), 'response');
  for await (const chunk of res) void chunk;
  return res.statusCode;
}

/** Makes requests of all kinds, and prints their metrics. */
async function main() {
  const client = findClient();
  const register = new client.Registry();
  const agent = new http.Agent({ keepAlive: true, retry: { minTimeout: 10 } });
  observe(client, register, { example: agent });

  let unavailable = 1;
  const server = http.createServer((req, res) => {
    if (req.url === '/unavailable' && unavailable-- > 0) res.statusCode = 503;
    if (req.url === '/last') res.setHeader('Connection', 'close');
    res.end('hello');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address();
  for (const path of ['/', '/', '/unavailable', '/last', '/']) await ask({ host: '127.0.0.1', port, path, agent });
  agent.destroy();
  const areClosed = () => agent.stats().closeSocketCount === agent.stats().createSocketCount;
  while (!areClosed()) await new Promise((resolve) => { setImmediate(resolve); });
  server.close();
  await ask({ host: '127.0.0.1', port, agent: false }).catch(() => {});
  console.log(await register.metrics());
}

if (require.main === module) main();

module.exports = { observe };
