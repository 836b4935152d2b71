'use strict';

/** The server's end of one connection of a storm: it reads requests and does with each what its plan says. */

const { planOf } = require('./plan');
const { RequestReader } = require('./request-reader');
const { ServerExchange } = require('./server-exchange');

/** Path of every request: the seed, and the number of the request. */
const PATH = /^[A-Z]+ \/(\d+)\/(\d+) HTTP\/1\.1\r\n/;

/**
 * Milliseconds for which a connection stays open behind a request that followed unasked bytes. The client may take them
 * for the beginning of its answer, of which the rest never comes; other requests may wait for the connection.
 */
const LONGEST_BEHIND_FORGERY = 1000;

/** Moment of unasked bytes that are not out yet. No request is made later. */
const PENDING = 2n ** 62n;

class Connection {
  /**
   * @param {import('node:net').Socket} socket a TLSSocket where TLS is spoken
   * @param {import('node:net').Socket} raw the TCP connection
   * @param {import('./server').Storm} storm
   */
  constructor(socket, raw, storm) {
    this.socket = socket;
    this.raw = raw;
    this.storm = storm;
    /** The exchange under way, or the last one. @type {ServerExchange | undefined} */
    this.exchange = undefined;
    /** Number of requests that have come. */
    this.requests = 0;
    /** Bytes for which no request had asked, and when they were out: {@link PENDING} while they go out. */
    this.forgery = undefined;
    /** Closes the connection behind such bytes. */
    this.closing = undefined;
    this.reader = new RequestReader({
      onHead: (head) => this.#begin(head),
      onBody: (piece) => this.exchange?.receive(piece),
      onEnd: () => this.exchange?.onUploadEnd(),
    });
    socket.on('data', (bytes) => this.#read(bytes));
    // No client of a storm half-closes: behind its FIN it reads nothing.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#close());
  }

  #read(bytes) {
    if (this.forgery !== undefined) this.closing ??= setTimeout(() => this.cut(), LONGEST_BEHIND_FORGERY);
    try {
      this.reader.read(bytes);
    } catch (error) {
      this.storm.ledger.complain(this.exchange?.plan.id ?? -1, error.message);
      this.raw.destroy();
    }
  }

  #begin(head) {
    const [, seed, id] = PATH.exec(head) ?? [];
    if (Number(seed) !== this.storm.seed) throw new Error(`no request of this storm: ${head.slice(0, 80)}`);
    const { ledger } = this.storm;
    // A forgery may have raced with that request, and be its answer.
    const isUnanswered = this.exchange && !this.exchange.isAnswering && this.forgery === undefined;
    if (isUnanswered) ledger.complain(Number(id), 'came before the answer to another');
    const plan = planOf(this.storm.seed, Number(id), this.storm.setting);
    this.requests++;
    ledger.see(plan.id, this.forgery);
    this.exchange = new ServerExchange(this, plan, head);
    this.exchange.run().catch((error) => ledger.complain(plan.id, `fails in the server: ${error.stack}`));
  }

  #close() {
    clearTimeout(this.closing);
    const id = /^[A-Z]+ \/\d+\/(\d+) /.exec(this.reader.partOfHead)?.[1];
    if (id !== undefined) this.storm.ledger.see(Number(id), this.forgery);
    this.storm.ledger.connectionsOpen--;
  }

  /**
   * Sends bytes for which no request has asked, and notes when they were out.
   * @param {Buffer} bytes
   * @param {() => Promise<void>} send
   */
  async forge(bytes, send) {
    // An empty line between two messages is no part of either, and a parser may pass over it (RFC 9112, section 2.2).
    if (bytes.toString('latin1') === '\r\n') {
      await send();
      return;
    }
    this.forgery = { at: PENDING, bytes };
    const { remotePort } = this.raw;
    await send();
    this.forgery.at = process.hrtime.bigint();
    this.storm.ledger.forge(remotePort, this.forgery);
  }

  /** Ends the writing side, over TLS with a word of TLS before. */
  fin() {
    this.socket.end();
  }

  reset() {
    // Only the TCP connection has a handle that can be reset.
    if (!this.raw.destroyed) this.raw.resetAndDestroy();
    this.socket.destroy();
  }

  /** Closes the connection, over TLS without a word of TLS. */
  cut() {
    this.raw.destroy();
    this.socket.destroy();
  }
}

module.exports = { Connection };
