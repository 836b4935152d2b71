'use strict';

/**
 * Finds the properties that Node's own agent keeps in a request of its queue. It asks when ferrequest is loaded: a
 * library may replace the methods that tell it later. All other private parts of Node are asked for when they are first
 * needed (internals.js).
 */

const { Agent } = require('./originals');

/** Node describes the two symbols by these words. */
const OPTIONS = 'requestOptions';
const RESOURCE = 'requestAsyncResource';

/** Without a name for the server, Node would compile its patterns of addresses, which takes milliseconds. */
const CONNECTION = { host: 'localhost', port: 80, servername: '' };

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
 * Has Node's own agent look at requests that wait, one for another origin and one for that of a socket that gets free.
 * Node's addRequest would tell as well, but libraries replace that one, to be asked before each request: such a one may
 * queue later, or elsewhere, and should not see a request that nobody has made.
 * @returns {object} With the symbols that Node has looked for.
 */
function symbolsReadByAgent() {
  const seen = {};
  const waiting = new Proxy({ onSocket() {} }, {
    get(request, key) {
      if (typeof key === 'symbol') seen[key] = true;
      return request[key];
    },
  });
  const agent = new Agent();
  const socket = { writable: true };
  agent.requests.other = [waiting];
  agent.removeSocket(socket, CONNECTION);
  agent.requests[agent.getName(CONNECTION)] = [waiting];
  agent.emit('free', socket, CONNECTION);
  return seen;
}

/**
 * Has Node's own agent queue a request. Nothing may hold the request's async resource afterwards: tools that list open
 * handles would show it.
 * @returns {object} The request, with the symbols that Node has put there.
 */
function symbolsOfQueuedRequest() {
  const agent = new Agent({ maxSockets: 1 });
  const queued = { getHeader() {} };
  // The agent takes this for a socket in use.
  agent.sockets[agent.getName(CONNECTION)] = [{}];
  agent.addRequest(queued, CONNECTION);
  return queued;
}

/** Asks. A method of a library's may fail on what is made up here. */
function answerOf(ask) {
  try {
    return ask();
  } catch {
    return {};
  }
}

/**
 * Finds both symbols. They are ours alone where libraries have replaced all methods that tell them, and call Node's
 * later or never.
 */
function symbolsOfQueue() {
  let options;
  let resource;
  for (const ask of [symbolsReadByAgent, symbolsOfQueuedRequest]) {
    if (options !== undefined && resource !== undefined) break;
    const owner = answerOf(ask);
    options ??= symbolOf(owner, OPTIONS);
    resource ??= symbolOf(owner, RESOURCE);
  }
  return { kQueuedOptions: options ?? Symbol(OPTIONS), kQueuedResource: resource ?? Symbol(RESOURCE) };
}

module.exports = { ...symbolsOfQueue(), symbolOf };
