'use strict';

/** Has the steps of the demo: each makes a request to the server, checks the response, and reports both. */

const assert = require('node:assert/strict');
const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { json, text } = require('node:stream/consumers');

const http = require('ferrequest');

const { mebibytes } = require('./report.js');

/**
 * @typedef {object} Context
 * @property {import('./report.js').Report} report
 * @property {object} server see server.js
 * @property {http.Agent} agent
 */

/**
 * @param {Context} context
 * @param {string} path
 * @param {object} [options]
 * @returns {http.ClientRequest}
 */
function request({ agent, server }, path, options) {
  return http.request({ host: '127.0.0.1', port: server.port, path, agent, ...options });
}

/** @param {http.ClientResponse} response */
function status(response) {
  return `${response.statusCode} ${response.statusMessage}`;
}

/** @param {Context} context */
async function streamedGet(context) {
  const pieces = 256;
  context.report.asked(`GET /stream/${pieces}`);
  const sent = request(context, `/stream/${pieces}`).end();
  const [response] = await once(sent, 'response');
  assert.equal(response.statusCode, 200);
  const hash = createHash('sha256');
  let bytes = 0;
  let chunks = 0;
  response.on('data', (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
    chunks++;
  });
  await once(response, 'end');
  assert.equal(bytes, pieces * 64 * 1024);
  assert.equal(hash.digest('hex'), response.trailers['x-sha256']);
  assert(response.complete);
  context.report.came(`${status(response)}, ${mebibytes(bytes)} in ${chunks} 'data' events, then 'end'`);
  context.report.came('the SHA-256 that the server sent as a trailer is that of the body');
}

/** @param {Context} context */
async function streamedPost(context) {
  const chunk = Buffer.alloc(256 * 1024, 'ferrequest ');
  const total = 128 * chunk.length;
  context.report.asked('POST /upload, of a length not said before: Transfer-Encoding: chunked');
  const sent = request(context, '/upload', { method: 'POST' });
  const answered = once(sent, 'response');
  const finished = once(sent, 'finish');
  const hash = createHash('sha256');
  let done = 0;
  let full = 0;
  const onSent = () => {
    done += chunk.length;
    context.report.progress(done, total);
  };
  for (let written = 0; written < total; written += chunk.length) {
    hash.update(chunk);
    if (!sent.write(chunk, onSent)) {
      full++;
      await once(sent, 'drain');
    }
  }
  sent.end();
  await finished;
  const [response] = await answered;
  const counted = await json(response);
  assert.deepEqual(counted, { bytes: total, encoding: 'chunked', sha256: hash.digest('hex') });
  assert.equal(done, total);
  assert(full > 0);
  context.report.came(`${status(response)}: the server counted ${mebibytes(counted.bytes)}, with the same SHA-256`);
  context.report.came(`write() answered false ${full} times, and each time 'drain' followed`);
}

/** @param {Context} context */
async function expectContinue(context) {
  const body = 'sent only when it was asked for';
  context.report.asked('PUT /upload with Expect: 100-continue, and the body held back');
  const sent = request(context, '/upload', {
    method: 'PUT', headers: { Expect: '100-continue', 'Content-Length': Buffer.byteLength(body) },
  });
  const answered = once(sent, 'response');
  const first = await Promise.race([once(sent, 'continue').then(() => 'continue'), answered.then(() => 'response')]);
  assert.equal(first, 'continue');
  context.report.came('100 Continue, so the body is sent');
  sent.end(body);
  const [response] = await answered;
  const counted = await json(response);
  assert.equal(counted.sha256, createHash('sha256').update(body).digest('hex'));
  context.report.came(`${status(response)}: the server counted ${counted.bytes} bytes, with the same SHA-256`);
}

/** @param {Context} context */
async function upgrade(context) {
  context.report.asked('GET /echo with Connection: Upgrade, Upgrade: echo');
  const sent = request(context, '/echo', { headers: { Connection: 'Upgrade', Upgrade: 'echo' } }).end();
  const [response, socket, head] = await once(sent, 'upgrade');
  assert.equal(response.statusCode, 101);
  socket.unshift(head);
  const greeting = 'welcome';
  const message = 'any bytes: \x00\x01\xff '.repeat(10_000);
  socket.setEncoding('latin1');
  let came = '';
  const complete = new Promise((resolve, reject) => {
    socket.on('data', (chunk) => {
      came += chunk;
      if (came.length >= greeting.length + message.length) resolve();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
  context.report.came(`${status(response)}, and the socket is ours: ${message.length} bytes are sent over it`);
  socket.write(message, 'latin1');
  await complete;
  assert.equal(came, greeting + message);
  context.report.came(`"${greeting}", sent with the header of the 101, and all ${message.length} bytes back`);
  socket.end();
  await once(socket, 'close');
}

/** @param {Context} context */
async function timeout(context) {
  const patience = 200;
  context.report.asked(`GET /silence with a timeout of ${patience} ms`);
  const left = once(context.server.events, 'client left');
  const begun = process.hrtime.bigint();
  const sent = request(context, '/silence', { timeout: patience }).end();
  await once(sent, 'timeout');
  const waited = Number(process.hrtime.bigint() - begun) / 1e6;
  assert(waited >= patience - 1, `'timeout' came after ${waited} ms`);
  assert.equal(sent.destroyed, false);
  context.report.came(`'timeout' after ${Math.round(waited)} ms; the request is still open, and destroyed by hand`);
  const failed = once(sent, 'error');
  sent.destroy();
  const [error] = await failed;
  assert.equal(error.code, 'ECONNRESET');
  await left;
  context.report.came(`'error' ${error.code} (${error.message}), and the server saw the connection close`);
}

/** @param {Context} context */
async function abort(context) {
  context.report.asked('GET /endless, and abort() once a mebibyte has come');
  const left = once(context.server.events, 'client left');
  const sent = request(context, '/endless').end();
  const [response] = await once(sent, 'response');
  const aborted = once(sent, 'abort');
  const failed = once(response, 'error');
  let bytes = 0;
  response.on('data', (chunk) => {
    bytes += chunk.length;
    if (bytes >= 1024 * 1024) sent.abort();
  });
  await aborted;
  const [error] = await failed;
  assert.equal(error.code, 'ECONNRESET');
  assert.equal(error.message, 'aborted');
  assert.equal(response.complete, false);
  context.report.came(`'abort' on the request, 'error' ${error.code} (${error.message}) on the response`);
  await left;
  context.report.came('the server saw the connection close');
}

/** @param {Context} context */
async function reusedConnection(context) {
  const agent = new http.Agent({ keepAlive: true });
  const connections = context.server.connections();
  const { connectionsReused } = http.stats();
  const seen = [];
  for (const which of ['first', 'second']) {
    context.report.asked(`GET /connection, the ${which} of an agent with keepAlive`);
    const sent = request({ ...context, agent }, '/connection').end();
    const [response] = await once(sent, 'response');
    const freed = once(agent, 'free');
    const number = await text(response);
    await freed;
    seen.push({ number, reused: sent.reusedSocket });
    context.report.came(`${status(response)}: connection ${number} of the server, reusedSocket ${sent.reusedSocket}`);
  }
  agent.destroy();
  assert.equal(seen[0].number, seen[1].number);
  assert.deepEqual(seen.map(({ reused }) => reused), [false, true]);
  assert.equal(context.server.connections(), connections + 1);
  assert.equal(http.stats().connectionsReused, connectionsReused + 1);
}

module.exports = [
  { title: 'A response streamed to its end', run: streamedGet },
  { title: 'A request streamed in chunks', run: streamedPost },
  { title: 'A body sent only when asked for', run: expectContinue },
  { title: 'An upgrade, echoed back', run: upgrade },
  { title: 'A timeout', run: timeout },
  { title: 'An abort', run: abort },
  { title: 'A connection used twice', run: reusedConnection },
];
