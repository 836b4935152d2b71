'use strict';

/** The client's end of one request of a storm: it does what the plan says, and notes all that it hears. */

const fs = require('node:fs');
const { setImmediate: turn } = require('node:timers/promises');

const { sizeToRead, trailerOf } = require('./answers');
const { BodyCheck, bytesOfBody } = require('./pattern');
const { READERS } = require('./readers');

/**
 * @typedef {object} Heard what a user has heard of one request
 * @property {import('./plan').Plan} plan
 * @property {bigint} madeAt
 * @property {number | undefined} port local one of the connection, if another request has used it before
 * @property {boolean} hasActed the user has called the request off, or its response
 * @property {boolean} isHung not all has closed before the deadline
 * @property {string} [stuckAt] the state in which it has hung
 * @property {string | undefined} error code of the request's error
 * @property {string} [refused] the beginning of the bytes that the parser has refused
 * @property {string | undefined} responseError code of the response's error
 * @property {boolean} hasResponse
 * @property {boolean} hasEnd the response has ended
 * @property {boolean} isComplete
 * @property {boolean} isBodyWhole all bytes of the body have come, as far as the user wants them
 * @property {boolean} isForged the answer, or an interim one, was meant for no request
 * @property {number} interim number of interim responses
 * @property {string[]} wrong what was not as the plan has it
 */

/** States of connections in the kernel's table (proc_net_tcp(5)). */
const KERNEL_STATES = {
  '01': 'ESTABLISHED', '02': 'SYN_SENT', '03': 'SYN_RECV', '04': 'FIN_WAIT1', '05': 'FIN_WAIT2', '06': 'TIME_WAIT',
  '07': 'CLOSE', '08': 'CLOSE_WAIT', '09': 'LAST_ACK', '0A': 'LISTEN', '0B': 'CLOSING',
};

/** Tells what the kernel knows of a connection: whether it, or the client, has not gone on. */
function kernelStateOf(socket, port) {
  const localPort = socket?.localPort;
  if (localPort === undefined || process.platform !== 'linux') return 'unknown';
  const hexadecimal = (number) => `:${number.toString(16).toUpperCase().padStart(4, '0')}`;
  const states = [];
  for (const line of fs.readFileSync('/proc/self/net/tcp', 'latin1').split('\n')) {
    const [, local, remote, state] = line.trim().split(/\s+/);
    const isBetween = (one, other) => one?.endsWith(hexadecimal(localPort)) && other?.endsWith(hexadecimal(port));
    if (isBetween(local, remote)) states.push(KERNEL_STATES[state]);
    if (isBetween(remote, local)) states.push(`at the server ${KERNEL_STATES[state]}`);
  }
  return states.join(', ') || 'no connection';
}

/** Names the requests that have the connections for which a request waits. */
function heldBy(req) {
  if (req.socket || !req.agent) return '';
  const sockets = Object.values(req.agent.sockets).flat();
  return `; waits behind: ${sockets.map((socket) => socket._httpMessage?.path ?? 'no request').join(' ')}`;
}

/** Words for the state in which a request has hung. */
function stateOf(req, res, port) {
  const words = (object, names) => names.filter((name) => object?.[name]).join(' ');
  return `request: ${words(req, ['destroyed', 'closed', 'finished', 'writableFinished', 'reusedSocket'])}; ` +
    `response: ${words(res, ['complete', 'readableEnded', 'destroyed', 'closed', 'aborted'])}; ` +
    `socket: ${words(req.socket, ['connecting', 'destroyed', 'closed', 'isNative'])}; ` +
    `${res?.readableLength} bytes unread, ${res?.listenerCount('readable')} readers; ` +
    `kernel: ${kernelStateOf(req.socket, port)}${heldBy(req)}`;
}

class ClientExchange {
  #timers = [];
  #open = 1;
  #resolve;

  /**
   * @param {import('./plan').Plan} plan
   * @param {object} options of the request
   * @param {{ module: object, pattern: Buffer, deadline: number }} context
   */
  constructor(plan, options, { module, pattern, deadline }) {
    this.plan = plan;
    this.options = options;
    this.module = module;
    this.pattern = pattern;
    this.deadline = deadline;
    this.body = new BodyCheck(pattern, { place: plan.answer.place, size: sizeToRead(plan) });
    this.counts = {};
    /** @type {Heard} */
    this.heard = {
      plan, madeAt: process.hrtime.bigint(), port: undefined, hasActed: false, isHung: false, error: undefined,
      responseError: undefined, hasResponse: false, hasEnd: false, isComplete: false, isBodyWhole: false,
      isForged: false, interim: 0, wrong: [],
    };
  }

  /** @returns {Promise<Heard>} when the request and its response have closed, or the deadline is over */
  run() {
    return new Promise((resolve) => {
      const deadline = setTimeout(() => {
        this.heard.isHung = true;
        this.heard.stuckAt = stateOf(this.req, this.res, this.options.port);
        this.#settle();
        this.req.destroy();
      }, this.deadline);
      this.#resolve = resolve;
      this.#timers.push(deadline);
      this.#start();
    });
  }

  #settle() {
    for (const timer of this.#timers) clearTimeout(timer);
    // Of a response that is called off, or that nothing listens to, only the part counts that has come.
    const { heard, body } = this;
    heard.isBodyWhole = heard.hasActed || this.plan.action.kind === 'dump' || body.isWhole;
    this.#resolve(this.heard);
  }

  #onClose() {
    if (--this.#open === 0) this.#settle();
  }

  #start() {
    const { plan, heard } = this;
    const { kind, delay } = plan.action;
    const controller = kind === 'signal' ? new AbortController() : undefined;
    const req = this.req = this.module.request({
      ...this.options, ...controller && { signal: controller.signal }, ...kind === 'timeout' && { timeout: delay },
    });
    req.on('error', (error) => {
      this.#once('error');
      heard.error = error.code ?? error.name;
      if (error.rawPacket) heard.refused = error.rawPacket.toString('latin1', 0, 400);
    });
    req.on('close', () => {
      if (this.#once('close')) this.#onClose();
    });
    req.on('socket', (socket) => {
      if (req.reusedSocket) heard.port = socket.localPort;
    });
    req.on('information', (info) => this.#onInformation(info));
    if (kind !== 'unheard') req.on('response', (res) => this.#onResponse(res));
    this.#upload(req);
    this.#act(req, controller);
  }

  /** Notes an event that comes once at most, and says whether this is the first. */
  #once(name) {
    const isFirst = this.counts[name] === undefined;
    if (!isFirst) this.#wrong(`'${name}' comes twice`);
    this.counts[name] = 1;
    return isFirst;
  }

  #wrong(what) {
    if (this.heard.wrong.length < 5) this.heard.wrong.push(what);
  }

  #onInformation(info) {
    if (info.statusCode === 100) return;
    this.heard.interim++;
    if (info.headers['x-forged']) this.heard.isForged = true;
    else if (info.headers['x-id'] !== String(this.plan.id)) this.#wrong(`interim response of ${info.headers['x-id']}`);
  }

  /** Writes the upload: at once, or piece by piece as the request drains, behind a 100 where that is awaited. */
  #upload(req) {
    const { upload } = this.plan;
    if (!upload.expects) {
      this.#write(req);
      return;
    }
    let isBegun = false;
    const begin = () => {
      if (!isBegun) this.#write(req);
      isBegun = true;
    };
    req.on('continue', begin);
    // Without a listener of 'response' the request itself reads the response to its end.
    if (this.plan.action.kind !== 'unheard') req.on('response', begin);
    req.flushHeaders();
  }

  async #write(req) {
    const { upload } = this.plan;
    const bytes = bytesOfBody(this.pattern, upload);
    if (upload.pieces === 1 || bytes.length < 2) {
      req.end(bytes.length > 0 ? bytes : undefined);
      return;
    }
    const length = Math.ceil(bytes.length / upload.pieces);
    for (let at = 0; at < bytes.length; at += length) {
      if (req.destroyed) return;
      const mayGoOn = req.write(bytes.subarray(at, at + length));
      if (!mayGoOn && !req.destroyed) await this.#drained(req);
      else if (upload.place % 3 === 0) await turn();
    }
    req.end();
  }

  #drained(req) {
    return new Promise((resolve) => {
      const go = () => {
        req.off('drain', go).off('close', go);
        resolve();
      };
      req.on('drain', go).on('close', go);
    });
  }

  /** Calls the request off in the way and at the moment that the plan says. */
  #act(req, controller) {
    const { kind, delay } = this.plan.action;
    const act = (how) => () => {
      this.heard.hasActed = true;
      how();
    };
    const destroy = act(() => req.destroy());
    const later = (how) => this.#timers.push(setTimeout(how, delay));
    if (kind === 'signal') later(act(() => controller.abort()));
    else if (kind === 'timeout') req.on('timeout', destroy);
    else if (kind === 'destroy at once') destroy();
    else if (kind === 'destroy on socket') req.on('socket', destroy);
    else if (kind === 'destroy on finish') req.on('finish', destroy);
    else if (kind === 'destroy later') later(destroy);
    else if (kind === 'abort later') later(act(() => req.abort()));
  }

  #onResponse(res) {
    const { heard, plan } = this;
    if (!this.#once('response')) return;
    this.#open++;
    heard.hasResponse = true;
    this.res = res;
    if (res.headers['x-forged']) heard.isForged = true;
    else if (res.headers['x-id'] !== String(plan.id)) this.#wrong(`the answer to ${res.headers['x-id']}`);
    if (res.statusCode !== plan.answer.status) this.#wrong(`status ${res.statusCode}`);
    if (heard.interim !== plan.answer.interim) this.#wrong(`${heard.interim} interim responses`);
    res.on('error', (error) => {
      this.#once('error of the response');
      heard.responseError = error.code ?? error.name;
    });
    res.on('end', () => {
      this.#once('end');
      heard.hasEnd = true;
      heard.isComplete = res.complete;
      if (!res.complete) return;
      if (plan.answer.hasTrailers && res.trailers['x-behind'] !== trailerOf(plan)) this.#wrong('other trailers');
    });
    // A whole response that a user neither reads nor destroys may stay open, as with Node.
    if (plan.action.kind === 'destroy beside a reader') this.#open--;
    res.on('close', () => {
      if (this.#once('close of the response') && plan.action.kind !== 'destroy beside a reader') this.#onClose();
    });
    this.#read(res);
  }

  #take(chunk) {
    this.body.add(chunk);
    if (!this.body.isIntact) this.#wrong('other bytes of the body');
  }

  /** Reads the response in the way that the plan says. */
  #read(res) {
    const read = READERS[this.plan.action.kind] ?? READERS.flow;
    read(res, {
      take: (chunk) => this.#take(chunk),
      hold: () => {
        this.#open++;
        return () => this.#onClose();
      },
      act: () => { this.heard.hasActed = true; },
      req: this.req,
      delay: this.plan.action.delay,
    });
  }
}

module.exports = { ClientExchange };
