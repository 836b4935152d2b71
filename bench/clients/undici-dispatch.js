'use strict';

const { util } = require('undici');

const { checkAnswer, checkHeader } = require('./check-answer');
const { openPool, requestOptions } = require('./undici-pool');

/** Reads one answer. */
class AnswerHandler {
  /**
   * @param {import('../workloads').RequestSpec} request
   * @param {(error: Error | null) => void} done
   */
  constructor(request, done) {
    this.request = request;
    this.done = done;
    this.status = 0;
    this.length = 0;
    this.wrongHeader = null;
  }

  onConnect() {}

  onHeaders(status, rawHeaders) {
    this.status = status;
    const { header } = this.request.expect;
    if (header) {
      // The same object that the other clients give; where no header is read, none is made.
      this.wrongHeader = checkHeader(this.request, util.parseHeaders(rawHeaders)[header[0]]);
    }
    return true;
  }

  onData(chunk) {
    this.length += chunk.length;
    return true;
  }

  onComplete() {
    this.done(this.wrongHeader ?? checkAnswer(this.request, this.status, this.length));
  }

  onError(error) {
    this.done(error);
  }
}

/**
 * undici's lowest level: the caller gives the parser's callbacks itself.
 *
 * @param {import('.').Target} target
 * @returns {import('.').Session}
 */
function open(target) {
  const pool = openPool(target);
  const nextOptions = requestOptions(target);
  const { request } = target;

  function send(done) {
    pool.dispatch(nextOptions(), new AnswerHandler(request, done));
  }

  return { send, close: () => pool.destroy() };
}

module.exports = { open };
