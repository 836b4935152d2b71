'use strict';

/** MadeBody writes the body of each attempt of a request from what a function of the user's makes. */

const { Readable } = require('node:stream');

class MadeBody {
  /**
   * @param {import('../request/client-request').ClientRequest} req
   * @param {() => string|Uint8Array|Readable|Iterable|AsyncIterable} make
   */
  constructor(req, make) {
    this.req = req;
    this.make = make;
    /** True from when the user has ended the request, which has the body written. */
    this.isUsed = false;
    /** True while the body is written: what comes otherwise is the user's own. */
    this.isWriting = false;
    /** @type {Readable|null} */
    this.source = null;
  }

  /** Writes the body of the first attempt. */
  start() {
    this.isUsed = true;
    this.req.on('drain', () => this.source?.resume());
    this.write();
  }

  /** Writes the body of an attempt, from its beginning. */
  write() {
    const { req } = this;
    let body;
    try {
      body = this.make();
      if (typeof body !== 'string' && !(body instanceof Uint8Array) && typeof body?.pipe !== 'function') {
        body = Readable.from(body);
      }
    } catch (error) {
      req.destroy(error);
      return;
    }
    if (typeof body.pipe === 'function') this.read(body);
    else this.call('end', body);
  }

  /** Writes what a stream brings. */
  read(source) {
    this.source = source;
    source.on('error', (error) => {
      if (this.source === source) this.req.destroy(error);
    });
    source.on('end', () => {
      if (this.source === source) this.call('end');
    });
    source.on('data', (chunk) => {
      if (this.source === source && !this.call('write', chunk)) source.pause();
    });
  }

  /** Calls a method of the request for the body. */
  call(method, ...arguments_) {
    this.isWriting = true;
    try {
      return this.req[method](...arguments_);
    } finally {
      this.isWriting = false;
    }
  }

  /** Ends what the body of the last attempt comes from. */
  stop() {
    const { source } = this;
    this.source = null;
    source?.destroy();
  }
}

module.exports = { MadeBody };
