'use strict';

/**
 * Reloads nginx while connections are busy, again and again. The old worker answers what it has read, and closes its
 * connections; a request that goes out at that moment fails. The origin behind nginx counts how often each has come.
 */

const fs = require('node:fs');
const net = require('node:net');

const { sha256 } = require('../../__test__/support/bytes');
const certificates = require('../../__test__/support/certificates');
const { FILE, installed, startReal } = require('../../__test__/support/real-servers');
const { until } = require('../../__test__/support/wait');

/** Connections that are busy. */
const CONNECTIONS = 50;

/** Requests that a new worker answers at least before it is told to go. */
const BETWEEN = 500;

/** Milliseconds after which a request counts as hung, on a busy machine. */
const DEADLINE = 60_000;

/** Requests that a connection may serve: more than it will. */
const MOST_REQUESTS = 1_000_000;

const BODY = Buffer.alloc(3000, 'body');

const nginx = installed.find(({ name }) => name === 'nginx');

/** What is asked, in turn; one of them is not idempotent. */
const QUESTIONS = [
  { method: 'GET', path: '/app/chunked', digest: sha256(Buffer.concat([Buffer.from('first'), FILE.bytes])) },
  { method: 'GET', path: '/app/early', digest: sha256(FILE.bytes) },
  { method: 'POST', path: '/app/echo', body: BODY, digest: sha256(BODY) },
  { method: 'PUT', path: '/app/echo', body: BODY, digest: sha256(BODY) },
];

const TRANSPORTS = {
  native: ({ http }, ports) => ({ module: http, port: ports.plain }),
  stream: ({ http }, ports) => ({ module: http, port: ports.plain, createConnection: (to) => net.connect(to) }),
  tls: ({ https }, ports) => ({ module: https, port: ports.tls, ca: certificates.ca }),
};

/**
 * Makes one request.
 * @returns {Promise<string|null>} what is wrong, in a few words; null without a fault
 */
function ask(module, { body, digest, ...options }) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('hung'), DEADLINE);
    const done = (error) => {
      clearTimeout(timer);
      resolve(error);
    };
    const req = module.request(options, async (res) => {
      try {
        const bytes = Buffer.concat(await res.toArray());
        if (res.statusCode !== 200) done(`status ${res.statusCode}`);
        else done(sha256(bytes) === digest ? null : 'corrupted');
      } catch (error) {
        done(`in the response: ${error.message}`);
      }
    });
    req.on('error', (error) => done(error.message));
    req.end(body);
  });
}

/** Gives the processes that serve: the workers of nginx, old ones and new ones. */
function workersOf(pid) {
  return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean);
}

/** Reloads nginx, and waits until the worker that it had is gone. */
async function reload(server) {
  const [old] = workersOf(server.pid);
  server.reload();
  await until(() => workersOf(server.pid).length === 1 && workersOf(server.pid)[0] !== old, 'the old worker to go');
}

/** Requests one after the other on each of many connections, until it is told to stop. */
class Load {
  #isOver = false;
  #answered = 0;

  /**
   * @param {import('node:http').Server} origin
   * @param {object} module http or https
   * @param {object} options of each request
   */
  constructor(origin, module, options) {
    this.module = module;
    this.options = options;
    this.requests = 0;
    /** What is wrong, of each that failed. @type {{ number: number, method: string, error: string }[]} */
    this.failures = [];
    /** How often each has come to the origin. @type {Map<number, number>} */
    this.reads = new Map();
    origin.on('request', ({ headers }) => {
      const number = Number(headers['x-number']);
      this.reads.set(number, (this.reads.get(number) ?? 0) + 1);
    });
    this.chains = Array.from({ length: CONNECTIONS }, () => this.#runChain());
  }

  async #runChain() {
    while (!this.#isOver) {
      const number = this.requests++;
      const question = QUESTIONS[number % QUESTIONS.length];
      const headers = { 'x-number': number, ...question.body && { 'Content-Length': question.body.length } };
      const error = await ask(this.module, { ...this.options, headers, ...question });
      this.#answered++;
      if (error !== null) this.failures.push({ number, method: question.method, error });
    }
  }

  /** Waits until so many more requests are over. */
  async pass(count) {
    const from = this.#answered;
    await until(() => this.#answered >= from + count, 'the requests of a worker', DEADLINE);
  }

  async stop() {
    this.#isOver = true;
    await Promise.all(this.chains);
  }
}

/**
 * Counts what became of the requests.
 * @param {Load} load
 */
function judge({ requests, failures, reads }) {
  const errors = {};
  for (const { error } of failures) errors[error] = (errors[error] ?? 0) + 1;
  return {
    requests,
    failed: failures.length,
    /** Failed ones that a client may make again. */
    idempotent: failures.filter(({ method }) => method !== 'POST').length,
    /** Failed ones of which the origin knows nothing. */
    unread: failures.filter(({ number }) => !reads.has(number)).length,
    doubled: [...reads.values()].filter((times) => times > 1).length,
    errors,
  };
}

/**
 * Keeps connections busy while nginx is reloaded.
 * @param {{ http: object, https: object }} client
 * @param {{ transport: string, count: number, retry?: object }} options retry: of the agent
 */
async function run(client, { transport, count, retry }) {
  const server = await startReal(nginx, { mostRequests: MOST_REQUESTS });
  const { module, port, createConnection, ...options } = TRANSPORTS[transport](client, server.ports);
  const agent = new module.Agent({ keepAlive: true, maxSockets: CONNECTIONS, ...options, ...retry && { retry } });
  if (createConnection) agent.createConnection = createConnection;
  const load = new Load(server.origin, module, { host: '127.0.0.1', port, agent });
  for (let reloads = 0; reloads < count; reloads++) {
    await load.pass(BETWEEN);
    await reload(server);
  }
  await load.stop();
  agent.destroy();
  await server.stop();
  return judge(load);
}

module.exports = {
  TRANSPORTS: Object.keys(TRANSPORTS),
  isPossible: nginx !== undefined && process.platform === 'linux',
  run,
};
