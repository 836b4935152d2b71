'use strict';

// Events that no test asserts: they tell of listeners and of a stream's inner state, or differ between Node versions.
const QUIET = new Set(['newListener', 'removeListener', 'prefinish', 'pause', 'resume', 'readable', 'pipe', 'unpipe',
  'connectionAttempt', 'connectionAttemptFailed', 'connectionAttemptTimeout']);

/**
 * Writes down the events of a request, of its response and of its socket, in the order in which they are emitted. It
 * adds no listeners, which would change what is observed: a 'data' listener starts a stream, an 'error' one swallows.
 */
class Recorder {
  /**
   * @param {import('node:http').ClientRequest} req
   * @param {{ socket?: boolean }} [options] socket: record the socket's events too
   */
  constructor(req, { socket = false } = {}) {
    /** @type {string[]} such as 'req response', 'res error ECONNRESET', 'socket close' */
    this.events = [];
    this.watch('req', req, (name, args) => {
      if (['response', 'upgrade', 'connect'].includes(name)) this.watch('res', args[0]);
      if (name === 'socket' && socket) this.watch('socket', args[0]);
    });
  }

  /**
   * @param {string} label
   * @param {import('node:events').EventEmitter} emitter
   * @param {(name: string, args: unknown[]) => void} [onEvent]
   */
  watch(label, emitter, onEvent) {
    const recorder = this;
    const { emit } = emitter;
    emitter.emit = function recordedEmit(name, ...args) {
      if (!QUIET.has(name)) recorder.add(describeEvent(label, name, args));
      onEvent?.(name, args);
      return Reflect.apply(emit, this, [name, ...args]);
    };
  }

  /**
   * Adds an entry, also of the test's own. Of several 'data' in a row one is kept: how many there are is chance.
   * @param {string} entry
   */
  add(entry) {
    if (!entry.endsWith(' data') || this.events.at(-1) !== entry) this.events.push(entry);
  }

  /**
   * @param {string} label
   * @returns {string[]} the entries of that label alone
   */
  of(label) {
    return this.events.filter((entry) => entry.startsWith(`${label} `));
  }
}

function describeEvent(label, name, args) {
  if (name === 'error') return `${label} error ${args[0]?.code ?? args[0]?.message}`;
  return `${label} ${String(name)}`;
}

/**
 * @param {import('node:http').ClientRequest} req
 * @param {{ socket?: boolean }} [options]
 * @returns {Recorder}
 */
function record(req, options) {
  return new Recorder(req, options);
}

module.exports = { record, Recorder };
