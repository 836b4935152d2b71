'use strict';

/**
 * A peer that gives a byte now and then keeps a connection for as long as its user lets it (CWE-400): no timeout of the
 * socket comes while bytes come. The user can stop it wherever it is, and nothing is left of it then.
 */

const { http, onRequestHead, quiet, turnOfEventLoop, until, untilPoolIsEmpty } = require('../support');
const { describeTransports } = require('../support/transports');

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

describeTransports('a peer that drips', (transport) => {
  it.each([
    ['lines before the status line', '', '\r\n', false],
    ['a status line', '', 'HTTP/1.1 200 a long, long reason phrase', false],
    ['header fields', OK, 'X: y\r\n', false],
    ['interim responses', '', 'HTTP/1.1 102 Processing\r\n\r\n', false],
    ['a chunk size', CHUNKED, '0', true],
    ['a chunk extension', CHUNKED, '1;e', true],
    ['small chunks', CHUNKED, '1\r\nx\r\n', true],
    ['a body', `${OK}Content-Length: 1000000\r\n\r\n`, 'x', true],
    ['trailers', `${CHUNKED}0\r\n`, 'X: y\r\n', true],
  ])('%s can be stopped', async (_what, beginning, repeated, hasResponse) => {
    let dripped = 0;
    const peer = await transport.serveRaw((socket) => {
      socket.on('error', () => {});
      onRequestHead(socket, async () => {
        if (beginning !== '') socket.write(beginning);
        while (!socket.destroyed) {
          socket.write(repeated[dripped++ % repeated.length]);
          await turnOfEventLoop();
        }
      });
    });
    const agent = await transport.agentTo(peer);
    const controller = new AbortController();
    const req = http.get({ ...peer.address, agent, signal: controller.signal });
    const seen = [];
    req.on('response', (res) => {
      seen.push('response');
      res.resume().on('error', (error) => seen.push(`response ${error.code}`));
    });
    req.on('error', (error) => seen.push(`request ${error.code}`));
    req.on('close', () => seen.push('close'));
    await until(() => dripped > 30 && seen.length === Number(hasResponse));
    controller.abort();
    await untilPoolIsEmpty(agent);
    await until(() => peer.accepted.every((socket) => socket.destroyed));
    await quiet();
    expect(seen).toEqual(hasResponse ? ['response', 'request ABORT_ERR', 'close', 'response ECONNRESET'] :
      ['request ABORT_ERR', 'close']);
  });
});
