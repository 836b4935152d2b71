'use strict';

/** A server that knows no HTTP: it tells its connections apart by what is asked for, and sends what it is told to. */

const net = require('node:net');

/** Stands in the target of every request, to say which exchange its connection belongs to. */
const MARK = /x\d{9}x/;

class Connection {
  constructor(socket) {
    this.socket = socket;
    /** All that the client has sent, latin1. */
    this.received = '';
    this.sent = 0;
    this.known = false;
    // A client that has had enough resets its connection: that is its right.
    socket.on('error', () => {});
  }

  get isOpen() {
    return this.socket.writable;
  }

  /** @param {string} bytes */
  send(bytes) {
    this.sent += bytes.length;
    this.socket.write(bytes, 'latin1');
  }

  end(bytes = '') {
    this.sent += bytes.length;
    this.socket.end(bytes, 'latin1');
  }
}

class WireServer {
  constructor() {
    this.server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket));
    /** @type {Map<string, Connection[]>} */
    this.connections = new Map();
    this.count = 0;
  }

  async start() {
    await new Promise((resolve) => { this.server.listen(0, '127.0.0.1', resolve); });
    this.port = this.server.address().port;
  }

  async stop() {
    await new Promise((resolve) => { this.server.close(resolve); });
  }

  /** @returns {{ mark: string, connections: Connection[] }} a mark, and the connections on which it comes in */
  expect() {
    const mark = `x${String(++this.count).padStart(9, '0')}x`;
    const connections = [];
    this.connections.set(mark, connections);
    return { mark, connections };
  }

  forget(mark) {
    this.connections.delete(mark);
  }

  accept(socket) {
    const connection = new Connection(socket);
    socket.on('data', (chunk) => {
      connection.received += chunk.toString('latin1');
      if (connection.known) return;
      const mark = MARK.exec(connection.received)?.[0];
      if (mark === undefined) return;
      connection.known = true;
      this.connections.get(mark)?.push(connection);
    });
  }
}

module.exports = { WireServer };
