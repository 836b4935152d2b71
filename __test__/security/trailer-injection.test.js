'use strict';

/**
 * What comes behind a body is no part of the header (RFC 9110 section 6.5.1): who can add trailers to a response
 * changes neither what its header has said nor what becomes of the connection.
 */

const { exchange, untilIdle, untilPoolIsEmpty } = require('../support');
const { describeTransports } = require('../support/transports');

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n';
const HEADERS = { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' };

describeTransports('trailers', (transport) => {
  it.each([
    ['Transfer-Encoding', 'gzip', 'transfer-encoding'],
    ['Transfer-Encoding', 'chunked', 'transfer-encoding'],
    ['Connection', 'close', 'connection'],
    ['Connection', 'upgrade\r\nUpgrade: websocket', 'connection'],
    ['Keep-Alive', 'timeout=0', 'keep-alive'],
    ['Content-Type', 'text/html', 'content-type'],
    ['Set-Cookie', 'a=b', 'set-cookie'],
    ['Location', 'http://evil.example/', 'location'],
  ])('that say %s: %s change no header, and not the connection', async (name, value, key) => {
    const peer = await transport.serveAnswer(`${HEAD}${name}: ${value}\r\n\r\n`);
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const { res, body } = await exchange({ ...peer.address, agent });
    expect(body.toString()).toBe('hello');
    expect(res.headers).toEqual(HEADERS);
    expect(res.rawTrailers.slice(0, 2)).toEqual([name, value.split('\r\n')[0]]);
    expect(Object.keys(res.trailers)).toContain(key);
    expect(res.complete).toBe(true);
    await untilIdle(agent);
    const second = await exchange({ ...peer.address, agent });
    expect(second.req.reusedSocket).toBe(true);
    expect(peer.accepted).toHaveLength(1);
  });

  it('that are a second response are an error, and no response', async () => {
    const peer = await transport.serveAnswer(`${HEAD}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`);
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    await expect(exchange({ ...peer.address, agent })).rejects.toMatchObject({ code: 'ECONNRESET' });
    await untilPoolIsEmpty(agent);
  });
});
