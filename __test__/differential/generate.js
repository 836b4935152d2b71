'use strict';

/** From answers to cases: what else is asked for, how the bytes are cut, how the connection ends; and changed bytes. */

const nodeHttp = require('node:http');
const { Duplex } = require('node:stream');

const { Random } = require('./random');
const { WIRES } = require('./wires');

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {string} bytes what the server answers, latin1
 * @property {number[]} cuts where the bytes are cut into segments, ascending
 * @property {string} method
 * @property {boolean} [expect] whether the request has `Expect: 100-continue`
 * @property {'none'|'early'|'late'} upload whether a body is sent: before the answer, or its end only after the answer
 * @property {{ insecureHTTPParser?: boolean, httpValidation?: string }} validation
 * @property {object} limits `maxHeaderSize`, `joinDuplicateHeaders`, `maxHeadersCount`
 * @property {'open'|'fin'|'fin at once'|'reset'} ending what the server does with the connection behind the bytes
 * @property {'flow'|'dump'|'readable'|'late'} reading how the response is read; late is when all has been sent
 * @property {number} [highWaterMark] of the agent's sockets, and thereby of the response
 * @property {boolean} takesUpgrade whether somebody listens for 'upgrade' and 'connect'
 * @property {boolean} keepAlive of the agent
 */

/** Tells whether Node's client knows `httpValidation`: it refuses an unknown value then. */
function knowsValidation() {
  try {
    const req = nodeHttp.request({ httpValidation: 'unknown', createConnection: () => new Duplex() });
    req.on('error', () => {}).destroy();
    return false;
  } catch {
    return true;
  }
}

/** The parser's modes. */
const VALIDATIONS = [{}, {}, { insecureHTTPParser: true }];
if (knowsValidation()) VALIDATIONS.push({ httpValidation: 'relaxed' });

const LIMITS = [
  {}, {}, {}, {}, { maxHeaderSize: 100 }, { maxHeaderSize: 20000 }, { maxHeadersCount: 5 }, { maxHeadersCount: 0 },
  { maxHeadersCount: 1500 }, { joinDuplicateHeaders: true },
];
const ENDINGS = ['open', 'open', 'fin', 'fin at once', 'reset'];
const READINGS = ['flow', 'flow', 'flow', 'dump', 'readable', 'late'];

/** A NUL in a header value in relaxed mode: llhttp 9.4.0 to 9.4.3 do not return from it. */
const neverReturns = ({ validation, bytes }) => validation.httpValidation === 'relaxed' && bytes.includes('\0');

/** @returns {Case} an answer as it stands, in one piece */
function plainCase(wire) {
  return {
    cuts: [],
    upload: wire.method === 'POST' ? 'early' : 'none',
    validation: {},
    limits: {},
    ending: 'open',
    reading: 'flow',
    takesUpgrade: true,
    keepAlive: true,
    ...wire,
  };
}

/**
 * Every answer in one piece, in each mode, and with each ending.
 * @returns {Generator<Case>}
 */
function* wholeCases() {
  for (const wire of WIRES) {
    for (const validation of new Set(VALIDATIONS)) {
      for (const ending of new Set(ENDINGS)) {
        const made = { ...plainCase(wire), validation, ending };
        if (!neverReturns(made)) yield made;
      }
    }
  }
}

/**
 * Every short answer byte by byte, and in two pieces at every position, to a strict parser and to a lenient one.
 * @param {number} longest
 * @returns {Generator<Case>}
 */
function* cutCases(longest) {
  for (const wire of WIRES) {
    const { length } = wire.bytes;
    if (length > longest) continue;
    const positions = Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1);
    for (const validation of [{}, { insecureHTTPParser: true }]) {
      for (const cuts of [positions, ...positions.map((at) => [at])]) yield { ...plainCase(wire), validation, cuts };
    }
  }
}

/**
 * Answers changed at random, with everything else at random too.
 * @param {number} count
 * @param {number} seed
 * @returns {Generator<Case>}
 */
function* mutatedCases(count, seed) {
  const random = new Random(seed);
  for (let i = 0; i < count;) {
    const made = mutatedCase(random, `mutation ${i} of seed ${seed}`);
    if (neverReturns(made)) continue;
    i++;
    yield made;
  }
}

function mutatedCase(random, name) {
  const wire = random.pick(WIRES);
  let { bytes } = wire;
  // A few as they are, for the sake of all the other choices.
  for (let n = random.below(4); n > 0; n--) bytes = mutate(bytes, random);
  const isPost = wire.method === 'POST';
  return {
    ...wire,
    name: `${name}, from: ${wire.name}`,
    bytes,
    cuts: cutsOf(bytes.length, random),
    upload: isPost && !wire.expect ? random.pick(['early', 'late']) : 'none',
    validation: random.pick(VALIDATIONS),
    limits: random.pick(LIMITS),
    ending: random.pick(ENDINGS),
    reading: random.pick(READINGS),
    takesUpgrade: !random.oneIn(4),
    keepAlive: !random.oneIn(6),
    highWaterMark: random.oneIn(4) ? 1 + random.below(100) : undefined,
  };
}

/** Whole, in two, byte by byte where that is not long, or in a few pieces. */
function cutsOf(length, random) {
  if (length < 2) return [];
  const kind = random.below(8);
  if (kind < 3) return [];
  if (kind < 5) return [1 + random.below(length - 1)];
  if (kind === 5 && length < 150) return Array.from({ length: length - 1 }, (_, i) => i + 1);
  const cuts = new Set(Array.from({ length: 2 + random.below(6) }, () => 1 + random.below(length - 1)));
  return [...cuts].sort((a, b) => a - b);
}

/** Texts that mean something to a parser. */
const TOKENS = [
  '\r\n', '\n', '\r', '\r\n\r\n', ' ', '\t', ':', ',', ';', '0', 'f', '\0', '\x7f', '\xff', '"', ';a=b', 'chunked',
  'gzip, ',
  'Content-Length: 2\r\n', 'Content-Length: 3\r\n', 'Transfer-Encoding: chunked\r\n', 'Connection: close\r\n',
  'Connection: keep-alive\r\n', 'Connection: upgrade\r\nUpgrade: x\r\n', 'X: y\r\n', ' folded\r\n', '0\r\n\r\n',
  '2\r\nhi\r\n',
  'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 101 X\r\n', 'HTTP/1.0 200 OK\r\n',
  'HTTP/1.1 204 X\r\n\r\n',
];

/** Ways to change an answer; each is given the bytes, a position in them, and the generator. */
const MUTATIONS = [
  function flipBit(bytes, at, random) {
    return splice(bytes, at, 1, String.fromCharCode(bytes.charCodeAt(at) ^ (1 << random.below(8))));
  },
  function replaceByte(bytes, at, random) {
    return splice(bytes, at, 1, String.fromCharCode(random.below(256)));
  },
  function insertByte(bytes, at, random) {
    return splice(bytes, at, 0, String.fromCharCode(random.below(256)));
  },
  function insertToken(bytes, at, random) {
    return splice(bytes, at, 0, random.pick(TOKENS));
  },
  function removeBytes(bytes, at, random) {
    return splice(bytes, at, 1 + random.below(random.oneIn(4) ? 20 : 3), '');
  },
  function changeDigit(bytes, at, random) {
    const digits = [...bytes.matchAll(/[0-9a-f]/g)];
    if (digits.length === 0) return bytes;
    return splice(bytes, random.pick(digits).index, 1, '0123456789abcdef'[random.below(16)]);
  },
  function changeCase(bytes, at) {
    const letter = bytes[at];
    return splice(bytes, at, 1, letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase());
  },
  function duplicateLine(bytes, at, random) {
    const lines = linesOf(bytes);
    const from = random.below(lines.length);
    lines.splice(random.below(lines.length + 1), 0, lines[from]);
    return lines.join('');
  },
  function removeLine(bytes, at, random) {
    const lines = linesOf(bytes);
    lines.splice(random.below(lines.length), 1);
    return lines.join('');
  },
  function swapLines(bytes, at, random) {
    const lines = linesOf(bytes);
    const from = random.below(lines.length);
    const [line] = lines.splice(from, 1);
    lines.splice(random.below(lines.length + 1), 0, line);
    return lines.join('');
  },
  function joinLines(bytes, at, random) {
    const ends = [...bytes.matchAll(/\r\n/g)];
    if (ends.length === 0) return bytes;
    return splice(bytes, random.pick(ends).index, 2, random.pick(['', ' ', '\r\n ', ', ', '\n', '\r', '\r\r\n']));
  },
  function addRemains(bytes, at, random) {
    return bytes + (random.oneIn(2) ? random.pick(TOKENS) : random.pick(WIRES).bytes.slice(0, 2000));
  },
  function truncate(bytes, at) {
    return bytes.slice(0, at);
  },
  function crossOver(bytes, at, random) {
    const { bytes: other } = random.pick(WIRES);
    return bytes.slice(0, at) + other.slice(random.below(other.length + 1), 2000);
  },
];

/** Answers have to fit into the kernel's buffers. */
const LONGEST = 45000;

function mutate(bytes, random) {
  // Changes in the header matter more than changes in a long body.
  const length = random.oneIn(3) ? bytes.length : Math.min(bytes.length, 200);
  if (length === 0) return random.pick(TOKENS);
  return random.pick(MUTATIONS)(bytes, random.below(length), random).slice(0, LONGEST);
}

function splice(text, at, removed, inserted) {
  return text.slice(0, at) + inserted + text.slice(at + removed);
}

/** Lines with their ends. */
function linesOf(bytes) {
  return bytes.split(/(?<=\n)/);
}

module.exports = { cutCases, mutatedCases, plainCase, wholeCases };
