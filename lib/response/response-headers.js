'use strict';

/**
 * Makes `headers` of a response from its header block, in one pass and without the list that `rawHeaders` is.
 *
 * What becomes of each field, and of its repetitions, is Node's to decide: it is asked once for every name.
 */

const { IncomingMessage } = require('node:http');

/** What happens to a field that is there already. */
const KEEP_FIRST = 0;
const COLLECT = 3;

/** Names that are remembered: enough for all servers that a process talks to, whatever a hostile one sends. */
const MOST_NAMES = 512;
const LONGEST_NAME = 64;
/** Longer blocks are not made a pattern of. */
const LONGEST_PATTERN = 4096;

/** Node's own; nothing where it has been replaced before ferrequest was loaded, as the source shows. */
const { _addHeaderLine: addHeaderLine } = IncomingMessage.prototype;
const isOfNode = Function.prototype.toString.call(addHeaderLine).includes('matchKnownFields(');

/**
 * By name as it came: the name in `headers`, and how repetitions are joined.
 * @type {Map<string, { key: string, join: number|string }>}
 */
const rules = new Map();

/** After so many responses that were not quite like the pattern, it is made anew. */
const PATTERN_LIFE = 64;

/**
 * The last block of which every name was there once, as lines: servers say mostly the same, and much of the rest in the
 * same order.
 * @type {{ block: string, headers: object, lines: { start: string, line: string, key: string }[], uses: number }}
 */
let pattern = { block: '', headers: {}, lines: [], uses: 0 };

/**
 * @param {import('node:http').IncomingMessage} res
 * @returns {boolean} Whether its `headers` are made in Node's way.
 */
function areOfNode(res) {
  return isOfNode && res._addHeaderLine === addHeaderLine;
}

/**
 * @param {string} block Names and values, each ended by LF.
 * @param {boolean|undefined} joinDuplicateHeaders The option of the request.
 * @param {number} most So many fields may be taken this way.
 * @returns {object|undefined} Nothing where there are more.
 */
function headersOf(block, joinDuplicateHeaders, most) {
  if (!isPolluted()) {
    if (block === pattern.block) return { ...pattern.headers };
    const headers = likePattern(block);
    if (headers !== undefined) return headers;
  }
  return fieldByField(block, Boolean(joinDuplicateHeaders), most);
}

const EMPTY = {};

/** Whether something has been put on the prototype of all objects: it counts as a field that is there already. */
function isPolluted() {
  let found;
  for (const name in EMPTY) found = name;
  return found !== undefined;
}

/** @returns {object|undefined} Nothing where the names are not those of the pattern. */
function likePattern(block) {
  const { headers, lines } = pattern;
  if (lines.length === 0 || pattern.uses++ === PATTERN_LIFE) return undefined;
  let result;
  let at = 0;
  for (const { start, line, key } of lines) {
    // Not by startsWith, which takes ten times as long.
    if (block.slice(at, at + line.length) === line) {
      at += line.length;
      continue;
    }
    if (block.slice(at, at + start.length) !== start) return undefined;
    const end = block.indexOf('\n', at + start.length);
    result ??= { ...headers };
    result[key] = block.slice(at + start.length, end);
    at = end + 1;
  }
  return at === block.length ? result : undefined;
}

function fieldByField(block, joining, most) {
  const headers = {};
  const lines = [];
  for (let at = 0; at < block.length;) {
    if (lines.length === most) return undefined;
    const nameEnd = block.indexOf('\n', at);
    const valueEnd = block.indexOf('\n', nameEnd + 1);
    const name = block.slice(at, nameEnd);
    const rule = rules.get(name) ?? learn(name);
    add(headers, rule, block.slice(nameEnd + 1, valueEnd), joining);
    lines.push({ start: block.slice(at, nameEnd + 1), line: block.slice(at, valueEnd + 1), key: rule.key });
    at = valueEnd + 1;
  }
  const keys = Object.keys(headers);
  // Fewer names than lines: some were repeated, or one is that which no object takes.
  if (block.length <= LONGEST_PATTERN && keys.length === lines.length && headers['set-cookie'] === undefined &&
      !isPolluted()) {
    pattern = { block, headers: { ...headers }, lines, uses: 0 };
  }
  return headers;
}

function add(headers, { key, join }, value, joining) {
  const there = headers[key];
  if (join === KEEP_FIRST) {
    if (there === undefined) headers[key] = value;
    else if (joining) headers[key] = `${there}, ${value}`;
  } else if (join === COLLECT) {
    if (there === undefined) headers[key] = [value];
    else there.push(value);
  } else {
    // Not the `constructor` that every object has.
    headers[key] = typeof there === 'string' ? there + join + value : value;
  }
}

/** Lets Node take a field of this name twice. */
function learn(name) {
  const headers = { __proto__: null };
  const context = { joinDuplicateHeaders: false };
  addHeaderLine.call(context, name, '1', headers);
  addHeaderLine.call(context, name, '2', headers);
  const [key] = Object.keys(headers);
  const value = headers[key];
  let join = KEEP_FIRST;
  if (Array.isArray(value)) join = COLLECT;
  else if (value !== '1') join = value.slice(1, -1);
  const rule = { key, join };
  if (rules.size < MOST_NAMES && name.length <= LONGEST_NAME) {
    // A copy of the name: the slice would keep the whole block.
    rules.set(Buffer.from(name, 'latin1').latin1Slice(), rule);
  }
  return rule;
}

module.exports = { areOfNode, headersOf };
