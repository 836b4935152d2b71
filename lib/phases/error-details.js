'use strict';

/**
 * Adds to the error of a request what has happened to it: the origin, the phase, the times. The properties are not
 * enumerable, so that what users print or compare is what it is with Node's client.
 */

/**
 * The details that errors have got here, by name: another request may get an error after one, if a user has made it.
 * @type {WeakMap<Error, Set<string>>}
 */
const detailed = new WeakMap();

/**
 * Names the phase that a request is in, as the option `timeouts` does.
 * @param {import('./stamps').Stamps} stamps
 * @returns {'queue'|'lookup'|'connect'|'secureConnect'|'send'|'response'|'read'}
 */
function phaseOf(stamps) {
  if (stamps.socket === undefined) return 'queue';
  if (stamps.response !== undefined) return 'read';
  if (stamps.lookup === undefined) return 'lookup';
  if (stamps.connect === undefined) return 'connect';
  if (stamps.isTls && stamps.secureConnect === undefined) return 'secureConnect';
  return stamps.upload === undefined ? 'send' : 'response';
}

/**
 * Adds properties to an error of a request, where the error has none of the name.
 * @param {unknown} error
 * @param {object} req
 * @param {import('./stamps').Stamps} stamps
 */
function addDetails(error, req, stamps) {
  if (typeof error !== 'object' || error === null || !Object.isExtensible(error)) return;
  let added = detailed.get(error);
  if (added === undefined) detailed.set(error, added = new Set());
  const { attempts = 1, host, method, path, reusedSocket } = req;
  const port = Number(stamps.port);
  // Before the phase is asked for: it settles the stamps.
  const { timings } = stamps;
  const details = { phase: phaseOf(stamps), host, port, method, path, reusedSocket, attempts, timings };
  for (const name of Object.keys(details)) {
    if (name in error && !added.has(name)) continue;
    if (define(error, name, details[name])) added.add(name);
  }
  if (error.message === '' && isOfConnecting(error)) addMessage(error, details);
}

/**
 * Defines a property of an error that is not enumerable.
 * @returns {boolean} False where the error, which may be a user's, does not take it.
 */
function define(error, name, value) {
  return Reflect.defineProperty(error, name, { value, configurable: true, enumerable: false, writable: true });
}

/** Tells whether an error is the AggregateError that net makes of attempts that the system has failed. */
function isOfConnecting({ code, errors }) {
  return typeof code === 'string' && Array.isArray(errors) &&
    errors.every((reason) => typeof reason?.errno === 'number');
}

/**
 * Gives an AggregateError, which has none from net, a message that names each address and what was wrong with it.
 * @param {AggregateError} error
 * @param {{ host: string, port: number }} origin
 */
function addMessage(error, { host, port }) {
  const message = `No connection to ${host}:${port}: ${error.errors.map((reason) => reason?.message).join('; ')}`;
  define(error, 'message', message);
  const { stack } = error;
  if (typeof stack !== 'string') return;
  const end = stack.indexOf('\n');
  const [head, trace] = end === -1 ? [stack, ''] : [stack.slice(0, end), stack.slice(end)];
  define(error, 'stack', `${head.replace(/:? *$/, '')}: ${message}${trace}`);
}

module.exports = { addDetails, define };
