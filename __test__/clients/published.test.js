'use strict';

/**
 * HTTP clients of others, as they are published, are used as their users do: over Node's client, over ferrequest that
 * they are given, and over ferrequest registered without their knowing. What comes of a scenario is the same on all.
 */

const fs = require('node:fs');
const path = require('node:path');
const { isOracle, nodeIsAtLeast, runNode, ROOT } = require('../support');
const { CLIENTS, PROCESSES, clientOf } = require('./published/scenarios');

const FOLDER = path.join(__dirname, 'published');
const RUN = path.join(FOLDER, 'run.js');

const isInstalled = fs.existsSync(path.join(FOLDER, 'node_modules/.package-lock.json'));
if (!isInstalled) console.warn('Tests are skipped, because the clients are not there: npm run install:clients');

/** Ways to put ferrequest below a client, besides none; see run.js. */
const MODES = {
  node: [],
  given: [],
  registered: ['--require', path.join(ROOT, 'register.js')],
};

const isSupported = (name) => isInstalled && nodeIsAtLeast(...(clientOf(name).node ?? [20]));

/**
 * The outcomes of scenarios, by mode, client and name.
 * @type {Record<string, Record<string, Record<string, object>>>}
 */
const results = {};

/** Runs the scenarios of some clients in a process. */
async function run(mode, clients) {
  const { code, stdout, stderr } = await runNode([...MODES[mode], RUN, mode, ...clients], { timeout: 240_000 });
  for (const line of stdout.trim().split('\n')) {
    const { client, name, ...result } = JSON.parse(line);
    ((results[mode] ??= {})[client] ??= {})[name] = result;
  }
  // Clients may warn of what is deprecated.
  if (code !== 0) throw new Error(`The process in mode ${mode} ended with ${code}: ${stderr}`);
}

beforeAll(async () => {
  if (!isInstalled) return;
  const modes = isOracle ? ['node'] : Object.keys(MODES);
  for (const names of PROCESSES) {
    await Promise.all(
      modes.map((mode) => {
        const clients = names.filter((name) => isSupported(name) && (mode !== 'given' || clientOf(name).given));
        return clients.length > 0 ? run(mode, clients) : undefined;
      }),
    );
  }
}, 600_000);

describe.each(CLIENTS)('%s', (client) => {
  const { given, scenarios } = clientOf(client);
  const itOfNode = isSupported(client) ? it : it.skip;
  const itOfOurs = isSupported(client) && !isOracle ? it : it.skip;

  describe.each(Object.keys(scenarios))('%s', (name) => {
    const { gives, mayNotArrive } = scenarios[name];

    itOfNode("over Node's client", () => {
      const { outcome, ours } = results.node[client][name];
      expect(outcome).toMatchObject({ gave: gives });
      expect(Object.keys(outcome)).toEqual(['gave']);
      expect(ours).toBe(0);
    });

    itOfOurs('the same over ferrequest, registered', () => {
      const { outcome, asked, ours } = results.registered[client][name];
      expect(outcome).toEqual(results.node[client][name].outcome);
      if (!mayNotArrive) expect(asked).toBe(results.node[client][name].asked);
      // Some are made and do not arrive: nobody listens, or a library answers them.
      expect(ours).toBeGreaterThanOrEqual(asked);
    });

    if (given) {
      itOfOurs(
        given === 'agent' ? 'the same with an agent of ferrequest' : 'the same over ferrequest that it is given',
        () => {
          const { outcome, asked, ours } = results.given[client][name];
          expect(outcome).toEqual(results.node[client][name].outcome);
          if (!mayNotArrive) expect(asked).toBe(results.node[client][name].asked);
          if (given === 'transport') expect(ours).toBeGreaterThanOrEqual(asked);
          // It asks by Node's own request(), and our agent finds it a socket.
          else expect(ours).toBe(0);
        },
      );
    }
  });
});
