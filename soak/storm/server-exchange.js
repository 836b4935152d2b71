'use strict';

const { setTimeout: sleep, setImmediate: turn } = require('node:timers/promises');

const { Random } = require('../../__test__/differential/random');
const { bodyOf, forgedBytes, headOf } = require('./answers');
const { BodyCheck } = require('./pattern');
const { PERFORMANCES } = require('./performances');

/** One request, and what the server does with it. */
class ServerExchange {
  #waiting = [];
  #length = 0;
  #isUploaded = false;

  /**
   * @param {import('./connection').Connection} connection
   * @param {import('./plan').Plan} plan
   * @param {string} head
   */
  constructor(connection, plan, head) {
    this.connection = connection;
    this.plan = plan;
    this.pattern = connection.storm.pattern;
    /** Number of this request on its connection. */
    this.number = connection.requests;
    this.upload = new BodyCheck(this.pattern, plan.upload);
    /** The last byte of the answer goes out: the next request may come before the callback of that write. */
    this.isAnswering = false;
    this.expects = /\r\nexpect: 100-continue\r\n/i.test(head);
    if (!head.startsWith(`${plan.method} `)) this.complain('came with another method');
  }

  complain(what) {
    this.connection.storm.ledger.complain(this.plan.id, what);
  }

  /** @param {Buffer} piece of the upload */
  receive(piece) {
    this.upload.add(piece);
    this.#length += piece.length;
    if (!this.upload.isIntact) this.complain('came with other bytes');
    this.#settle();
  }

  onUploadEnd() {
    this.#isUploaded = true;
    if (!this.upload.isWhole) this.complain(`came with ${this.upload.length} bytes and not ${this.upload.size}`);
    this.#settle();
  }

  #settle() {
    this.#waiting = this.#waiting.filter(({ length, resolve }) => {
      if (!this.#isUploaded && this.#length < length) return true;
      resolve();
      return false;
    });
  }

  /** Resolves when so many bytes of the upload have come, or all. */
  uploaded(length = Infinity) {
    return new Promise((resolve) => {
      this.#waiting.push({ length, resolve });
      this.#settle();
    });
  }

  /** Resolves when the part of the upload has come at which the fault strikes. */
  partlyUploaded() {
    return this.uploaded(Math.floor(this.plan.at * this.plan.upload.size));
  }

  /** Resolves when the kernel has the bytes; never if the connection closes before. */
  send(bytes) {
    return new Promise((resolve) => {
      if (bytes.length === 0) resolve();
      else this.connection.socket.write(bytes, (error) => !error && resolve());
    });
  }

  /**
   * Sends bytes in some pieces, with turns of the event loop between them, and rarely a pause.
   * @param {Buffer} bytes
   * @param {number} count
   * @param {(end: number) => void} [onPiece] told where the piece ends that goes out now
   */
  async sendInSegments(bytes, count, onPiece) {
    const random = new Random(this.plan.answer.seed ^ 1);
    const cuts = Array.from({ length: count - 1 }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
    let from = 0;
    for (const cut of [...cuts, bytes.length]) {
      onPiece?.(cut);
      await this.send(bytes.subarray(from, cut));
      from = cut;
      if (from < bytes.length) await (random.oneIn(6) ? sleep(random.below(8)) : turn());
    }
  }

  /** @returns {Buffer} the answer as the plan has it */
  answer() {
    return Buffer.concat([headOf(this.plan), bodyOf(this.plan, this.pattern)]);
  }

  /** Does what the plan says, as far as the client lets it. */
  run() {
    return PERFORMANCES[this.plan.fault](this);
  }

  /**
   * Sends the whole answer, and does what the plan says to the connection that idles behind it.
   * @param {Buffer} [excess] bytes behind the answer
   */
  async sendAnswer(excess) {
    await this.sendWholeAnswer(excess);
    this.onAnswered();
  }

  /**
   * Sends the whole answer.
   * @param {Buffer} [excess] bytes behind the answer
   */
  async sendWholeAnswer(excess = Buffer.alloc(0)) {
    const answer = this.answer();
    const { length } = answer;
    const bytes = excess.length > 0 ? Buffer.concat([answer, excess]) : answer;
    await this.sendInSegments(bytes, this.plan.answer.segments, (end) => { this.isAnswering ||= end >= length; });
  }

  onAnswered() {
    this.connection.storm.ledger.answer(this.plan.id);
    if (!this.plan.answer.keepsAlive) this.uploaded().then(() => this.connection.fin());
    else if (this.plan.idle) this.idle(this.plan.idle);
  }

  /** Does what the plan says to a connection that idles, unless the next request has come. */
  async idle({ kind, delay, form }) {
    const { connection } = this;
    await this.uploaded();
    if (delay > 0) await sleep(delay);
    else await turn();
    if (connection.requests !== this.number || !connection.reader.isBetweenRequests) return;
    if (kind === 'fin') connection.fin();
    else if (kind === 'reset') connection.reset();
    else if (kind === 'close') connection.cut();
    else await this.forge(form);
  }

  async forge(form) {
    const bytes = forgedBytes(form);
    await this.connection.forge(bytes, () => this.send(bytes));
  }
}

module.exports = { ServerExchange };
