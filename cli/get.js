'use strict';

/** `ferrequest get URL`: makes a request, streams its response, and prints how long each phase took. */

const fs = require('node:fs');
const { Transform } = require('node:stream');
const { pipeline } = require('node:stream/promises');

const { version } = require('../package.json');
const { Failure, usage } = require('./failure');
const { TransferBar } = require('./progress');
const { bytesText, painter, printable, table, timeText } = require('./terminal');
const { parseHeaders, parseUrl } = require('./url');

const REDIRECTS = [301, 302, 303, 307, 308];
/** Redirects that are followed for one command. */
const MOST_REDIRECTS = 10;
/** Header fields that are meant for the host which the user has named, and for no other. */
const OF_ONE_ORIGIN = ['authorization', 'cookie', 'host', 'proxy-authorization'];
/** Header fields of a body, which a redirect to GET leaves behind. */
const OF_A_BODY = ['content-encoding', 'content-language', 'content-length', 'content-type', 'transfer-encoding'];

/**
 * @typedef {object} Plan What is asked for next.
 * @property {URL} url
 * @property {string} method
 * @property {Record<string, string|string[]>} headers
 * @property {Body|null} body
 *
 * @typedef {object} Body
 * @property {number} [length] undefined if it is not known
 * @property {() => Buffer | import('node:stream').Readable} open
 * @property {boolean} once true if it can be sent only once
 */

/**
 * Makes the body of a request.
 * @param {string[]} [data] texts, or `@FILE`, or `@-` for stdin
 * @returns {Body|null}
 */
function bodyOf(data) {
  if (data === undefined) return null;
  if (data.length === 1 && data[0] === '@-') return { open: () => process.stdin, once: true };
  if (data.length === 1 && data[0].startsWith('@')) return fileBody(data[0].slice(1));
  const bytes = Buffer.from(data.join('&'));
  return { length: bytes.length, open: () => bytes, once: false };
}

/** @returns {Body} */
function fileBody(file) {
  let stat;
  try {
    stat = fs.statSync(file);
  } catch (error) {
    throw usage(`the data cannot be read: ${error.message}`);
  }
  if (stat.isDirectory()) throw usage(`${file} is a folder`);
  // A pipe or a device has no size.
  return { length: stat.isFile() ? stat.size : undefined, open: () => fs.createReadStream(file), once: false };
}

/**
 * Plans the first request.
 * @returns {Plan}
 */
function planOf(urlText, { data, header = [], request: method }) {
  const body = bodyOf(data);
  return {
    url: parseUrl(urlText),
    method: method ?? (body ? 'POST' : 'GET'),
    headers: {
      accept: '*/*',
      'user-agent': `ferrequest/${version}`,
      ...body && { 'content-type': 'application/x-www-form-urlencoded' },
      ...body?.length !== undefined && { 'content-length': String(body.length) },
      ...parseHeaders(header),
    },
    body,
  };
}

/**
 * Plans the request that a redirect asks for.
 * @param {Plan} plan
 * @param {import('node:http').IncomingMessage} response
 * @returns {Plan}
 */
function redirected({ url, method, headers, body }, { statusCode, headers: { location } }) {
  const base = new URL(url);
  base.username = '';
  base.password = '';
  if (!URL.canParse(location, base)) throw new Failure(`the server redirects to no URL: ${printable(location)}`);
  const next = parseUrl(new URL(location, base).href);
  const isSameOrigin = next.origin === url.origin;
  if (isSameOrigin) Object.assign(next, { username: url.username, password: url.password });
  // RFC 9110, 15.4: 303 asks for a GET, and user agents have always taken 301 and 302 of a POST so.
  const toGet = (statusCode === 303 && method !== 'HEAD') || (statusCode < 303 && method === 'POST');
  if (!toGet && body?.once) throw new Failure('the server redirects, and stdin cannot be sent twice');
  const dropped = [...isSameOrigin ? [] : OF_ONE_ORIGIN, ...toGet ? OF_A_BODY : []];
  return {
    url: next,
    method: toGet ? 'GET' : method,
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.includes(name))),
    body: toGet ? null : body,
  };
}

/** Tells on stderr what is sent and what comes. */
class Log {
  /** @param {boolean} [isOn] */
  constructor(isOn) {
    this.isOn = Boolean(isOn);
    this.paint = painter(process.stderr);
  }

  /** @param {string} mark @param {string} text */
  line(mark, text) {
    if (this.isOn) process.stderr.write(`${this.paint('gray', mark)} ${printable(text)}\n`);
  }

  /** @param {import('node:http').ClientRequest} request */
  request(request) {
    request.once('socket', (socket) => {
      const connected = () => this.line('*', `connected to ${socket.remoteAddress}:${socket.remotePort}${
        socket.encrypted ? `, ${socket.getProtocol()}, ${socket.getCipher().name}` : ''}`);
      if (socket.connecting) socket.once(socket.encrypted ? 'secureConnect' : 'connect', connected);
      else connected();
    });
    request.on('information', (information) => this.head(information));
    this.line('>', `${request.method} ${request.path} HTTP/1.1`);
    for (const name of request.getRawHeaderNames()) {
      for (const value of [request.getHeader(name)].flat()) this.line('>', `${name}: ${value}`);
    }
  }

  /** @param {{ httpVersion: string, statusCode: number, statusMessage: string, rawHeaders: string[] }} message */
  head({ httpVersion, statusCode, statusMessage, rawHeaders }) {
    this.line('<', `HTTP/${httpVersion} ${statusCode} ${statusMessage}`);
    for (let at = 0; at < rawHeaders.length; at += 2) this.line('<', `${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  }
}

/**
 * Makes a request, and waits for the header of its response.
 * @param {Plan} plan
 * @param {{ insecure?: boolean }} options
 * @param {Log} log
 * @param {AbortSignal} [signal]
 * @returns {Promise<import('ferrequest').ClientResponse>}
 */
async function send({ url, method, headers, body }, { insecure }, log, signal) {
  const { request: makeRequest } = url.protocol === 'https:' ? require('ferrequest/https') : require('ferrequest');
  let request;
  try {
    request = makeRequest(url, { method, headers, signal, ...insecure && { rejectUnauthorized: false } });
  } catch (error) {
    // Node refuses what cannot be sent: a method, a header field, a port.
    throw usage(error.message);
  }
  log.request(request);
  const answered = new Promise((resolve, reject) => {
    request.once('response', resolve).on('error', reject);
    request.once('upgrade', (response, socket) => {
      socket.destroy();
      reject(new Failure(`the server speaks another protocol from here on: ${printable(response.headers.upgrade)}`));
    });
  });
  const content = body?.open();
  if (content === undefined || Buffer.isBuffer(content)) {
    request.end(content);
  } else {
    // The request has the error, if there is one; none counts when the server has answered without the whole body.
    pipeline(content, request).catch(() => {});
  }
  const response = await answered;
  log.head(response);
  return response;
}

/**
 * Makes the request, and those that redirects ask for.
 * @returns {Promise<import('ferrequest').ClientResponse>}
 */
async function fetchResponse(urlText, options, signal) {
  const log = new Log(options.verbose);
  let plan = planOf(urlText, options);
  for (let redirects = 0; ; redirects++) {
    const response = await send(plan, options, log, signal);
    if (!options.location || !REDIRECTS.includes(response.statusCode) || !response.headers.location) return response;
    response.destroy();
    if (redirects === MOST_REDIRECTS) throw new Failure(`more than ${MOST_REDIRECTS} redirects`);
    plan = redirected(plan, response);
  }
}

/**
 * Streams the body to where the user wants it.
 * @param {import('ferrequest').ClientResponse} response
 * @param {{ output?: string, silent?: boolean }} options
 * @returns {Promise<number>} its bytes
 */
async function streamBody(response, { output, silent }) {
  const toFile = output !== undefined && output !== '-';
  const toTerminal = !toFile && process.stdout.isTTY;
  const length = Number(response.headers['content-length']);
  const bar = silent || toTerminal || response.req.method === 'HEAD' ? null : new TransferBar(length);
  let received = 0;
  const meter = new Transform({
    transform(chunk, _encoding, done) {
      if (toTerminal && received === 0 && chunk.includes(0)) {
        done(new Failure('this is no text: write it to a file with -o FILE'));
        return;
      }
      received += chunk.length;
      bar?.add(chunk.length);
      done(null, chunk);
    },
  });
  try {
    if (toFile) await pipeline(response, meter, fs.createWriteStream(output));
    else await pipeline(response, meter, process.stdout, { end: false });
  } finally {
    bar?.stop();
  }
  return received;
}

/** Prints on stderr what has come, and how long each phase took. */
function printSummary(response, bytes) {
  const { httpVersion, statusCode, statusMessage, timings } = response;
  const paint = painter(process.stderr);
  const phases = timings?.phases;
  const seconds = (phases?.download ?? 0) / 1000;
  const rate = bytes > 0 && seconds > 0 ? `, ${bytesText(bytes / seconds)}/s` : '';
  const status = `HTTP/${httpVersion} ${statusCode} ${statusMessage}`;
  process.stderr.write(`${paint(statusCode < 400 ? 'green' : 'red', printable(status))}  ${bytesText(bytes)}${rate}\n`);
  // Node's own client, where ours cannot run, has none.
  if (phases === undefined) return;
  const known = Object.entries(phases).filter(([, milliseconds]) => milliseconds !== undefined);
  const head = known.map(([name]) => paint('bold', name));
  const row = known.map(([, milliseconds]) => timeText(milliseconds));
  process.stderr.write(`${table({ head, rows: [row], right: known.map((_, column) => column) })}\n`);
}

/** @returns {Error} the error in the words of the command */
function explain(error, { insecure, maxTime }, signal) {
  if (error instanceof Failure) return error;
  // A response that is called off has been aborted, whoever did that.
  if (signal?.aborted) return new Failure(`it has not ended within ${maxTime} s`);
  const { code, message, phase } = error;
  const hint = !insecure && /CERT|UNABLE_TO/.test(code) ? '; -k accepts any certificate' : '';
  return new Failure(printable(`${message || code}${phase ? ` (phase: ${phase})` : ''}${hint}`));
}

/**
 * Runs the command.
 * @param {string} urlText
 * @param {{ output?: string, header?: string[], data?: string[], request?: string, verbose?: boolean,
 *   location?: boolean, insecure?: boolean, fail?: boolean, silent?: boolean, maxTime?: number }} options
 * @returns {Promise<number>} the exit code
 */
async function get(urlText, options) {
  const { fail, maxTime, silent } = options;
  const signal = maxTime && AbortSignal.timeout(maxTime * 1000);
  try {
    const response = await fetchResponse(urlText, options, signal);
    const { statusCode, statusMessage } = response;
    if (fail && statusCode >= 400) {
      response.destroy();
      throw new Failure(printable(`HTTP ${statusCode} ${statusMessage}`));
    }
    const bytes = await streamBody(response, options);
    // A server may have answered before it had the whole body: nothing more is read then of what was to be sent.
    response.req.destroy();
    if (!silent) printSummary(response, bytes);
    return 0;
  } catch (error) {
    // The reader of a pipe has what it wanted.
    if (error.code === 'EPIPE' && error.syscall === 'write' && error.phase === undefined) return 1;
    throw explain(error, options, signal);
  }
}

module.exports = { get };
