'use strict';

/**
 * A peer that sends its header byte by byte must not cost more than one that sends it at once: with node:http the cost
 * of a header field grows with the square of its length, as it is copied at each byte (CWE-407).
 */

const { Duplex } = require('node:stream');
const { http, itOurs } = require('../support');

/** A connection in memory that answers byte by byte. */
class Trickle extends Duplex {
  constructor(bytes) {
    super();
    this.bytes = bytes;
    this.sent = 0;
    this.isAsked = false;
  }

  _read() {
    if (!this.isAsked || this.sent === this.bytes.length) return;
    this.sent++;
    this.push(this.bytes.subarray(this.sent - 1, this.sent));
  }

  _write(chunk, encoding, callback) {
    this.isAsked = true;
    this._read();
    callback();
  }
}

/** @returns {Promise<number>} the microseconds of processor time that the process spent on such an answer */
async function costOf(header) {
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\n${header}Content-Length: 0\r\n\r\n`);
  const before = process.cpuUsage();
  await new Promise((resolve, reject) => {
    const createConnection = () => new Trickle(bytes);
    http.get({ createConnection, maxHeaderSize: 2 * 1024 * 1024 }, (res) => res.resume().on('end', resolve))
      .on('error', reject);
  });
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** Eight times the length must cost about eight times the time; if it grew with the square, that would be 64. */
async function expectLinear(make) {
  let short = Infinity;
  // The best of several: what else the process does, such as compiling, weighs on the short one.
  for (let i = 0; i < 4; i++) short = Math.min(short, await costOf(make(66_000)));
  // A collection of what other tests have left can weigh on a long one, but not on each.
  let long = Infinity;
  for (let i = 0; i < 3 && long / short >= 20; i++) long = Math.min(long, await costOf(make(528_000)));
  expect(long / short).toBeLessThan(20);
}

describe('a header that comes byte by byte costs time in proportion to its length', () => {
  itOurs('with one long value', () => expectLinear((length) => `X: ${'a'.repeat(length)}\r\n`));

  itOurs('with one long name', () => expectLinear((length) => `${'a'.repeat(length)}: x\r\n`));

  it('with many short fields', () => expectLinear((length) => 'X: y\r\n'.repeat(length / 6)));
});
