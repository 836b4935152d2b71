'use strict';

/** Writes the output of the commands: with bars and colours on a terminal, plain elsewhere. */

const { styleText } = require('node:util');

/** Control characters, which would let a server write over the user's terminal. */
// eslint-disable-next-line no-control-regex -- those are what it is about
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

/**
 * Tells whether a stream is a terminal that shows colours: piped, with NO_COLOR or TERM=dumb it is not.
 * @param {NodeJS.WriteStream} stream
 * @returns {boolean}
 */
function isRich(stream) {
  return Boolean(stream.isTTY) && stream.hasColors();
}

/**
 * Makes the function that colours text for a stream.
 * @param {NodeJS.WriteStream} stream
 * @returns {(format: string, text: string) => string}
 */
function painter(stream) {
  if (!isRich(stream)) return (_format, text) => text;
  return (format, text) => styleText(format, text, { validateStream: false });
}

/**
 * Makes text of a peer's safe for a terminal.
 * @param {string} text
 * @returns {string}
 */
function printable(text) {
  return text.replace(CONTROLS, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/**
 * Makes a table without lines, for text that is read and copied.
 * @param {{ head?: string[], rows: string[][], right?: number[] }} content right: columns of numbers
 * @returns {string}
 */
function table({ head = [], rows, right = [] }) {
  const Table = require('cli-table3');
  const columns = Math.max(head.length, ...rows.map((row) => row.length));
  const made = new Table({
    head,
    chars: Object.fromEntries(['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left',
      'bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'].map((name) => [name, ''])),
    colAligns: Array.from({ length: columns }, (_, column) => (right.includes(column) ? 'right' : 'left')),
    style: { 'padding-left': 0, 'padding-right': 2, head: [], border: [] },
  });
  made.push(...rows);
  return made.toString().split('\n').map((line) => line.trimEnd()).join('\n');
}

/**
 * Writes a number of bytes as people read it.
 * @param {number} bytes
 * @returns {string} Such as `1.5 MiB`.
 */
function bytesText(bytes) {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const unit = ['B', 'KiB', 'MiB', 'GiB', 'TiB'][power];
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${unit}`;
}

/**
 * Writes a time as people read it.
 * @param {number} [milliseconds]
 * @returns {string} Such as `1.52 ms`; `-` for none.
 */
function timeText(milliseconds) {
  if (!Number.isFinite(milliseconds)) return '-';
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 2 : milliseconds < 100 ? 1 : 0)} ms`;
}

module.exports = { bytesText, isRich, painter, printable, table, timeText };
