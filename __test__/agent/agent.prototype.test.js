'use strict';

/** Methods of http.Agent.prototype that somebody (tracing, mocking) has replaced for all agents, those of https too. */

const { http, newAgent, untilIdle, serve, exchange, cleanUp } = require('../support');
const { exchangeTls, newTlsAgent, serveTls } = require('../support/tls');

const METHODS = ['addRequest', 'createSocket', 'removeSocket', 'keepSocketAlive', 'reuseSocket', 'destroy'];

/**
 * Replaces the methods until the test is over, in the way of a library that watches.
 * @returns {string[]} The names of those called on the agent that `watched.agent` will be.
 */
function watchMethods(watched) {
  const calls = [];
  for (const name of METHODS) {
    const descriptor = Object.getOwnPropertyDescriptor(http.Agent.prototype, name);
    const original = http.Agent.prototype[name];
    http.Agent.prototype[name] = function watch(...arguments_) {
      if (this === watched.agent) calls.push(name);
      return original.apply(this, arguments_);
    };
    cleanUp(() => {
      if (descriptor) Object.defineProperty(http.Agent.prototype, name, descriptor);
      else delete http.Agent.prototype[name];
    });
  }
  return calls;
}

const KINDS = [
  ['http', { newAgent, serve, exchange }],
  ['https', { newAgent: newTlsAgent, serve: serveTls, exchange: exchangeTls }],
];

describe.each(KINDS)('methods of http.Agent.prototype that are replaced, for an agent of %s', (_, kind) => {
  it.each(['before it is made', 'after it is made'])('are called for each request, if replaced %s', async (when) => {
    const peer = await kind.serve((req, res) => res.end());
    const watched = {};
    if (when === 'after it is made') watched.agent = kind.newAgent({ keepAlive: true });
    const calls = watchMethods(watched);
    watched.agent ??= kind.newAgent({ keepAlive: true });
    const { agent } = watched;

    await kind.exchange({ ...peer.address, agent });
    await untilIdle(agent);
    expect(calls.splice(0)).toEqual(['addRequest', 'createSocket', 'keepSocketAlive', 'removeSocket']);
    await kind.exchange({ ...peer.address, agent });
    await untilIdle(agent);
    expect(calls.splice(0)).toEqual(['addRequest', 'reuseSocket', 'keepSocketAlive', 'removeSocket']);
    agent.destroy();
    expect(calls[0]).toBe('destroy');
  });
});

it('an agent of https has its own methods again when those of http.Agent.prototype are put back', async () => {
  const peer = await serveTls((req, res) => res.end());
  const agent = newTlsAgent({ keepAlive: true });
  const { addRequest } = http.Agent.prototype;
  const seen = [];
  http.Agent.prototype.addRequest = function watch(req, options) {
    seen.push(req.path);
    return addRequest.call(this, req, options);
  };
  cleanUp(() => {
    http.Agent.prototype.addRequest = addRequest;
  });
  await exchangeTls({ ...peer.address, agent, path: '/seen' });
  await untilIdle(agent);
  http.Agent.prototype.addRequest = addRequest;
  const { req } = await exchangeTls({ ...peer.address, agent, path: '/unseen' });
  expect(seen).toEqual(['/seen']);
  expect(req.reusedSocket).toBe(true);
});
