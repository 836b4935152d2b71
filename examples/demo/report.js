'use strict';

/** Prints the lines of the demo, on a terminal with colours and a moving bar. */

const BAR = 40;

/**
 * @param {number} bytes
 * @returns {string} in MiB
 */
function mebibytes(bytes) {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

class Report {
  /** @param {NodeJS.WriteStream} output */
  constructor(output) {
    this.output = output;
    this.terminal = Boolean(output.isTTY);
    this.colours = this.terminal && !process.env.NO_COLOR;
    this.lastQuarter = 0;
  }

  /**
   * @param {number} code an SGR colour
   * @param {string} text
   * @returns {string}
   */
  paint(code, text) {
    return this.colours ? `\x1b[${code}m${text}\x1b[0m` : text;
  }

  /** @param {string} [text] */
  line(text = '') {
    this.output.write(`${text}\n`);
  }

  /** @param {string} title of what is about to be shown */
  title(title) {
    this.lastQuarter = 0;
    this.line();
    this.line(this.paint(1, title));
  }

  /** @param {string} text what was asked */
  asked(text) {
    this.line(`  ${this.paint(36, 'asked')}  ${text}`);
  }

  /** @param {string} text what came of it */
  came(text) {
    this.line(`  ${this.paint(32, 'came')}   ${text}`);
  }

  /** @param {Error} error why a thing did not come true */
  failed(error) {
    this.line(`  ${this.paint(31, 'FAILED')} ${error.stack}`);
  }

  /**
   * Draws the bar: over itself on a terminal, else a line at each quarter.
   * @param {number} done in bytes
   * @param {number} total
   */
  progress(done, total) {
    const quarter = Math.floor(4 * done / total);
    if (!this.terminal && quarter === this.lastQuarter) return;
    this.lastQuarter = quarter;
    const filled = Math.floor(BAR * done / total);
    const percent = `${Math.floor(100 * done / total)} %`.padStart(5);
    const amount = `${mebibytes(done)} of ${mebibytes(total)}`;
    const bar = `  sent   [${'#'.repeat(filled).padEnd(BAR, '.')}] ${percent}  ${amount}`;
    this.output.write(this.terminal ? `\r${bar}${done === total ? '\n' : ''}` : `${bar}\n`);
  }
}

module.exports = { Report, mebibytes };
