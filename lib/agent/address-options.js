'use strict';

/** Applies the options of an agent that say how its requests find an address: `dns`, and the race of connections. */

const { kRace } = require('../addresses/race-marks');
const { late } = require('../node/late');

/** Loaded for the first agent or request that asks for it, as they load `node:dns`. */
const lookupCache = late(() => require('../addresses/lookup-cache'));
const race = late(() => require('../addresses/race'));

/** Own property of an agent that has one of the options: how its requests find an address. */
const kAddresses = Symbol('addresses');

/**
 * Takes the options, which net does not know, from a new agent, with the lookup that they have to do with.
 * @param {import('node:http').Agent} agent
 */
function install(agent) {
  const { options } = agent;
  const cache = lookupCache().createLookupCache(options.dns);
  const races = options.autoSelectFamily === 'race';
  if (cache === undefined && !races) return;
  agent[kAddresses] = { cache, races, lookup: options.lookup };
  delete options.lookup;
  if (races) delete options.autoSelectFamily;
}

/**
 * Applies them to the options of a request.
 * @param {import('node:http').Agent} agent
 * @param {import('../request/client-request').ClientRequest} req
 * @param {object} options Options of the request.
 */
function apply(agent, req, options) {
  const { cache, races, lookup } = agent[kAddresses];
  const { [kRace]: begun } = options;
  const inner = lookup ?? (begun ? begun.innerLookup : options.lookup);
  const cached = cache?.lookupOf(inner) ?? inner;
  if (begun) {
    begun.innerLookup = cached;
    return;
  }
  options.lookup = cached;
  if (!races) return;
  // A request of Node's own client does not tell which socket it gets.
  if (req.adoptStream === undefined) options.autoSelectFamily = true;
  else race().prepare(req, options, agent.options);
}

module.exports = { apply, install, kAddresses };
