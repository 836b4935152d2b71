'use strict';

/**
 * The same answers to node:http and to ferrequest: what a user can see must be the same.
 *
 *     npm run differential -- [--cases 100000] [--seed 1] [--from 0] [--whole] [--cut 120] [--every 1] [--show 5]
 *
 * `--cases` changes answers at random, as the seed decides; `--from` leaves out as many of them, to see one again;
 * `--whole` gives every answer of the table in one piece, in each mode, with each ending; `--cut` gives those up to a
 * length byte by byte and in two pieces at every position, to the strict parser and to the lenient one; `--every` takes
 * only each n-th of these. Ends with status 1 if there is a difference that has no name in differences.js.
 */

const http = require('node:http');
const net = require('node:net');
const { parseArgs } = require('node:util');

const ferrequest = require('../..');
const { classify } = require('./differences');
const { Exchange } = require('./exchange');
const { cutCases, mutatedCases, wholeCases } = require('./generate');
const { WireServer } = require('./server');
const { Clock } = require('./settle');

/** Cases under way at a time. */
const CONCURRENCY = 40;

/** An agent whose connections are streams for ferrequest. */
class StreamAgent extends ferrequest.Agent {
  createConnection(options, callback) {
    return net.connect(options, callback);
  }
}

const CLIENTS = {
  node: { request: http.request, newAgent: (options) => new http.Agent(options) },
  native: { request: ferrequest.request, newAgent: (options) => new ferrequest.Agent(options) },
  stream: { request: ferrequest.request, newAgent: (options) => new StreamAgent(options) },
};

class Comparison {
  constructor() {
    this.server = new WireServer();
    this.clock = new Clock(ferrequest);
    this.cases = 0;
    this.stalled = 0;
    /** Names of known differences, and how often each was seen. @type {Map<string, number>} */
    this.known = new Map();
    /** @type {{ wanted: object, transport: string, node: string[], ours: string[] }[]} */
    this.unknown = [];
  }

  /**
   * @param {Iterable<import('./generate').Case>} cases
   * @param {(comparison: Comparison) => void} [onProgress] called now and then
   */
  async run(cases, onProgress) {
    await Promise.all([this.server.start(), this.clock.start()]);
    const iterator = cases[Symbol.iterator]();
    const worker = async () => {
      for (let next; !(next = iterator.next()).done;) {
        await this.compare(next.value);
        if (++this.cases % 1000 === 0) onProgress?.(this);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    await Promise.all([this.server.stop(), this.clock.stop()]);
  }

  async compare(wanted) {
    const { server, clock } = this;
    const run = (client) => new Exchange({ client, wanted, server, clock }).run();
    const [node, ...ours] = await Promise.all(Object.values(CLIENTS).map(run));
    if (node.some((line) => line.startsWith('waited in vain'))) this.stalled++;
    for (const [index, transport] of ['native', 'stream'].entries()) {
      if (node.join('\n') === ours[index].join('\n')) continue;
      const name = classify({ wanted, node, ours: ours[index], transport });
      if (name === undefined) this.unknown.push({ wanted, transport, node, ours: ours[index] });
      else this.known.set(name, (this.known.get(name) ?? 0) + 1);
    }
  }
}

/** Both records, with a mark at what only one of them has. */
function describe({ wanted, transport, node, ours }) {
  const { name, bytes, ...rest } = wanted;
  const shortBytes = bytes.length > 1500 ? `${bytes.slice(0, 1500)}...` : bytes;
  const lines = [`--- ${name}, over ${transport}`, JSON.stringify(shortBytes), JSON.stringify(rest)];
  const short = (line) => (line.length > 600 ? `${line.slice(0, 600)}...` : line);
  let common = 0;
  while (common < node.length && node[common] === ours[common]) common++;
  let tail = 0;
  const most = Math.min(node.length, ours.length) - common;
  while (tail < most && node.at(-1 - tail) === ours.at(-1 - tail)) tail++;
  lines.push(...node.slice(0, common).map((line) => `    ${short(line)}`));
  lines.push(...node.slice(common, node.length - tail).map((line) => `  < ${short(line)}`));
  lines.push(...ours.slice(common, ours.length - tail).map((line) => `  > ${short(line)}`));
  lines.push(...node.slice(node.length - tail).map((line) => `    ${short(line)}`));
  return lines.join('\n');
}

function* chain(...iterables) {
  for (const iterable of iterables) yield* iterable;
}

/** Every n-th of them. */
function* each(iterable, n) {
  let i = 0;
  for (const item of iterable) {
    if (i++ % n === 0) yield item;
  }
}

function* skip(iterable, count) {
  for (const item of iterable) {
    if (count-- <= 0) yield item;
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
      from: { type: 'string', default: '0' },
      whole: { type: 'boolean', default: false },
      cut: { type: 'string', default: '0' },
      every: { type: 'string', default: '1' },
      show: { type: 'string', default: '5' },
    },
  });
  const from = Number(values.from);
  const cases = chain(
    each(chain(values.whole ? wholeCases() : [], cutCases(Number(values.cut))), Number(values.every)),
    skip(mutatedCases(from + Number(values.cases), Number(values.seed)), from),
  );
  const comparison = new Comparison();
  const started = Date.now();
  // Should the process end before the comparison, because nothing holds it any more.
  process.exitCode = 2;
  const seconds = () => ((Date.now() - started) / 1000).toFixed(0);
  await comparison.run(cases, ({ cases: done, unknown }) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} cases, ${unknown.length} differences, ${seconds()} s`);
  });
  for (const difference of comparison.unknown.slice(0, Number(values.show))) console.log(describe(difference));
  for (const [name, count] of comparison.known) console.log(`known: ${name}: ${count}`);
  console.log(`${process.version}: ${comparison.cases} cases, ${comparison.unknown.length} differences, ` +
    `${comparison.stalled} stalled, ${seconds()} s`);
  process.exitCode = comparison.unknown.length > 0 ? 1 : 0;
}

if (require.main === module) main();

module.exports = { Comparison, describe };
