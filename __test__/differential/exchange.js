'use strict';

/**
 * One case with one client: a request, the answer in its segments, the end, another request. Every step waits until the
 * one before has come to rest, so that what is recorded does not depend on how fast anybody is.
 */

const { AsyncLocalStorage } = require('node:async_hooks');

const { Recorder } = require('./recorder');

/** The second request, on the same connection or another, is always answered so. */
const AGAIN = 'HTTP/1.1 200 Again\r\nContent-Length: 5\r\n\r\nagain';

/** Bytes of the longest segment: a longer one may come in two reads, as it happens. */
const LONGEST_SEGMENT = 30000;

/** Tells which exchange an uncaught exception belongs to. */
const current = new AsyncLocalStorage();

process.on('uncaughtException', (error, origin) => {
  const exchange = current.getStore();
  if (exchange === undefined || origin === 'unhandledRejection') {
    console.error(error);
    process.exit(1);
  }
  exchange.recorder.addError('uncaught exception', error);
});

class Exchange {
  /**
   * @param {object} parameters
   * @param {{ request: Function, newAgent: (options: object) => import('node:http').Agent }} parameters.client
   * @param {import('./generate').Case} parameters.wanted
   * @param {import('./server').WireServer} parameters.server
   * @param {import('./settle').Clock} parameters.clock
   */
  constructor({ client, wanted, server, clock }) {
    this.client = client;
    this.wanted = wanted;
    this.server = server;
    this.clock = clock;
    this.recorder = new Recorder(wanted.reading !== 'late');
    ({ mark: this.mark, connections: this.connections } = server.expect());
    this.agent = client.newAgent({ keepAlive: wanted.keepAlive, highWaterMark: wanted.highWaterMark });
  }

  /** @returns {Promise<string[]>} what was seen */
  run() {
    return current.run(this, async () => {
      await this.begin();
      await this.answer();
      await this.finish();
      this.server.forget(this.mark);
      return this.recorder.lines;
    });
  }

  async begin() {
    const { recorder, wanted } = this;
    const req = this.req = this.makeRequest(wanted);
    recorder.watchRequest(req);
    req.on('socket', (socket) => {
      this.socket = socket;
      recorder.watchSocket(socket);
    });
    if (wanted.reading !== 'dump') req.on('response', (res) => this.read(res));
    if (wanted.takesUpgrade) {
      for (const name of ['upgrade', 'connect']) {
        req.on(name, (res, socket, head) => recorder.watchTunnel(name, res, socket, head));
      }
    }
    if (wanted.expect) req.on('continue', () => req.end('body'));
    else if (wanted.upload === 'early') req.end('body');
    else if (wanted.upload === 'late') req.write('bo');
    else req.end();
    const arrived = () => this.connections.some(({ received }) => received.includes('\r\n\r\n'));
    await this.until('request', () => arrived() || req.destroyed);
    await this.rest();
  }

  read(res) {
    const { recorder, wanted: { reading } } = this;
    recorder.watchResponse(res);
    if (reading === 'late') this.unread = res;
    else recorder.readResponse(res, reading);
  }

  makeRequest({ method, expect, validation, limits: { maxHeadersCount, ...limits } }) {
    const req = this.client.request({
      host: '127.0.0.1',
      port: this.server.port,
      method,
      path: method === 'CONNECT' ? `${this.mark}:1` : `/${this.mark}`,
      agent: this.agent,
      headers: expect ? { Expect: '100-continue' } : {},
      ...validation,
      ...limits,
    });
    if (maxHeadersCount !== undefined) req.maxHeadersCount = maxHeadersCount;
    return req;
  }

  async answer() {
    const { wanted: { bytes, cuts, ending, upload }, connections: [connection] } = this;
    const segments = segmentsOf(bytes, cuts);
    for (const [index, segment] of segments.entries()) {
      if (!this.isReading(connection)) break;
      if (ending === 'fin at once' && index === segments.length - 1) await this.end(connection, segment);
      else if (segment !== '') await this.send(connection, segment);
    }
    if (this.unread) {
      this.recordPool('before reading');
      this.recorder.readResponse(this.unread, 'flow');
      await this.rest();
    }
    if (upload === 'late') {
      this.req.end('dy');
      await this.rest();
    }
    this.recordPool('behind the answer');
  }

  /** Tells whether there is any sense in sending more. */
  isReading(connection) {
    return connection.isOpen && !this.socket.destroyed && !this.socket.readableEnded;
  }

  async send(connection, segment) {
    connection.send(segment);
    const isRead = () => this.socket.bytesRead >= connection.sent || !this.isReading(connection);
    // A reader that is late may have paused the connection.
    if (!this.unread) await this.until('reading', isRead);
    await this.rest();
  }

  async end(connection, segment) {
    connection.end(segment);
    if (!this.unread) await this.until('the end', () => this.socket.destroyed || this.socket.readableEnded);
    await this.rest();
  }

  async finish() {
    const { recorder, wanted: { ending } } = this;
    if (ending !== 'open') await this.endAll(ending);
    await this.askAgain();
    await this.endAll('fin');
    this.agent.destroy();
    this.socket.destroy();
    await this.rest();
    this.recordPool('at the end');
    for (const { received, socket } of this.connections) {
      recorder.add('wire', { received: received.replaceAll(this.mark, 'MARK'), closed: socket.destroyed });
    }
    recorder.flush();
  }

  /** Ends the connections that the client still has. */
  async endAll(ending) {
    for (const connection of this.connections) {
      if (!connection.isOpen) continue;
      if (ending === 'reset') connection.socket.resetAndDestroy();
      else connection.end();
    }
    await this.until('the end', () => this.socket.destroyed || this.socket.readableEnded);
    await this.rest();
  }

  /** Shows whether the connection is used again, and whether the agent still works. */
  async askAgain() {
    const { recorder, connections } = this;
    const before = connections.map(({ received }) => received.length);
    const req = this.client.request({
      host: '127.0.0.1', port: this.server.port, path: `/${this.mark}/again`, agent: this.agent,
    });
    recorder.watchRequest(req, 'second request');
    let closed = false;
    req.on('close', () => { closed = true; });
    req.on('response', (res) => {
      recorder.add('second response', { status: res.statusCode, message: res.statusMessage });
      res.on('end', () => recorder.add('second response end', { complete: res.complete }));
      res.on('error', (error) => recorder.addError('second response error', error));
      res.on('close', () => recorder.add('second response close'));
      res.resume();
    });
    req.end();
    const isAsked = ({ received }, i) => received.slice(before[i] ?? 0).includes('again HTTP/1.1\r\n');
    const asked = () => connections.find(isAsked);
    await this.until('the second request', () => closed || asked() !== undefined);
    await this.rest();
    recorder.add('second request', { connection: connections.indexOf(asked()), reusedSocket: req.reusedSocket });
    asked()?.send(AGAIN);
    await this.until('the second answer', () => closed);
    await this.rest();
    this.recordPool('behind the second answer');
  }

  recordPool(when) {
    const count = (table) => Object.values(table).reduce((sum, list) => sum + list.length, 0);
    const { sockets, freeSockets, requests, totalSocketCount } = this.agent;
    this.recorder.add(`pool ${when}`, {
      sockets: count(sockets), free: count(freeSockets), requests: count(requests), total: totalSocketCount,
    });
  }

  async until(what, condition) {
    if (!await this.clock.until(condition)) this.recorder.add(`waited in vain for ${what}`);
  }

  rest() {
    return this.clock.rest(() => this.recorder.progress);
  }
}

function segmentsOf(bytes, cuts) {
  const segments = [];
  for (const [index, start] of [0, ...cuts].entries()) {
    let segment = bytes.slice(start, cuts[index]);
    for (; segment.length > LONGEST_SEGMENT; segment = segment.slice(LONGEST_SEGMENT)) {
      segments.push(segment.slice(0, LONGEST_SEGMENT));
    }
    segments.push(segment);
  }
  return segments;
}

module.exports = { Exchange, segmentsOf };
