'use strict';

const { checkAnswer, checkHeader } = require('./check-answer');
const undici = require('./undici');
const { undiciPackage } = require('./undici-package');
const { openPool, requestOptions } = require('./undici-pool');

// undici 8 calls the handlers that undici 7 wraps into its older ones.
const OLDER_HANDLERS = undiciPackage(process.versions.node) === 'undici';

/** Reads one answer: the part that both kinds of handlers have. */
class AnswerReader {
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

  /** @protected */
  finish() {
    this.done(this.wrongHeader ?? checkAnswer(this.request, this.status, this.length));
  }
}

/** Reads one answer through the handlers of undici 7. */
class OlderAnswerHandler extends AnswerReader {
  onConnect() {}

  onHeaders(status, rawHeaders) {
    this.status = status;
    const { header } = this.request.expect;
    if (header) {
      // The same object that the other clients give; where no header is read, none is made.
      this.wrongHeader = checkHeader(this.request, undici.util.parseHeaders(rawHeaders)[header[0]]);
    }
    return true;
  }

  onData(chunk) {
    this.length += chunk.length;
    return true;
  }

  onComplete() {
    this.finish();
  }

  onError(error) {
    this.done(error);
  }
}

/** Reads one answer through the handlers of undici 8. */
class AnswerHandler extends AnswerReader {
  onRequestStart() {}

  onResponseStart(_controller, status, headers) {
    this.status = status;
    const { header } = this.request.expect;
    if (header) {
      this.wrongHeader = checkHeader(this.request, headers[header[0]]);
    }
  }

  onResponseData(_controller, chunk) {
    this.length += chunk.length;
  }

  onResponseEnd() {
    this.finish();
  }

  onResponseError(_controller, error) {
    this.done(error);
  }
}

/**
 * Opens undici's lowest level: the caller gives the parser's callbacks itself.
 *
 * @param {import('.').Target} target
 * @returns {import('.').Session}
 */
function open(target) {
  const pool = openPool(target);
  const nextOptions = requestOptions(target);
  const { request } = target;
  const Handler = OLDER_HANDLERS ? OlderAnswerHandler : AnswerHandler;

  function send(done) {
    pool.dispatch(nextOptions(), new Handler(request, done));
  }

  return { send, close: () => pool.destroy() };
}

module.exports = { open };
