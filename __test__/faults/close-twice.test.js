'use strict';

/**
 * A request of node:http emits 'close', then its response 'end', then the request 'close' again, if the server closes
 * while a whole keep-alive response lies unread. Here each of them comes once.
 */

const { itOurs, http, record, until, responseTo, untilPoolIsEmpty, quiet } = require('../support');
const { describeTransports } = require('../support/transports');

describeTransports('a response that is whole when the server closes, and is read later', (transport) => {
  itOurs.each([
    ['of five bytes', 'Content-Length: 5\r\n\r\nhello', 'hello'],
    ['of no bytes', 'Content-Length: 0\r\n\r\n', ''],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['of 10 kB', `Content-Length: 10000\r\n\r\n${'x'.repeat(10_000)}`, 'x'.repeat(10_000)],
  ])("%s has one 'end', and its request one 'close'", async (_what, rest, body) => {
    const peer = await transport.serveRaw((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${rest}`));
    });
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent });
    const { events } = record(req);
    const res = await responseTo(req);
    await until(() => peer.accepted[0].writableFinished);
    await quiet();
    let received = '';
    res.on('data', (chunk) => { received += chunk; });
    await until(() => events.includes('res close') && events.includes('req close'));
    await quiet();
    expect(received).toBe(body);
    expect(res.complete).toBe(true);
    const count = (name) => events.filter((event) => event === name).length;
    expect({ end: count('res end'), resClose: count('res close'), reqClose: count('req close') }).toEqual(
      { end: 1, resClose: 1, reqClose: 1 });
    expect(events.filter((event) => /error|aborted/.test(event))).toEqual([]);
    await untilPoolIsEmpty(agent);
  });
});
