'use strict';

const net = require('node:net');
const { serveRaw } = require('../servers');

/** Address types and replies of RFC 1928. */
const IPV4 = 1;
const DOMAIN = 3;
const SUCCEEDED = 0;
const CONNECTION_REFUSED = 5;

/**
 * Starts a SOCKS5 server without authentication (RFC 1928) that knows CONNECT alone. Whatever it is asked for is an
 * origin on this machine.
 * @param {{ refuses?: boolean }} [options]
 * @returns {Promise<import('../servers').Peer & { url: string, asked: string[] }>} asked: host:port, in order
 */
async function serveSocks({ refuses = false } = {}) {
  const asked = [];
  const peer = await serveRaw((socket) => {
    let bytes = Buffer.alloc(0);
    let isGreeted = false;
    socket.on('end', () => socket.end());
    socket.on('data', function onData(chunk) {
      bytes = Buffer.concat([bytes, chunk]);
      if (!isGreeted && bytes.length >= 2 + bytes[1]) {
        isGreeted = true;
        bytes = bytes.subarray(2 + bytes[1]);
        socket.write(Buffer.from([5, 0]));
      }
      const target = isGreeted && readTarget(bytes);
      if (!target) return;
      socket.removeListener('data', onData);
      asked.push(`${target.host}:${target.port}`);
      if (refuses) socket.end(reply(CONNECTION_REFUSED));
      else connect(socket, target);
    });
  });
  return Object.assign(peer, { asked, url: `socks5h://127.0.0.1:${peer.port}` });
}

/** @returns {{ host: string, port: number } | undefined} undefined while it is not whole */
function readTarget(bytes) {
  if (bytes.length < 7) return undefined;
  const length = bytes[3] === DOMAIN ? 1 + bytes[4] : 4;
  if (bytes.length < 6 + length) return undefined;
  const address = bytes.subarray(4, 4 + length);
  const host = bytes[3] === IPV4 ? address.join('.') : address.subarray(1).toString('latin1');
  return { host, port: bytes.readUInt16BE(4 + length) };
}

function reply(code) {
  return Buffer.from([5, code, 0, IPV4, 127, 0, 0, 1, 0, 0]);
}

function connect(socket, { host, port }) {
  const origin = net.connect(port, net.isIPv4(host) ? host : '127.0.0.1', () => {
    socket.write(reply(SUCCEEDED));
    origin.pipe(socket);
    socket.pipe(origin);
  });
  origin.on('error', () => socket.end(reply(CONNECTION_REFUSED)));
  origin.on('close', () => socket.destroy());
  socket.on('close', () => origin.destroy());
}

module.exports = { serveSocks };
