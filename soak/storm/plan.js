'use strict';

/**
 * The plan of a request says what is sent, what the server does with it, and what the user does meanwhile. Client and
 * server compute it from the seed and the number of the request, and so agree without a word.
 */

const { Random } = require('../../__test__/differential/random');
const { PLACES } = require('./pattern');

/**
 * Faults of servers. Each has a weight, and an outcome:
 *
 * - `whole`: once the server has answered, the user gets that answer to its last byte;
 * - `either`: the user gets that answer, or an error;
 * - `error`: the user gets an error, and no whole answer;
 * - `refused`: as `error`, and the code says that the parser has refused the answer;
 * - `silence`: nothing comes any more, and the user gives up.
 *
 * `port` names the server that does it, `needs` says what the exchange must have for the fault to have its place.
 */
const FAULTS = {
  none: { weight: 400, outcome: 'whole' },
  drip: { weight: 8, outcome: 'whole', needs: 'little' },
  'interim flood': { weight: 30, outcome: 'whole' },
  'early answer': { weight: 30, outcome: 'whole', needs: 'upload' },
  'early answer and FIN': { weight: 15, outcome: 'either', needs: 'upload' },
  'early answer and reset': { weight: 15, outcome: 'either', needs: 'upload' },
  'excess bytes': { weight: 20, outcome: 'whole' },
  'FIN before the answer': { weight: 20, outcome: 'error' },
  'reset before the answer': { weight: 20, outcome: 'error' },
  'FIN in the upload': { weight: 15, outcome: 'error', needs: 'upload' },
  'reset in the upload': { weight: 15, outcome: 'error', needs: 'upload' },
  'FIN in the head': { weight: 15, outcome: 'error' },
  'reset in the head': { weight: 15, outcome: 'error' },
  'FIN in the body': { weight: 20, outcome: 'error', needs: 'body' },
  'reset in the body': { weight: 20, outcome: 'error', needs: 'body' },
  'reset behind the answer': { weight: 15, outcome: 'either' },
  'length too great': { weight: 15, outcome: 'error', needs: 'body' },
  'length too small': { weight: 15, outcome: 'either', needs: 'body' },
  'silence before the answer': { weight: 15, outcome: 'silence' },
  'silence in the upload': { weight: 10, outcome: 'silence', needs: 'upload' },
  'silence in the head': { weight: 10, outcome: 'silence' },
  'silence in the body': { weight: 15, outcome: 'silence', needs: 'body' },
  'garbage for a status line': { weight: 15, outcome: 'refused' },
  'garbage for a field': { weight: 15, outcome: 'refused' },
  'garbage for a length': { weight: 15, outcome: 'refused' },
  'garbage for a chunk size': { weight: 15, outcome: 'refused', needs: 'body' },
  'conflicting lengths': { weight: 15, outcome: 'refused' },
  'overlong header': { weight: 15, outcome: 'refused' },
  'refused connection': { weight: 10, outcome: 'error', port: 'refused' },
  'FIN at once': { weight: 10, outcome: 'error', port: 'fin' },
  'reset at once': { weight: 10, outcome: 'error', port: 'reset' },
  'silence at once': { weight: 10, outcome: 'silence', port: 'silence' },
  'garbage at once': { weight: 10, outcome: 'error', port: 'garbage' },
};

/** Ways to read a response to its end. */
const READINGS = ['flow', 'flow', 'flow', 'iterate', 'readable', 'pause', 'slow pipe', 'dump', 'unheard'];

/** Ways of a user to call a request off, or a response; those from `on response` on need a response. */
const BREAKS = [
  'signal', 'timeout', 'destroy at once', 'destroy on socket', 'destroy on finish', 'destroy later', 'abort later',
  'destroy on response', 'destroy with an error', 'destroy in the body', 'destroy the response', 'break the iterator',
  'throw in the iterator', 'destroy beside a reader',
];

/** Ways of a user to give up on a silent server. */
const GIVING_UP = ['signal', 'timeout', 'timeout', 'destroy later', 'abort later'];

const SIZES = [0, 1, 15, 15, 15, 200, 1000, 1000, 5000, 16_384, 20_000, 65_536, 65_537];
const LARGE_SIZES = [200_000, 400_000, 1_000_000];

/** What a server does with a connection that idles behind an answer. */
const IDLE = ['fin', 'reset', 'forge', 'forge', 'fin', 'close'];

const weights = Object.values(FAULTS).reduce((sum, { weight }) => sum + weight, 0);

/**
 * @typedef {object} Plan
 * @property {number} id
 * @property {string} transport
 * @property {number} agent which of the transport's agents
 * @property {string} method
 * @property {string} fault
 * @property {'whole' | 'either' | 'error' | 'refused' | 'silence'} outcome
 * @property {string} port
 * @property {number} at where in the bytes the fault strikes: at least 0 and less than 1
 * @property {{ place: number, size: number, framing: 'length' | 'chunked', pieces: number, expects: boolean }} upload
 * @property {Answer} answer
 * @property {{ kind: string, delay: number, form: number } | undefined} idle behind the answer
 * @property {{ kind: string, delay: number }} action of the user
 */

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {number} place
 * @property {number} size
 * @property {'length' | 'chunked' | 'close' | 'none'} framing
 * @property {number} interim number of interim responses before it
 * @property {boolean} hasTrailers
 * @property {boolean} keepsAlive
 * @property {number} segments in which it is sent
 * @property {number} seed of everything about it that needs no name
 */

/**
 * @typedef {object} Setting of a storm
 * @property {string[]} transports
 * @property {boolean} forges the server sends bytes for which no request has asked
 */

/**
 * @param {number} seed
 * @param {number} id
 * @param {Setting} setting
 * @returns {Plan}
 */
function planOf(seed, id, { transports, forges }) {
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(id + 1, 0x85ebca6b));
  // The first numbers of neighbouring seeds resemble each other.
  random.next();
  const transport = random.pick(transports);
  const agent = random.below(1000);
  const planned = faultOf(random);
  const fault = planned === 'excess bytes' && !forges ? 'none' : planned;
  const { outcome, needs, port = 'storm' } = FAULTS[fault];
  const plan = {
    id, transport, agent, fault, outcome, port,
    method: methodOf(random, needs),
    at: random.next(),
    upload: undefined,
    answer: undefined,
    idle: undefined,
    action: undefined,
  };
  plan.upload = uploadOf(random, plan, needs);
  plan.answer = answerOf(random, plan, needs);
  plan.idle = idleOf(random, plan);
  plan.action = actionOf(random, plan);
  if (plan.idle?.kind === 'forge' && !forges) plan.idle = undefined;
  // A reset takes with it what the client has not read yet.
  if (plan.idle?.kind === 'reset') plan.outcome = 'either';
  return plan;
}

function faultOf(random) {
  let left = random.below(weights);
  for (const [name, { weight }] of Object.entries(FAULTS)) {
    left -= weight;
    if (left < 0) return name;
  }
  return 'none';
}

function methodOf(random, needs) {
  if (needs === 'upload') return random.pick(['POST', 'PUT', 'PATCH']);
  if (needs !== undefined) return random.pick(['GET', 'POST']);
  return random.pick(['GET', 'GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD']);
}

function sizeOf(random, least) {
  const size = random.oneIn(60) ? random.pick(LARGE_SIZES) : random.pick(SIZES);
  return Math.max(size, least);
}

function uploadOf(random, { method, fault }, needs) {
  const hasBody = method !== 'GET' && method !== 'HEAD' && method !== 'DELETE';
  const size = hasBody ? sizeOf(random, needs === 'upload' ? 100 : 0) : 0;
  return {
    place: random.below(PLACES),
    size: needs === 'little' ? Math.min(size, 15) : size,
    framing: random.pick(['length', 'chunked']),
    pieces: 1 + random.below(random.pick([1, 4, 12])),
    expects: hasBody && fault === 'none' && random.oneIn(8),
  };
}

function answerOf(random, { method, fault }, needs) {
  const answer = {
    status: random.pick([200, 200, 200, 200, 201, 404, 500]),
    place: random.below(PLACES),
    size: sizeOf(random, needs === 'body' ? 20 : 0),
    framing: random.pick(['length', 'length', 'chunked']),
    interim: fault === 'interim flood' ? 1 + random.below(60) : 0,
    hasTrailers: random.oneIn(3),
    keepsAlive: !random.oneIn(12),
    segments: random.pick([1, 1, 1, 1, 2, 3, 8]),
    seed: random.below(2 ** 31),
  };
  if (needs === 'little') answer.size = Math.min(answer.size, 15);
  if (fault.startsWith('length too')) answer.framing = 'length';
  if (fault === 'garbage for a chunk size') answer.framing = 'chunked';
  if (method === 'HEAD') answer.hasTrailers = false;
  if (needs === undefined && fault !== 'garbage for a length') {
    const ending = random.below(12);
    if (ending === 0) {
      answer.status = random.pick([204, 304]);
      answer.framing = 'none';
    } else if (ending === 1 && fault === 'none' && method !== 'HEAD') {
      answer.framing = 'close';
      answer.keepsAlive = false;
    }
  }
  answer.hasTrailers &&= answer.framing === 'chunked';
  return answer;
}

function idleOf(random, { outcome, fault, answer }) {
  const kind = random.pick(IDLE);
  const delay = random.pick([0, 0, 1, 2, 5, 10]);
  const form = random.below(1000);
  const isWhole = outcome === 'whole' && fault !== 'excess bytes';
  const applies = isWhole && answer.keepsAlive && random.oneIn(5);
  return applies ? { kind, delay, form } : undefined;
}

function actionOf(random, { outcome }) {
  const delay = random.below(40);
  if (outcome === 'silence') return { kind: random.pick(GIVING_UP), delay: delay + 10 };
  return { kind: random.pick(random.oneIn(4) ? BREAKS : READINGS), delay };
}

/** Requests of one phase of the load. */
const PHASE = 100;

/**
 * Says how many requests are in progress at most while a request is made: light and heavy loads follow each other.
 * @param {number} seed
 * @param {number} id
 * @param {number} most
 * @returns {{ limit: number, fallsToNone: boolean }} fallsToNone: the phase begins when no request is in progress
 */
function loadOf(seed, id, most) {
  const phase = Math.floor(id / PHASE);
  const random = new Random(Math.imul(seed, 0xc2b2ae35) ^ Math.imul(phase + 1, 0x27d4eb2f));
  random.next();
  const limit = Math.max(1, Math.min(most, Math.round(Math.exp(random.next() * Math.log(most + 1)))));
  return { limit, fallsToNone: id % PHASE === 0 && random.oneIn(4) };
}

module.exports = { FAULTS, loadOf, planOf };
