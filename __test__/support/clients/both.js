'use strict';

/** Scenarios of libraries, run over Node's client and over ferrequest, which has to make no difference. */

const http = require('node:http');
const https = require('node:https');
const { isOracle } = require('../conditions');

/** Orders in which a library and ferrequest come to node:http. */
const ORDERS = {
  "over Node's client": [],
  'loaded after ferrequest': ['register', 'load'],
  'loaded before ferrequest': ['load', 'register'],
};

/**
 * @template Library, Result
 * @param {() => Library} load requires what the scenario needs: it gets modules of its own each time
 * @param {(library: Library, kit: { http: typeof http, https: typeof https }) => Promise<Result>} scenario
 * @param {string[]} steps
 * @returns {Promise<{ result: Result, requests: number, isOurs: boolean }>} requests: to how many ferrequest gave a
 *   socket; isOurs: whether it is in place
 */
async function runScenario(load, scenario, steps) {
  jest.resetModules();
  const ferrequest = isOracle ? undefined : require('../../..');
  const before = ferrequest?.stats().requests ?? 0;
  let library;
  let registration;
  for (const step of steps) {
    if (step === 'load') library = load();
    else registration = require('../../../register');
  }
  library ??= load();
  try {
    const isOurs = http.request === ferrequest?.request;
    const result = await scenario(library, { http, https });
    return { result, isOurs, requests: (ferrequest?.stats().requests ?? 0) - before };
  } finally {
    http.globalAgent.destroy();
    https.globalAgent.destroy();
    registration?.unregister();
    http.globalAgent.destroy();
    https.globalAgent.destroy();
  }
}

/**
 * Runs a scenario over Node's client, then over ferrequest, and expects the same result. With ORACLE=node it runs over
 * Node's alone.
 * @template Library, Result
 * @param {() => Library} load
 * @param {(library: Library, kit: { http: typeof http, https: typeof https }) => Promise<Result>} scenario
 * @param {{ orders?: string[], connects?: boolean }} [options] orders: those of ORDERS; connects: false where no
 *   request gets a socket
 * @returns {Promise<Result>} what it gave over Node's client
 */
async function sameOnBoth(load, scenario, { orders = ['loaded after ferrequest'], connects = true } = {}) {
  const nodes = await runScenario(load, scenario, []);
  expect([nodes.isOurs, nodes.requests]).toEqual([false, 0]);
  for (const order of isOracle ? [] : orders) {
    const ours = await runScenario(load, scenario, ORDERS[order]);
    expect({ order, result: ours.result }).toEqual({ order, result: nodes.result });
    expect([ours.isOurs, ours.requests > 0]).toEqual([true, connects]);
  }
  return nodes.result;
}

/** For libraries whose classes extend those of node:http as they find them. */
const EITHER_ORDER = { orders: ['loaded after ferrequest', 'loaded before ferrequest'] };

module.exports = { EITHER_ORDER, sameOnBoth };
