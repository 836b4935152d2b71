'use strict';

const { bytesText, painter, printable, table } = require('../terminal');

/** A load average of this share of the processors says that others are at work, too. */
const BUSY_SHARE = 0.5;

/**
 * Writes a number with the digits that mean something.
 * @param {number|undefined} value
 * @returns {string} `-` for none
 */
function number(value) {
  if (!Number.isFinite(value)) return '-';
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** @returns {string} such as `5.40 ×`; the baseline has none */
const times = (ratio, isBaseline) => (isBaseline || !ratio ? '' : `${number(ratio.median)} ×`);

/** @returns {string} such as `7,512 (7,034 – 7,600)` */
function withRange(spread) {
  if (spread === null) return '-';
  return spread.min === spread.max ? number(spread.median)
    : `${number(spread.median)} (${number(spread.min)} – ${number(spread.max)})`;
}

/** @returns {string} what was measured, in a sentence */
function describe({ url, answer, connections, rounds, measureMs }) {
  const what = url === null ? 'a server of its own on this machine' : url;
  const seconds = number(measureMs / 1000).replace(/\.?0+$/, '');
  return `GET ${what}: ${answer.status}, ${bytesText(answer.bytes)}; ${connections} connection${
    connections === 1 ? '' : 's'}, ${rounds} round${rounds === 1 ? '' : 's'} of ${seconds} s each`;
}

/** @returns {string[]} what a reader must know before believing the figures */
function notes({ url, machine, missing, clients }) {
  const { cores, cpu, load, node } = machine;
  const shared = url === null ? ', which clients and server share' : '';
  return [
    `Node ${node}; ${cores} × ${cpu}${shared}`,
    ...load !== null && load > cores * BUSY_SHARE
      ? [`The machine was not quiet (load ${load.toFixed(1)} before): the figures tell of others as well.`] : [],
    ...missing.map((text) => `Not measured: ${text}`),
    ...clients.flatMap(({ label, errors }) => errors.map((error) => `FAILED ${label}, ${error}`)),
  ];
}

/**
 * Writes the result for a terminal.
 * @param {object} result of `measure` in bench.js
 * @returns {string}
 */
function toText(result) {
  const paint = painter(process.stdout);
  const head = ['client', 'requests/s', '', 'CPU µs/request', '', 'p50 ms', 'p99 ms'];
  const rows = result.clients.map(({ id, label, version, rate, cpu, p50, p99, ratios }) => {
    const isBaseline = id === result.baseline;
    const name = `${label}${version ? ` ${version}` : ''}`;
    return [id === 'ferrequest' ? paint('green', name) : name, withRange(rate), times(ratios.rate, isBaseline),
      withRange(cpu), times(ratios.cpu, isBaseline), number(p50?.median), number(p99?.median)];
  });
  return [
    printable(describe(result)),
    '',
    table({ head: head.map((name) => paint('bold', name)), rows, right: [1, 2, 3, 4, 5, 6] }),
    '',
    'Medians of the rounds, with the least and the most; × is to node:http, round by round.',
    ...notes(result).map(printable),
    '',
  ].join('\n');
}

module.exports = { describe, notes, number, toText };
