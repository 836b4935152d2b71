'use strict';

/**
 * The differences that are meant, each with its reason in docs/compat.md. A record is one of these only if it agrees
 * with Node's up to the point of the difference and then differs in the way that is meant, and in no other.
 */

const { StreamDecoder } = require('../../binding');
const { LLHTTP, flagsOf, maxHeaderSizeOf } = require('../../lib/response/decoder-settings');
const { HEADER_SIZE, event } = require('../../lib/bridge/records');
const { isParserEarly } = require('../support/early-parser');
const { segmentsOf } = require('./exchange');

const nodeMajor = Number.parseInt(process.versions.node, 10);

/**
 * @typedef {object} Difference
 * @property {import('./generate').Case} wanted
 * @property {'native'|'stream'} transport
 * @property {string[]} node
 * @property {string[]} ours
 * @property {number} common how many lines both begin with
 */

/**
 * @param {import('./generate').Case} wanted
 * @returns {number} how many bytes come behind the end of the response
 */
function remains({ bytes, cuts, method, validation, limits }) {
  const req = { method, ...validation, ...limits };
  const decoder = new StreamDecoder();
  decoder.reset(flagsOf(req), maxHeaderSizeOf(req), LLHTTP);
  const out = Buffer.alloc(4 * 1024 * 1024);
  let start = 0;
  for (const segment of segmentsOf(bytes, cuts)) {
    const length = decoder.execute(Buffer.from(segment, 'latin1'), out);
    for (let at = 0; at < length; at += HEADER_SIZE + ((out.readUInt32LE(at + 8) + 3) & ~3)) {
      if (out[at] === event.END) return bytes.length - start - out.readUInt32LE(at + 4);
    }
    start += segment.length;
  }
  return 0;
}

const has = (lines, start) => lines.some((line) => line.startsWith(start));
const isRefused = (lines) => lines.some((line) => line.includes('"code":"HPE_'));
const isReused = (lines) => has(lines, 'second request {"connection":0');

/** @type {[string, (difference: Difference) => boolean][]} */
const MEANT = [
  // All that is said about the request and its response is the same; the connection is not used again.
  ['unasked bytes retire the connection', ({ wanted, node, ours }) => remains(wanted) > 0 && !isReused(ours) &&
    exchangeOf(node) === exchangeOf(ours)],
  // Who reads a body that ends with the connection has to hear that it was cut.
  ['a reset cuts a body', ({ wanted, node, ours, common }) => wanted.ending === 'reset' &&
    node[common - 1].includes('ECONNRESET') && node[common].startsWith('response end {"complete":true') &&
    ours[common] === 'response aborted' && has(ours, 'response error {"name":"Error","message":"aborted"')],
  // The peer refused the response, or was refused, before the body was out.
  ['a body that did not go out is not finished', ({ node, ours }) => has(ours, 'request error') &&
    !ours.includes('request finish') && unfinished(node).join('\n') === ours.join('\n')],
  // Until Node 22.1, 'upgrade' is emitted for a second response too.
  ['a second response does not upgrade', ({ wanted, node, ours, common }) => (nodeMajor < 22 || isParserEarly) &&
    node[common] === 'socket agentRemove' && remains(wanted) > 0 && !has(ours, 'request upgrade')],
  // Node's request emits 'close' again when the response, which was complete, has been read.
  ['close comes once', ({ node, ours, common }) => node[common].startsWith('request close') &&
    node[common] === node.find((line) => line.startsWith('request close')) && node[common + 1] === 'socket free' &&
    node.toSpliced(common, 2).join('\n') === ours.join('\n')],
  // Node's socket, which reads on for a while when its reader has paused, may have the last byte of the response apart
  // from what follows it, and then closes before it looks at that.
  ['a paused reader hears of unasked bytes', ({ wanted, transport, node, ours, common }) => transport === 'native' &&
    wanted.reading === 'late' && remains(wanted) > 0 && ours[common]?.startsWith('request error') &&
    ours[common].includes('"code":"HPE_CLOSED_CONNECTION"') &&
    node.join('\n') === ours.toSpliced(common, 1).join('\n')],
  // Answers that both take are compared, also there.
  ['an early parser refuses, takes or words otherwise', ({ wanted, node, ours }) => isParserEarly &&
    (isRefused(node) || isRefused(ours) || /\r(?!\n)/.test(wanted.bytes))],
  ['an early parser reads a body behind 101 and 204', ({ node }) => isParserEarly &&
    node.some((line) => /^response \{"statusCode":(?:101|204)/.test(line))],
  ['an early Node uses a connection until its server closes it', ({ wanted, node, ours }) => isParserEarly &&
    /^keep-alive:.*timeout=/im.test(wanted.bytes) && !isReused(ours) && exchangeOf(node) === exchangeOf(ours)],
  // Only streams: what is not ours says so when it is reset.
  ['an idle stream tells of its reset', ({ transport, wanted, node, ours, common }) => nodeMajor >= 22 &&
    transport === 'stream' && wanted.ending === 'reset' && node[common] === 'socket close {"hadError":false}' &&
    ours[common] === 'socket agentRemove' && ours[common + 1] === 'socket close {"hadError":true}' &&
    node.slice(common + 1).join('\n') === ours.slice(common + 2).join('\n')],
];

/** Leaves out of what Node says the end of an upload that has not gone out, which it calls finished before 24.20. */
function unfinished(lines) {
  return lines.filter((line) => line !== 'request finish')
    .map((line) => (line.startsWith('request close') ? line.replace('"finished":true', '"finished":false') : line));
}

/** Picks what is said about the first request and its response. */
function exchangeOf(lines) {
  return lines.filter((line) => !/^(?:socket|pool|second|wire)/.test(line)).join('\n');
}

/** Leaves out of what Node says about a response the fields beyond `maxHeadersCount`, which it shows before 22.22. */
function bounded(line, most) {
  const [, start, json] = /^(response(?: end)?) (\{.*\})$/.exec(line) ?? [];
  if (json === undefined) return line;
  const told = JSON.parse(json);
  for (const [raw, ...others] of [
    ['rawHeaders', 'headers', 'headersDistinct'], ['rawTrailers', 'trailers', 'trailersDistinct'],
  ]) {
    if (!(told[raw]?.length > 2 * most)) continue;
    told[raw] = told[raw].slice(0, 2 * most);
    const names = new Set(told[raw].filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()));
    for (const other of others) told[other] &&= told[other].filter(([name]) => names.has(name));
  }
  return `${start} ${JSON.stringify(told)}`;
}

/**
 * @param {Omit<Difference, 'common'>} difference
 * @returns {string|undefined} its name, if it is meant
 */
function classify(difference) {
  const { wanted: { limits: { maxHeadersCount: most = 1000 } }, ours } = difference;
  const node = most > 0 ? difference.node.map((line) => (ours.includes(line) ? line : bounded(line, most))) :
    difference.node;
  if (node.join('\n') === ours.join('\n')) return 'maxHeadersCount bounds every list of fields';
  difference = { ...difference, node };
  let common = 0;
  while (common < node.length && node[common] === ours[common]) common++;
  return MEANT.find(([, isMeant]) => isMeant({ ...difference, common }))?.[0];
}

module.exports = { classify };
