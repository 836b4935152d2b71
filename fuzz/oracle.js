'use strict';

/**
 * Node's own HTTP parser, driven as Node's client drives it: what the decoder of this project must agree with.
 *
 *     node fuzz/oracle.js check                are the outcomes in __test__/fixtures/responses.json this Node's?
 *     node fuzz/oracle.js record --newest      writes them there, and forgets those of older releases
 *     node fuzz/oracle.js record               adds what this Node's older llhttp has otherwise
 *     node fuzz/oracle.js seeds <folder>       writes the responses there, as inputs of the fuzz target `decode`
 *     node fuzz/oracle.js pack <folder> <file>    puts a corpus into one file, as fuzz/corpus.bin; unpack takes it out
 *     node fuzz/oracle.js compare <file>       the same for the records that `cargo run --bin differential` wrote
 *
 * An outcome is a list of lines, the same that src/codec/tests/transcript.rs writes:
 *
 *     head 1.1 200 keep-alive OK      then `field name: value` for each; `information` for an interim response
 *     body <bytes>                    all data between two other lines
 *     end                             after `trailer name: value` for each; `end at eof` if the peer's end ended it
 *     upgrade <bytes consumed>        the rest is not HTTP
 *     error <code> <bytes consumed> <reason>
 *     eof <code> <reason>             the peer ended in the middle of a message
 */

const fs = require('node:fs');
const path = require('node:path');
// The parser that http.request uses; nothing public gives it.
const { HTTPParser } = require('_http_common');

const FIXTURE = path.join(__dirname, '..', '__test__', 'fixtures', 'responses.json');
const MAX_HEADER_SIZE = 16384;

/** The modes of Node's client, as far as this Node has them. */
const LENIENT_FLAGS = {
  strict: HTTPParser.kLenientNone,
  relaxed: HTTPParser.kLenientHeaderValueRelaxed,
  lenient: HTTPParser.kLenientAll,
};
const MODES = Object.keys(LENIENT_FLAGS);
const METHODS = ['GET', 'HEAD', 'CONNECT'];

const parser = new HTTPParser();

/** What the callbacks of the parser work on, renewed for each run. */
let run = null;

function flushBody() {
  if (run.body !== '') run.lines.push(`body ${run.body}`);
  run.body = '';
}

function pushFields(kind, headers) {
  for (let i = 0; i < headers.length; i += 2) run.lines.push(`${kind} ${headers[i]}: ${headers[i + 1]}`);
}

/** What the client answers to the parser: 2 to upgrade, 1 for a response without body, 0 for any other. */
function verdict(status, upgrade) {
  if (run.answered) return 0;
  if (upgrade || run.method === 'CONNECT') return 2;
  if (status === 100 || (status > 101 && status < 200)) return 1;
  return run.method === 'HEAD' || status === 304 ? 1 : 0;
}

parser[HTTPParser.kOnHeaders | 0] = (headers) => {
  run.headers.push(...headers);
};

parser[HTTPParser.kOnHeadersComplete | 0] = (...head) => {
  const [major, minor, headers, , , status, reason, upgrade, keepAlive] = head;
  flushBody();
  const answer = verdict(status, upgrade);
  run.upgrade = upgrade || answer === 2;
  run.interim = !run.answered && !run.upgrade && status < 200 && status >= 100 && status !== 101;
  run.answered ||= !run.interim;
  run.switching = status === 101;
  const words = [run.interim ? 'information' : 'head', `${major}.${minor}`, status, keepAlive ? 'keep-alive' : 'close'];
  if (run.upgrade) words.push('upgrade');
  run.lines.push(`${words.join(' ')} ${reason}`);
  pushFields('field', headers ?? run.headers);
  run.headers = [];
  return answer;
};

parser[HTTPParser.kOnBody | 0] = (body) => {
  run.body += body.latin1Slice();
};

parser[HTTPParser.kOnMessageComplete | 0] = () => {
  if (run.upgrade || run.interim) return;
  flushBody();
  pushFields('trailer', run.headers);
  run.headers = [];
  run.lines.push(run.ended ? 'end at eof' : 'end');
};

/**
 * The outcome of a response.
 *
 * @param {Buffer} bytes what the peer sends before it ends the connection
 * @param {number[]} cuts where one packet ends and the next begins
 * @param {{ method: string, mode: string, maxHeaderSize?: number }} options
 * @returns {string[]}
 */
function outcome(bytes, cuts, { method, mode, maxHeaderSize = MAX_HEADER_SIZE }) {
  run = { method, lines: [], headers: [], body: '', answered: false, ended: false };
  parser.initialize(HTTPParser.RESPONSE, {}, maxHeaderSize, LENIENT_FLAGS[mode] | 0);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    if (to === from) continue;
    run.switching = false;
    const consumed = parser.execute(bytes.subarray(from, to));
    const failed = consumed instanceof Error;
    if (failed || run.upgrade) {
      flushBody();
      run.lines.push(failed ?
        `error ${consumed.code} ${from + consumed.bytesParsed} ${consumed.reason}` :
        `upgrade ${from + consumed}`);
      return run.lines;
    }
    from = to;
  }
  run.ended = true;
  const error = parser.finish();
  flushBody();
  // After a 101 that upgrades nothing llhttp has not noticed yet that the message is over; Node's client has, and does
  // not ask.
  if (error instanceof Error && !run.switching) run.lines.push(`eof ${error.code} ${error.reason}`);
  return run.lines;
}

/**
 * Whether this Node can be asked: it may not have the mode, and llhttp 9.4 does not return when a NUL is in a header
 * value in relaxed mode.
 */
function canAnswer(mode, bytes) {
  return LENIENT_FLAGS[mode] !== undefined && !(mode === 'relaxed' && bytes.includes(0));
}

/** Long lines by their beginning, length and checksum; repeated lines by their number. */
function abbreviate(lines) {
  const short = lines.map((line) => {
    if (line.length <= 120) return line;
    let sum = 0;
    for (let i = 0; i < line.length; i++) sum = (sum + line.charCodeAt(i) * (i + 1)) % 65521;
    return `${line.slice(0, 60)}... (${line.length} characters, sum ${sum})`;
  });
  const folded = [];
  for (let i = 0; i < short.length;) {
    let end = i + 1;
    while (short[end] === short[i]) end++;
    folded.push(end - i > 1 ? `${short[i]} (${end - i} times)` : short[i]);
    i = end;
  }
  return folded;
}

/** The bytes of a case: strings in which a character is a byte, and [string, times]. */
function caseBytes({ bytes }) {
  const text = bytes.map((part) => (typeof part === 'string' ? part : part[0].repeat(part[1]))).join('');
  return Buffer.from(text, 'latin1');
}

/** The outcomes of a case under this Node, by mode; relaxed only where it differs from strict. */
function caseOutcomes(item) {
  const bytes = caseBytes(item);
  const outcomes = {};
  for (const mode of ['strict', 'lenient', 'relaxed']) {
    if (!canAnswer(mode, bytes)) continue;
    const lines = abbreviate(outcome(bytes, [], { method: item.method, mode }));
    if (mode === 'relaxed' && lines.join() === outcomes.strict.join()) continue;
    outcomes[mode] = lines;
  }
  return outcomes;
}

function readFixture() {
  return JSON.parse(fs.readFileSync(FIXTURE, 'utf8'));
}

/** One case a line, and plain ASCII, so that a change shows as what it is. */
function writeFixture(cases) {
  const ascii = (text) => text.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  fs.writeFileSync(FIXTURE, `[\n${cases.map((item) => ascii(JSON.stringify(item))).join(',\n')}\n]\n`);
}

/** The outcomes in `item` that hold for an llhttp release: those of the newest, but for those that it had otherwise. */
function recorded(item, llhttp) {
  return { ...item.outcomes, ...item[`llhttp ${llhttp}`] };
}

function check() {
  const cases = readFixture();
  let different = 0;
  for (const item of cases) {
    const expected = recorded(item, process.versions.llhttp);
    for (const [mode, lines] of Object.entries(caseOutcomes(item))) {
      if (lines.join('\n') === (expected[mode] ?? expected.strict).join('\n')) continue;
      different++;
      console.log({ name: item.name, mode, node: lines, recorded: expected[mode] });
    }
  }
  console.log(`llhttp ${process.versions.llhttp}: ${cases.length} cases, ${different} different`);
  return different === 0;
}

/** The newest llhttp writes `outcomes`, and an older one what it has otherwise: record with the newest first. */
function record() {
  const key = `llhttp ${process.versions.llhttp}`;
  writeFixture(readFixture().map((item) => {
    const { name, method, bytes } = item;
    const outcomes = caseOutcomes(item);
    if (process.argv[3] === '--newest') return { name, method, bytes, outcomes };
    const rest = { ...item };
    delete rest[key];
    const otherwise = Object.entries(outcomes).filter(([mode, lines]) => lines.join() !== item.outcomes[mode]?.join());
    return otherwise.length > 0 ? { ...rest, [key]: Object.fromEntries(otherwise) } : rest;
  }));
  return true;
}

/** One input a case and mode; its first bytes choose the mode and the method, and cut it at every byte. */
function seeds() {
  const folder = process.argv[3];
  fs.mkdirSync(folder, { recursive: true });
  readFixture().forEach((item, index) => {
    for (let mode = 0; mode < MODES.length; mode++) {
      const choices = Buffer.from([mode + 3 * METHODS.indexOf(item.method), 0, 1, 1]);
      fs.writeFileSync(path.join(folder, `${index}-${MODES[mode]}`), Buffer.concat([choices, caseBytes(item)]));
    }
  });
  return true;
}

/** A file with all inputs of a corpus, the short ones first: each has its length before it, 16 bits little-endian. */
function pack() {
  const [folder, file] = process.argv.slice(3);
  const inputs = fs.readdirSync(folder).sort().map((name) => fs.readFileSync(path.join(folder, name)));
  inputs.sort((a, b) => a.length - b.length);
  fs.writeFileSync(file, Buffer.concat(inputs.flatMap((input) => {
    const length = Buffer.alloc(2);
    length.writeUInt16LE(input.length);
    return [length, input];
  })));
  return true;
}

function unpack() {
  const [file, folder] = process.argv.slice(3);
  const packed = fs.readFileSync(file);
  fs.mkdirSync(folder, { recursive: true });
  for (let at = 0; at < packed.length; at += 2 + packed.readUInt16LE(at)) {
    fs.writeFileSync(path.join(folder, String(at)), packed.subarray(at + 2, at + 2 + packed.readUInt16LE(at)));
  }
  return true;
}

/** Reads the records of `differential`: numbers are 32-bit little-endian. */
function* readRecords(file) {
  const input = fs.readFileSync(file);
  let at = 0;
  const number = () => {
    at += 4;
    return input.readUInt32LE(at - 4);
  };
  const bytes = () => {
    const length = number();
    at += length;
    return input.subarray(at - length, at);
  };
  while (at < input.length) {
    const mode = MODES[number()];
    const method = METHODS[number()];
    const maxHeaderSize = number();
    const cuts = Array.from({ length: number() }, number);
    yield { mode, method, maxHeaderSize, cuts, bytes: bytes(), newest: bytes(), oldest: bytes() };
  }
}

function compare() {
  const side = process.versions.llhttp.startsWith('9.3.') ? 'oldest' : 'newest';
  const counts = { cases: 0, unanswerable: 0, different: 0 };
  for (const item of readRecords(process.argv[3])) {
    counts.cases++;
    if (!canAnswer(item.mode, item.bytes)) {
      counts.unanswerable++;
      continue;
    }
    const node = outcome(item.bytes, item.cuts, item).join('\n');
    const ours = item[side].latin1Slice();
    if (node === ours) continue;
    counts.different++;
    if (counts.different <= 10) console.log({ ...item, bytes: item.bytes.latin1Slice(), node, ours });
  }
  console.log(`llhttp ${process.versions.llhttp}:`, counts);
  return counts.different === 0;
}

module.exports = { METHODS, MODES, abbreviate, canAnswer, caseBytes, outcome, readFixture, recorded };

if (require.main === module) {
  const command = { check, record, seeds, pack, unpack, compare }[process.argv[2]];
  process.exitCode = command() ? 0 : 1;
}
