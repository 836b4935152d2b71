'use strict';

/**
 * Runs the scenarios of clients, in a process of its own: `node run.js MODE CLIENT...`. A line of JSON comes out for
 * each. The mode says which HTTP client is below:
 * - `node`: Node's own, and nothing of ferrequest is loaded;
 * - `given`: ferrequest, which a client is given as its transport, its module or its agent;
 * - `registered`: ferrequest, of which a client knows nothing; the process was begun with `--require register.js`.
 */

const { subscribe } = require('node:diagnostics_channel');
const http = require('node:http');
const https = require('node:https');
const { setImmediate: turn } = require('node:timers/promises');
const { Peer, startPeers } = require('./peers');
const { clientOf } = require('./scenarios');
const { until } = require('./until');

/** Milliseconds that a scenario may take on a machine that is busy with other things. */
const LIMIT = 60_000;

const [, , mode, ...clients] = process.argv;
const isGiven = mode === 'given';
const ferrequest = mode === 'node' ? undefined : require('../../..');
const below = isGiven ? { http: ferrequest, https: require('../../../https') } : { http, https };

/** Headers of responses that clients have got. */
let answers = 0;
subscribe('http.client.response.finish', () => {
  answers++;
});

/** A kit gives a scenario its peers, its agents and the modules of the client below. */
class Kit {
  /** @type {(() => void)[]} */
  #cleanUps = [];

  constructor(peers) {
    Object.assign(this, peers, below, { isGiven, until });
    this.answersBefore = answers;
  }

  /**
   * @template Options
   * @param {Options} options by which a client is told what to use in place of node:http
   * @returns {Options | {}} those, if ferrequest is to be given
   */
  given(options) {
    return isGiven ? options : {};
  }

  /** @returns {http.Agent} an agent of the client below, destroyed after the scenario */
  agent(options) {
    return this.kept(new below.http.Agent(options));
  }

  /** @returns {https.Agent} */
  secureAgent(options) {
    return this.kept(new below.https.Agent(options));
  }

  /** Starts a server of Node's, closed after the scenario. A name stands for its port in what comes out. */
  async serve(name, listener, where) {
    const peer = await new Peer(name, http.createServer(listener)).listen(where);
    this.peers.push(peer);
    if (peer.port) this.name(peer.port, name);
    this.cleanUp(() => {
      this.peers.splice(this.peers.indexOf(peer), 1);
      peer.close();
    });
    return peer;
  }

  /** Sees that an agent is destroyed after the scenario. */
  kept(agent) {
    this.cleanUp(() => agent.destroy());
    return agent;
  }

  cleanUp(action) {
    this.#cleanUps.push(action);
  }

  async cleanUpAll() {
    for (const action of this.#cleanUps.splice(0).reverse()) await action();
  }

  /** Tells what a promise is rejected with. */
  async errorOf(promise) {
    try {
      return { resolved: await promise };
    } catch (error) {
      const { name, code, message, cause } = error;
      return { name, code, message, ...(cause && { cause: cause.code ?? cause.message }) };
    }
  }

  /** Waits until the client has the header of an answer, and has had time to see to it. */
  async untilAnswered() {
    await until(() => answers > this.answersBefore);
    for (let i = 0; i < 5; i++) await turn();
  }

  async untilClosed(peer = this.origin) {
    await until(() => peer.openConnections === 0);
  }
}

const uncaught = [];
process.on('uncaughtException', (error) => uncaught.push(String(error?.stack).split('\n')[0]));

async function runScenario(library, scenario, peers) {
  const kit = new Kit(peers);
  for (const peer of peers.peers) {
    peer.asked.length = 0;
    peer.connections = 0;
  }
  const before = ferrequest?.stats().requests ?? 0;
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('The scenario does not end')), LIMIT);
  });
  let outcome;
  try {
    outcome = { gave: await Promise.race([scenario.act(library, kit), limit]) };
  } catch (error) {
    outcome = { threw: String(error?.stack ?? error) };
  }
  clearTimeout(timer);
  const ours = (ferrequest?.stats().requests ?? 0) - before;
  const asked = peers.peers.flatMap((peer) => peer.asked).filter((what) => !what.startsWith('CONNECT')).length;
  await kit.cleanUpAll();
  below.http.globalAgent.destroy();
  below.https.globalAgent.destroy();
  return { outcome: { ...outcome, ...(uncaught.length && { uncaught: uncaught.splice(0) }) }, ours, asked };
}

async function main() {
  const peers = await startPeers();
  for (const client of clients) {
    const { load, scenarios } = clientOf(client);
    const library = await load();
    for (const [name, scenario] of Object.entries(scenarios)) {
      const began = performance.now();
      const result = await runScenario(library, scenario, peers);
      const milliseconds = Math.round(performance.now() - began);
      console.log(
        peers.normalize(JSON.stringify({ client, name, ...result })).slice(0, -1) +
          `,"milliseconds":${milliseconds}}`,
      );
    }
  }
  peers.close();
  // Which handles a client leaves behind is its own affair.
  process.exit();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
