'use strict';

/**
 * The servers that pages of docs/ take for granted, at ports 8080 (http) and 8443 (https) there and at free ports here.
 * Neither they nor their connections hold the process.
 */

const http = require('node:http');
const https = require('node:https');
const { once } = require('node:events');
const { local } = require('../certificates');

const ANSWERS = {
  __proto__: null,
  '/redirect': (_req, res) => res.writeHead(302, { Location: '/' }).end(),
  '/missing': (_req, res) => res.writeHead(404).end('nothing here\n'),
  '/busy': (_req, res) => res.writeHead(503).end('busy\n'),
  '/silent': () => {},
  '/reset': (_req, res) => res.socket.destroy(),
  '/cut': (_req, res) => res.writeHead(200, { 'Content-Length': 100 }).write('half', () => res.socket.destroy()),
  '/file': (_req, res) => res.end(Buffer.alloc(300_000, 'ferrequest ')),
};

/** Tells what it was sent. */
async function echo(req, res) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ method: req.method, path: req.url, body }));
}

function answer(req, res) {
  const own = ANSWERS[req.url];
  if (own) own(req, res);
  else if (req.url.startsWith('/api')) echo(req, res).catch(() => {});
  else req.resume().on('end', () => res.setHeader('Content-Type', 'text/plain').end('hello\n'));
}

/** @returns {Promise<{ port: number, tlsPort: number, asked(): number }>} */
async function startServers() {
  let asked = 0;
  const onRequest = (req, res) => {
    asked++;
    answer(req, res);
  };
  const servers = [http.createServer(), https.createServer(local)];
  for (const server of servers) {
    server.on('connection', (socket) => socket.unref());
    server.on('secureConnection', (socket) => socket.unref());
    server.on('request', onRequest);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    server.unref();
  }
  const [port, tlsPort] = servers.map((server) => server.address().port);
  return { port, tlsPort, asked: () => asked };
}

module.exports = { startServers };
