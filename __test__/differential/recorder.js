'use strict';

/** Records what a user of a client can see of one exchange, as lines in the order in which it was seen. */

/** Properties by which errors are told apart. */
const ERROR_PROPERTIES = ['name', 'message', 'code', 'errno', 'syscall', 'reason'];

class Recorder {
  /**
   * @param {boolean} tellsPackets whether each segment is read by itself, so that errors tell the same packets; a
   *   reader that has paused gets several at once, and how many is not for users to rely on
   */
  constructor(tellsPackets) {
    this.tellsPackets = tellsPackets;
    /** @type {string[]} */
    this.lines = [];
    this.body = '';
  }

  /** @returns {number} changes whenever something is recorded */
  get progress() {
    return this.lines.length + this.body.length;
  }

  /**
   * @param {string} what
   * @param {unknown} [details]
   */
  add(what, details) {
    this.flush();
    this.lines.push(details === undefined ? what : `${what} ${JSON.stringify(details)}`);
  }

  /**
   * @param {string} what
   * @param {Error} error
   */
  addError(what, error) {
    const details = {};
    for (const property of ERROR_PROPERTIES) {
      if (error[property] !== undefined) details[property] = error[property];
    }
    if (error.rawPacket && this.tellsPackets) {
      details.bytesParsed = error.bytesParsed;
      details.rawPacket = Buffer.from(error.rawPacket).toString('latin1');
    }
    this.add(what, details);
  }

  /** Pieces of a body are recorded as one: where they are cut is not for users to rely on. */
  addBytes(chunk) {
    this.body += chunk.toString('latin1');
  }

  flush() {
    if (this.body === '') return;
    this.lines.push(`data ${JSON.stringify(this.body)}`);
    this.body = '';
  }

  /** @param {import('node:http').ClientRequest} req */
  watchRequest(req, name = 'request') {
    const events = ['socket', 'finish', 'continue', 'drain', 'timeout', 'abort'];
    for (const event of events) req.on(event, () => this.add(`${name} ${event}`));
    req.on('information', (information) => this.add(`${name} information`, describeInformation(information)));
    req.on('error', (error) => this.addError(`${name} error`, error));
    req.on('close', () => this.add(`${name} close`, {
      destroyed: req.destroyed, finished: req.writableFinished, hasResponse: Boolean(req.res), aborted: req.aborted,
    }));
  }

  /**
   * Not its 'end': whether that comes while a connection closes depends on whose FIN is seen first.
   * @param {import('node:net').Socket} socket
   */
  watchSocket(socket) {
    for (const event of ['free', 'agentRemove', 'timeout']) socket.on(event, () => this.add(`socket ${event}`));
    socket.on('close', (hadError) => this.add('socket close', { hadError }));
  }

  /**
   * @param {import('node:http').IncomingMessage} res
   * @param {'flow'|'readable'} reading
   */
  readResponse(res, reading) {
    if (reading === 'flow') {
      res.on('data', (chunk) => this.addBytes(chunk));
    } else {
      res.on('readable', () => {
        for (let chunk; (chunk = res.read()) !== null;) this.addBytes(chunk);
      });
    }
  }

  /** @param {import('node:http').IncomingMessage} res */
  watchResponse(res) {
    this.add('response', describeHead(res));
    res.on('end', () => this.add('response end', {
      complete: res.complete,
      aborted: res.aborted,
      trailers: Object.entries(res.trailers),
      rawTrailers: res.rawTrailers,
      trailersDistinct: Object.entries(res.trailersDistinct),
    }));
    res.on('aborted', () => this.add('response aborted'));
    res.on('timeout', () => this.add('response timeout'));
    res.on('error', (error) => this.addError('response error', error));
    res.on('close', () => this.add('response close', {
      complete: res.complete,
      aborted: res.aborted,
      destroyed: res.destroyed,
      ended: res.readableEnded,
      error: res.errored?.message,
    }));
  }

  /** After 'upgrade' or 'connect'. */
  watchTunnel(name, res, socket, head) {
    this.add(`request ${name}`, { ...describeHead(res), upgrade: res.upgrade, head: head.toString('latin1') });
    socket.on('data', (chunk) => this.addBytes(chunk));
    socket.on('end', () => this.add('tunnel end'));
    socket.on('error', (error) => this.addError('tunnel error', error));
  }
}

function describeInformation({ headers, ...rest }) {
  return { ...rest, headers: Object.entries(headers) };
}

/** Lists the fields of a getter of Node's, which throws for a field named `__proto__` before Node 24.14. */
function distinct(getFields) {
  try {
    return Object.entries(getFields());
  } catch (error) {
    return error.message;
  }
}

function describeHead(res) {
  const { statusCode, statusMessage, httpVersion, httpVersionMajor, httpVersionMinor, rawHeaders, complete } = res;
  return {
    statusCode,
    statusMessage,
    httpVersion,
    httpVersionMajor,
    httpVersionMinor,
    rawHeaders,
    headers: Object.entries(res.headers),
    headersDistinct: distinct(() => res.headersDistinct),
    complete,
    shouldKeepAlive: res.req?.shouldKeepAlive,
  };
}

module.exports = { Recorder };
