'use strict';

/**
 * Timeouts ends a request that takes too long in one of its phases: the option `timeouts` of requests and agents.
 *
 * Only a request with that option has one. The phases are those of its stamps, and the names are got's:
 *
 *     queue ──▶ lookup ──▶ connect ──▶ secureConnect ──▶ send ──▶ response ──▶ read
 *     └───────────────────────────── request ──────────────────────────────────────┘
 */

const arrival = require('../bridge/arrival');
const { createError } = require('../node/errors');
const { clearTimeout, setImmediate, setTimeout } = require('../node/timing');
const { timerDuration } = require('../node/validators');

/** Phases that can be limited, in their order, and the whole. */
const EVENTS = ['queue', 'lookup', 'connect', 'secureConnect', 'send', 'response', 'read', 'request'];

/**
 * The stamps between which a phase lies, by phase: it has begun with the first, and is over with the second. An answer
 * ends the wait for it also where it comes before the whole request is out.
 */
const SPANS = {
  queue: ['start', 'socket'],
  lookup: ['socket', 'lookup'],
  connect: ['lookup', 'connect'],
  secureConnect: ['connect', 'secureConnect'],
  send: ['connect', 'upload'],
  response: ['upload', 'response'],
  read: ['response', 'end'],
  request: ['start', 'end'],
};

/**
 * Tells whether a value is ferrequest's option `timeouts`. Node's client has no such option, and libraries pass theirs
 * to any client: `request` hands on all options of its user, and `@npmcli/agent` has other phases. A value that is no
 * object, or has other names, is such a library's.
 */
function isOurs(timeouts) {
  return typeof timeouts === 'object' && timeouts !== null && !Array.isArray(timeouts) &&
    Object.keys(timeouts).every((name) => EVENTS.includes(name));
}

/**
 * Checks the option `timeouts` of a request or an agent.
 * @param {unknown} timeouts None, if it is not ours.
 * @param {Record<string, number>} [limits] Limits to add those of the option to.
 * @returns {Record<string, number>} Milliseconds by phase.
 */
function limitsOf(timeouts, limits = { __proto__: null }) {
  if (!isOurs(timeouts)) return limits;
  for (const name of Object.keys(timeouts)) {
    if (timeouts[name] !== undefined) limits[name] = timerDuration(timeouts[name], `options.timeouts.${name}`);
  }
  return limits;
}

/** The timers of one request. */
class Timeouts {
  /**
   * @param {object} req
   * @param {Record<string, number>} limits Milliseconds by phase; 0 is no limit.
   * @param {(req: object, error: Error) => boolean} fail Ends the request, or the attempt; false if it is over.
   */
  constructor(req, limits, fail) {
    this.req = req;
    this.fail = fail;
    /** @type {{ event: string, limit: number, timer: object|null, isOver: boolean }[]} */
    this.phases = [];
    for (const event of EVENTS) {
      if (limits[event] > 0) this.phases.push({ event, limit: limits[event], timer: null, isOver: false });
    }
  }

  /**
   * Starts the timers of the phases that have begun, and stops those of the phases that are over.
   * @param {import('./stamps').Stamps} stamps
   */
  follow(stamps) {
    for (const phase of this.phases) {
      if (phase.isOver) continue;
      const [, last] = SPANS[phase.event];
      const first = firstOf(phase.event, stamps);
      if (stamps[last] !== undefined) end(phase);
      else if (phase.timer === null && stamps[first] !== undefined && isExpected(phase.event, stamps)) {
        phase.timer = setTimeout(onTimeout, phase.limit, this, phase).unref();
      }
    }
  }

  /** Stops all timers but that of the whole request, between two attempts. */
  pause() {
    for (const phase of this.phases) {
      if (phase.event !== 'request') end(phase);
    }
  }

  /** Has the phases begin again, in another attempt. */
  renew() {
    for (const phase of this.phases) {
      if (phase.event !== 'request') phase.isOver = false;
    }
  }

  /** Stops all timers. */
  stop() {
    for (const phase of this.phases) end(phase);
  }
}

/**
 * Starts the timeouts of a request that has some.
 * @param {object} req
 * @param {import('./stamps').Stamps} stamps
 * @param {unknown} own Option of the request, which comes over that of its agent.
 * @param {(req: object, error: Error) => boolean} fail Ends the request, or the attempt; false if it is over.
 */
function start(req, stamps, own, fail) {
  const options = req.agent?.options;
  const ofAgent = options?.timeouts !== undefined && Object.hasOwn(options, 'timeouts') ? options.timeouts : undefined;
  const limits = limitsOf(own, limitsOf(ofAgent));
  stamps.timeouts = new Timeouts(req, limits, fail);
  stamps.timeouts.follow(stamps);
}

/** Names the stamp with which a phase begins: a request is not sent before TLS is established. */
function firstOf(event, { isTls }) {
  return event === 'send' && isTls ? 'secureConnect' : SPANS[event][0];
}

/** Tells whether a phase has to be waited for: a request without TLS has no handshake. */
function isExpected(event, { isTls }) {
  return event !== 'secureConnect' || isTls;
}

/** Ends a phase. */
function end(phase) {
  phase.isOver = true;
  if (phase.timer !== null) clearTimeout(phase.timer);
  phase.timer = null;
}

/** Has a phase that has taken too long looked at once more, behind all that has come while the event loop was busy. */
function onTimeout(timeouts, phase) {
  setImmediate(expire, timeouts, phase);
}

/** Ends the request, if the phase is not over. */
function expire(timeouts, phase) {
  if (phase.isOver) return;
  if (arrival.isLaterDue) {
    // What has come is still being told.
    setImmediate(expire, timeouts, phase);
    return;
  }
  end(phase);
  if (!timeouts.fail(timeouts.req, timeoutError(phase.event, phase.limit))) timeouts.stop();
}

/**
 * @param {string} event
 * @param {number} limit Milliseconds.
 */
function timeoutError(event, limit) {
  const error = createError(Error, 'ERR_FERREQUEST_TIMEOUT', `Timeout awaiting '${event}' for ${limit} ms`);
  error.event = event;
  error.timeout = limit;
  return error;
}

module.exports = { limitsOf, start };
