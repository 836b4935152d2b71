'use strict';

/** A fault storm: many requests under changing load, a server full of faults, and users who call their requests off. */

const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep, setImmediate: turn } = require('node:timers/promises');

const { ClientExchange } = require('./client-exchange');
const { makePattern } = require('./pattern');
const { loadOf, planOf } = require('./plan');
const { transportsOf } = require('./transports');
const { Verdict } = require('./verdict');

/** Requests after which a storm falls to none in progress, and looks what is left of them. */
const CHECK_EVERY = 2000;

/** Milliseconds that sockets and descriptors may take to go, on a busy machine. */
const MOST_TO_GO = 10_000;

/** Requests by which a client comes to everything that it keeps for good: threads, descriptors. */
const WARM_UP = 300;

/** Most requests in progress while connections are to be lent: more of them make the load a heavy one. */
const LENT_LIMIT = 4;

/**
 * @typedef {object} Options
 * @property {{ http: typeof import('node:http'), https: typeof import('node:https') }} client
 * @property {number} seed
 * @property {import('./plan').Setting} setting
 * @property {number} limit requests in progress at most
 * @property {number} deadline milliseconds after which a request counts as hung
 * @property {number} [patience] milliseconds after which what is left of connections counts as leaked
 */

class Storm {
  #inProgress = 0;
  #wake = () => {};
  #heard = [];

  /** @param {Options} options */
  constructor({ client, seed, setting, limit, deadline, patience = MOST_TO_GO }) {
    this.client = client;
    this.seed = seed;
    this.setting = setting;
    this.limit = setting.transports.every((name) => name.startsWith('lent')) ? Math.min(limit, LENT_LIMIT) : limit;
    this.deadline = deadline;
    this.patience = patience;
    this.pattern = makePattern(seed);
    this.verdict = new Verdict();
    this.kinds = transportsOf(client);
    this.agents = new Map();
    this.next = 0;
    this.connections = 0;
    this.forgeries = 0;
    /** What the process holds when no request is in progress. @type {{ descriptors: number, handles: string }} */
    this.baseline = undefined;
  }

  /**
   * Starts the server, and makes the first requests.
   * @param {{ warmUp?: number }} [options] warmUp: how many
   */
  async start({ warmUp = WARM_UP } = {}) {
    this.server = fork(path.join(__dirname, 'server.js'), [String(this.seed), JSON.stringify(this.setting)], {
      serialization: 'advanced', execArgv: [],
    });
    const [{ ports }] = await once(this.server, 'message');
    this.ports = ports;
    // A storm whose server has died would wait for ever.
    this.server.once('exit', () => {
      if (this.server.connected) throw new Error('the server of the storm has died');
    });
    await this.run(warmUp);
    this.baseline = holdings();
  }

  /** @param {number} count of requests to make, after which no request is in progress */
  async run(count) {
    const end = this.next + count;
    while (this.next < end) {
      const id = this.next++;
      const { limit, fallsToNone } = loadOf(this.seed, id, this.limit);
      await this.#untilInProgress(fallsToNone ? 0 : limit - 1);
      // Connections idle for a moment, and the server does to them what it has planned.
      if (fallsToNone) await sleep(15);
      this.#begin(id);
      if (this.next % CHECK_EVERY === 0) await this.#check();
    }
    await this.#check();
  }

  async #untilInProgress(most) {
    while (this.#inProgress > most) await new Promise((resolve) => { this.#wake = resolve; });
  }

  async #begin(id) {
    const plan = planOf(this.seed, id, this.setting);
    const kind = this.kinds[plan.transport];
    const port = plan.port === 'storm' ? kind.portForAnswers ?? 'storm' : plan.port;
    const { upload } = plan;
    const headers = {};
    if (upload.framing === 'chunked' && upload.size > 0) headers['Transfer-Encoding'] = 'chunked';
    else if (upload.size > 0 || plan.method === 'POST') headers['Content-Length'] = upload.size;
    if (upload.expects) headers.Expect = '100-continue';
    this.#inProgress++;
    const exchange = new ClientExchange(plan, {
      host: '127.0.0.1', port: this.ports[port], path: `/${this.seed}/${id}`, method: plan.method, headers,
      agent: this.#agentOf(plan.transport, plan.agent),
    }, { module: kind.module, pattern: this.pattern, deadline: this.deadline });
    this.#heard.push(await exchange.run());
    this.#inProgress--;
    this.#wake();
  }

  #agentOf(transport, number) {
    const { agents, makeAgent } = this.kinds[transport];
    const index = number % agents.length;
    const name = `${transport} ${index}`;
    if (!this.agents.has(name)) this.agents.set(name, makeAgent(agents[index]));
    return this.agents.get(name);
  }

  /** Waits until no request is in progress, judges what was heard, and looks what is left. */
  async #check() {
    await this.#untilInProgress(0);
    for (const [name, agent] of this.agents) {
      await this.#expect(() => sizeOf(agent.sockets) === 0 && sizeOf(agent.requests) === 0,
        () => `agent ${name} has ${sizeOf(agent.sockets)} sockets in use, ${sizeOf(agent.requests)} requests waiting`);
    }
    // What the client has sent, and abandoned, can still be on its way to the server.
    await sleep(20);
    const { entries, forgeries } = await this.#report();
    const byId = new Map(entries.map((entry) => [entry.id, entry]));
    for (const heard of this.#heard) {
      this.verdict.judge(heard, byId.get(heard.plan.id), forgeries.get(heard.port));
      byId.delete(heard.plan.id);
    }
    this.#heard = [];
    this.#judgeLate(byId);
    await this.#judgeHoldings();
  }

  /** Judges what the server says of requests that have been judged before. */
  #judgeLate(entries) {
    for (const { id, seen, complaints } of entries.values()) {
      if (seen > 1) this.verdict.breach('doubled', `request ${id} came ${seen} times, the last time late`);
      for (const what of complaints) this.verdict.breach('corrupted', `request ${id}, late: ${what}`);
    }
  }

  async #report() {
    const answer = once(this.server, 'message');
    this.server.send('report');
    const [{ report }] = await answer;
    this.connections = report.connectionsAccepted;
    this.forgeries += report.forgeries.size;
    return report;
  }

  /** Destroys the agents, and sees that nothing is left of their connections, here and at the server. */
  async #judgeHoldings() {
    for (const agent of this.agents.values()) agent.destroy();
    for (const [name, agent] of this.agents) {
      await this.#expect(() => sizeOf(agent.freeSockets) === 0 && agent.totalSocketCount === 0,
        () => `agent ${name} has ${sizeOf(agent.freeSockets)} idle sockets, and counts ${agent.totalSocketCount}`);
    }
    this.agents.clear();
    const { baseline } = this;
    if (baseline) {
      await this.#expect(() => holdings().descriptors <= baseline.descriptors,
        () => `${holdings().descriptors} descriptors, ${baseline.descriptors} before`);
      await this.#expect(() => holdings().handles.length <= baseline.handles.length,
        () => `handles: ${holdings().handles}, before: ${baseline.handles}`);
    }
    let open;
    await this.#expect(async () => (open = (await this.#report()).connectionsOpen) === 0,
      () => `the server has ${open} connections`);
  }

  /** Waits until a condition holds; it is a leak if it never does. */
  async #expect(condition, what) {
    const until = Date.now() + this.patience;
    for (let turns = 0; !await condition(); turns++) {
      if (Date.now() > until) {
        this.verdict.breach('leaked', what());
        return;
      }
      await (turns < 20 ? turn() : sleep(5));
    }
  }

  /** Lets the server go. */
  stop() {
    this.server.disconnect();
  }
}

function sizeOf(table) {
  return Object.values(table).reduce((sum, list) => sum + list.length, 0);
}

/** @returns {{ descriptors: number, handles: string }} what this process holds of the system and of libuv */
function holdings() {
  const descriptors = process.platform === 'linux' ? fs.readdirSync('/proc/self/fd').length : 0;
  // Timers come and go with every request.
  const handles = process.getActiveResourcesInfo().filter((name) => !/Timeout|Immediate|FSReq/.test(name));
  return { descriptors, handles: handles.sort().join(', ') };
}

module.exports = { Storm };
