'use strict';

/** Most bytes of a chunk size line that the reader takes before it gives up: the client sends no extensions. */
const LONGEST_LINE = 16;

/**
 * Reads the requests of one connection. The reader knows only what a client of a storm sends: whatever else comes is an
 * error of that client.
 */
class RequestReader {
  #stage = 'head';
  #kept = Buffer.alloc(0);
  #left = 0;

  /**
   * @param {{ onHead: (head: string) => void, onBody: (piece: Buffer) => void, onEnd: () => void }} listener
   */
  constructor(listener) {
    this.listener = listener;
  }

  /** @returns {boolean} true when the last request is read to its end, and no byte of another one has come */
  get isBetweenRequests() {
    return this.#stage === 'head' && this.#kept.length === 0;
  }

  /** @returns {string} the part of a head that has come, if its end has not */
  get partOfHead() {
    return this.#stage === 'head' ? this.#kept.toString('latin1') : '';
  }

  /** @param {Buffer} bytes */
  read(bytes) {
    let rest = this.#kept.length > 0 ? Buffer.concat([this.#kept, bytes]) : bytes;
    this.#kept = Buffer.alloc(0);
    while (rest.length > 0) {
      const taken = this.#step(rest);
      if (taken === 0) {
        this.#kept = rest;
        return;
      }
      rest = rest.subarray(taken);
    }
  }

  /** Takes what it can from the bytes, and says how many these are; none when more must come. */
  #step(bytes) {
    if (this.#stage === 'head') return this.#readHead(bytes);
    if (this.#stage === 'body' || this.#stage === 'chunk') return this.#readBody(bytes);
    return this.#readLine(bytes);
  }

  #readHead(bytes) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return 0;
    const head = bytes.toString('latin1', 0, end + 2);
    const isChunked = /\r\ntransfer-encoding: chunked\r\n/i.test(head);
    this.#left = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1] ?? 0);
    if (isChunked) this.#stage = 'size';
    else this.#stage = 'body';
    this.listener.onHead(head);
    if (!isChunked && this.#left === 0) this.#end();
    return end + 4;
  }

  #readBody(bytes) {
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    this.listener.onBody(piece);
    if (this.#left === 0) {
      if (this.#stage === 'chunk') this.#stage = 'end of chunk';
      else this.#end();
    }
    return piece.length;
  }

  /** Reads a chunk size, the end of a chunk's data, or the empty line behind the last chunk. */
  #readLine(bytes) {
    const end = bytes.indexOf('\r\n');
    if (end < 0 && bytes.length <= LONGEST_LINE) return 0;
    const line = bytes.toString('latin1', 0, Math.max(0, end));
    if (this.#stage === 'size') {
      if (!/^[0-9a-f]{1,8}$/i.test(line)) throw new Error(`no chunk size: ${JSON.stringify(line)}`);
      this.#left = parseInt(line, 16);
      this.#stage = this.#left > 0 ? 'chunk' : 'last line';
    } else {
      if (end !== 0) throw new Error(`bytes where a chunk should end: ${JSON.stringify(line)}`);
      if (this.#stage === 'end of chunk') this.#stage = 'size';
      else this.#end();
    }
    return end + 2;
  }

  #end() {
    this.#stage = 'head';
    this.listener.onEnd();
  }
}

module.exports = { RequestReader };
