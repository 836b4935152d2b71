'use strict';

/**
 * node:http takes a reset for the end of a body that lasts until the connection closes: the response ends, `complete`
 * is true, and what is missing is not missed (RFC 9112 section 8: "considered incomplete" unless closed as it should
 * be). Here it is not complete.
 */

const {
  http, itOurs, sendSegments, until, record, responseTo, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

/** Asks a peer that sends a header and half a body, and then resets the connection, which TLS cannot be. */
async function askOneThatResets(transport, head) {
  let body = '';
  const peer = await transport.serveRaw((socket) => {
    socket.once('data', async () => {
      await sendSegments(socket, [`${head}\r\n\r\n`, 'half of i']);
      await until(() => body === 'half of i');
      socket.resetAndDestroy();
    });
  });
  const agent = await transport.agentTo(peer);
  const req = http.get({ ...peer.address, agent });
  const { events } = record(req);
  req.on('error', () => {});
  const res = await responseTo(req);
  const errors = [];
  res.on('error', (error) => errors.push(error));
  res.on('data', (chunk) => { body += chunk; });
  await Promise.all([res, req].map((emitter) => new Promise((resolve) => { emitter.on('close', resolve); })));
  return { agent, events, res, body, errors };
}

describeTransports('a body that lasts until the connection closes', (transport) => {
  itOurs.each([
    ['HTTP/1.1', 'HTTP/1.1 200 OK'],
    ['HTTP/1.1 with Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK'],
    ['a coding that is not chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip'],
  ])('is not complete if the connection is reset: %s', async (_what, head) => {
    const { agent, events, res, body, errors } = await askOneThatResets(transport, head);
    expect(body).toBe('half of i');
    expect(res.complete).toBe(false);
    expect(res.aborted).toBe(true);
    expect(events).not.toContain('res end');
    expect(events.filter((event) => /^res (aborted|error|close)/.test(event))).toEqual(
      ['res aborted', 'res error ECONNRESET', 'res close']);
    expect(errors).toHaveLength(1);
    await untilPoolIsEmpty(agent);
  });
}, ({ isTls }) => !isTls);
