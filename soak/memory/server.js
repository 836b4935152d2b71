'use strict';

/** The server whose clients are measured. It tells its ports, and ends with its parent. */

const { once } = require('node:events');
const http = require('node:http');
const https = require('node:https');

const certificates = require('../../__test__/support/certificates');
const { LARGE, TOGETHER } = require('./sizes');

const PIECE = Buffer.alloc(65_536, 'large');

/** Chunks of one byte, as they are sent. */
const CHUNK = '1\r\nx\r\n';
const CHUNKS = Buffer.from(CHUNK.repeat(10_000), 'latin1');

/** Writes the same bytes again and again, until as many are written as there have to be. */
function repeat(writable, piece, size, onEnd) {
  let left = size;
  const more = () => {
    while (left > 0 && !writable.destroyed) {
      const bytes = piece.subarray(0, Math.min(piece.length, left));
      left -= bytes.length;
      if (!writable.write(bytes)) return;
    }
    if (left > 0) return;
    writable.off('drain', more);
    onEnd();
  };
  writable.on('drain', more);
  more();
}

/** Responses that wait for others. */
const together = [];

const answers = {
  '/never': () => {},
  '/together': (req, res) => {
    if (together.push(res) === TOGETHER) for (const one of together.splice(0)) one.end();
  },
  '/gibibyte': (req, res) => {
    const { size } = LARGE[req.url];
    res.setHeader('Content-Length', size);
    repeat(res, PIECE, size, () => res.end());
  },
  '/pieces': ({ url, socket }) => {
    // Node would have a piece of memory for each chunk.
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n');
    repeat(socket, CHUNKS, LARGE[url].size * CHUNK.length, () => socket.end('0\r\n\r\n'));
  },
};

function onRequest(req, res) {
  const answer = answers[req.url];
  if (answer) answer(req, res);
  else res.end('a short body');
}

async function main() {
  const servers = { plain: http.createServer(onRequest), tls: https.createServer(certificates.local, onRequest) };
  const ports = {};
  for (const [name, server] of Object.entries(servers)) {
    server.keepAliveTimeout = 600_000;
    await once(server.listen(0, '127.0.0.1'), 'listening');
    ports[name] = server.address().port;
  }
  process.send({ ports });
  process.on('disconnect', () => process.exit());
}

main();
