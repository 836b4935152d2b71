'use strict';

/**
 * Makes `headers` of a response from its header block, in one pass and without the list that `rawHeaders` is.
 *
 * Node decides what becomes of each field and of its repetitions: it is asked once for every name.
 */

const { addHeaderLine, hasSource } = require('../node/originals');

/** Ways to join a field to one that is there already; a string is put between the two values. */
const KEEP_FIRST = 0;
const COLLECT = 3;

/** Number of names whose rule is kept, and the most characters of one, so that a hostile peer cannot fill memory. */
const MOST_NAMES = 512;
const LONGEST_NAME = 64;
/** Characters of the longest block that becomes the pattern. */
const LONGEST_PATTERN = 4096;
/** Number of responses for which a pattern is used before it is made anew. */
const PATTERN_LIFE = 64;

/** Node's own method, unless a library has replaced it before ferrequest was loaded, as the source shows. */
const isOfNode = hasSource(addHeaderLine, 'matchKnownFields(');

/**
 * Rules by name as the peer sent it: the name in `headers`, and the way to join repetitions.
 * @type {Map<string, { key: string, join: number|string }>}
 */
const rules = new Map();

/**
 * The last block of which every name was there once, as lines. Servers mostly send the same fields, and in the same
 * order.
 * @type {{ block: string, headers: object, lines: { start: string, line: string, key: string }[], uses: number }}
 */
let pattern = { block: '', headers: {}, lines: [], uses: 0 };

/**
 * @param {import('node:http').IncomingMessage} res
 * @returns {boolean} True if neither its class nor a library makes its `headers` in another way than Node's.
 */
function areOfNode(res) {
  return isOfNode && res._addHeaderLine === addHeaderLine;
}

/**
 * Makes `headers`.
 * @param {string} block Names and values, each ended by LF.
 * @param {boolean|undefined} joinDuplicateHeaders Option of the request.
 * @param {number} most Number of fields at most.
 * @returns {object|undefined} Undefined if there are more fields.
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

/** Tells whether Object.prototype has enumerable properties: Node takes one for a field that is there already. */
function isPolluted() {
  let found;
  for (const name in EMPTY) found = name;
  return found !== undefined;
}

/**
 * Makes `headers` from those of the pattern and the lines that differ.
 * @returns {object|undefined} Undefined if the names are not those of the pattern.
 */
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

/** Makes `headers` by the rule of each field, and a pattern of them. */
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

/** Adds a field by its rule. */
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

/** Finds the rule of a name: lets Node take a field of this name twice. */
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
