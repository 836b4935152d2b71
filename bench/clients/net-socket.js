'use strict';

const net = require('node:net');

const { checkAnswer } = require('./check-answer');

/**
 * No HTTP client: Node's sockets, with the bytes of a request ready-made and the bytes of the answer counted. What is
 * built on `net.Socket` cannot need less. It reads the status and no other field, so it is for answers of known length.
 *
 * @param {import('.').Target} target
 * @returns {import('.').Session}
 */
function open(target) {
  const { request, newConnections } = target;
  const head = headOf(target);
  const sockets = new Set();
  const idle = [];

  function connect() {
    const socket = net.connect({ host: target.host, port: target.port, noDelay: true });
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    return socket;
  }

  function send(done) {
    const socket = idle.pop() ?? connect();
    socket.once('error', done);
    readAnswer(request, socket, (error) => {
      socket.removeListener('error', done);
      if (newConnections) socket.destroySoon();
      else idle.push(socket);
      done(error);
    });
    socket.write(head, 'latin1');
    sendBody(socket, request.body);
  }

  function close() {
    for (const socket of sockets) socket.destroy();
  }

  return { send, close };
}

/**
 * @param {import('.').Target} target
 * @returns {string}
 */
function headOf({ request: { method, path, body }, host, port, newConnections }) {
  const fields = [`Host: ${host}:${port}`, `Connection: ${newConnections ? 'close' : 'keep-alive'}`];
  if (body) fields.push(`Content-Length: ${body.piece.length * body.count}`);
  return `${method} ${path} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`;
}

/**
 * @param {net.Socket} socket
 * @param {import('../workloads').BodySpec} [body]
 */
function sendBody(socket, body) {
  let left = body ? body.count : 0;
  function writeMore() {
    while (left > 0) {
      left--;
      if (!socket.write(/** @type {import('../workloads').BodySpec} */ (body).piece)) {
        socket.once('drain', writeMore);
        return;
      }
    }
  }
  writeMore();
}

/**
 * @param {import('../workloads').RequestSpec} request
 * @param {net.Socket} socket
 * @param {(error: Error | null) => void} done
 */
function readAnswer(request, socket, done) {
  let head = '';
  let length = -1;
  function onData(chunk) {
    if (length === -1) {
      head += chunk.latin1Slice();
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      length = head.length - end - 4;
    } else {
      length += chunk.length;
    }
    if (length < request.expect.length) return;
    socket.removeListener('data', onData);
    done(checkAnswer(request, Number(head.slice(9, 12)), length));
  }
  socket.on('data', onData);
}

module.exports = { open };
