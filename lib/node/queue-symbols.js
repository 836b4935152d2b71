'use strict';

/**
 * Finds the properties that Node's own agent keeps in a request of its queue. It asks when ferrequest is loaded: asking
 * makes an async resource, and one that comes with a program's first request would look like one of its own. All other
 * private parts of Node are asked for later (internals.js).
 */

const { Agent } = require('./originals');

/**
 * Finds the symbol with a description among the own properties of an object.
 * @param {object} owner
 * @param {string} description
 * @returns {symbol|undefined}
 */
function symbolOf(owner, description) {
  return Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === description);
}

/**
 * Has Node's own agent queue a request, and finds what it has put there. Nothing may hold the request's async resource
 * afterwards: tools that list open handles would show it. Where a library has put an agent in Node's place that queues
 * later, or elsewhere, the properties are ours alone.
 */
function symbolsOfQueue() {
  const agent = new Agent({ maxSockets: 1 });
  const queued = { getHeader() {} };
  // Without a name for the server Node would compile its patterns of addresses, which takes milliseconds.
  const options = { host: 'localhost', port: 80, servername: '' };
  // The agent takes this for a socket in use.
  agent.sockets[agent.getName(options)] = [{}];
  agent.addRequest(queued, options);
  return {
    kQueuedOptions: symbolOf(queued, 'requestOptions') ?? Symbol('requestOptions'),
    kQueuedResource: symbolOf(queued, 'requestAsyncResource') ?? Symbol('requestAsyncResource'),
  };
}

module.exports = { ...symbolsOfQueue(), symbolOf };
