'use strict';

/** Bars on stderr, which are drawn on a terminal only. */

const { bytesText, isRich } = require('./terminal');

/** Columns of a bar, and of the words beside it. */
const WIDEST = 40;
const NARROWEST = 10;
const WORDS = 48;

const RESTING = { start() {}, update() {}, stop() {} };

/**
 * Makes a bar, or where there is no terminal what looks like one to its user.
 * @param {string} format
 * @returns {{ start: Function, update: Function, stop: Function }}
 */
function makeBar(format) {
  if (!isRich(process.stderr)) return RESTING;
  const { Presets, SingleBar } = require('cli-progress');
  const barsize = Math.max(NARROWEST, Math.min(WIDEST, (process.stderr.columns || 80) - WORDS));
  // Line wrapping stays on: a user who interrupts the command would be left with a terminal that has none.
  return new SingleBar({ format, barsize, stream: process.stderr, etaBuffer: 50, linewrap: true },
    Presets.shades_classic);
}

/** Shows how much of a body has come. */
class TransferBar {
  /** @param {number} [total] bytes, if the server has said how many */
  constructor(total) {
    const isKnown = total > 0;
    this.received = 0;
    this.started = performance.now();
    this.bar = makeBar(isKnown ? '{bar} {percentage}% of {size}  {rate}/s  {eta_formatted} left'
      : '{received}  {rate}/s');
    this.bar.start(isKnown ? total : 1, 0, { size: bytesText(total || 0), ...this.payload() });
  }

  /** @param {number} bytes that have come */
  add(bytes) {
    this.received += bytes;
    this.bar.update(this.received, this.payload());
  }

  stop() {
    this.bar.stop();
  }

  /** @private */
  payload() {
    const seconds = Math.max((performance.now() - this.started) / 1000, 0.001);
    return { received: bytesText(this.received), rate: bytesText(this.received / seconds) };
  }
}

module.exports = { TransferBar, makeBar };
