'use strict';

/**
 * A peer (or who speaks through it) that sends more than was asked for must not have that taken for the answer to the
 * next request on the connection (https://nodejs.org/api/http.html, CWE-444). Every test lets an answer saying "poison"
 * in, and then asks again.
 */

const {
  http, untilIdle, untilPoolIsEmpty, onRequestHead, exchange, until, peerHasReadAll, sendSegments, quiet,
  record,
  isOracle, nodeIsAtLeast, poolOf, itOurs,
} = require('../support');
const { describeTransports } = require('../support/transports');

const answer = (body, more = '') => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;
const POISON = answer('poison');

// Node 20 takes the poison when it comes on an idle connection; later versions watch idle connections (and so does
// ferrequest).
const itWhereIdleIsWatched = isOracle && !nodeIsAtLeast(22) ? it.skip : it;

/** A peer that answers the first request with `first` and every other with "good". */
function servePoisoned({ serveRaw }, first) {
  let asked = 0;
  return serveRaw((socket) => {
    socket.on('end', () => socket.end());
    onRequestHead(socket, () => socket.write(asked++ === 0 ? first : answer('good'), 'latin1'));
  });
}

describeTransports('poison', (transport) => {
  /** Asks several times more; all must be told "good", on another connection. */
  async function expectGood(peer, agent, options) {
    for (let i = 0; i < 3; i++) {
      const { body } = await exchange({ ...peer.address, agent, ...options });
      expect(body.toString()).toBe('good');
    }
    expect(peer.accepted.length).toBe(2);
    agent.destroy();
    await untilPoolIsEmpty(agent);
  }

  it.each([
    ['behind a response with Content-Length', 'GET', answer('first')],
    ['behind a response in chunks', 'GET',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n'],
    ['behind an empty response', 'GET', answer('')],
    ['behind a response to HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['behind 204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['behind 304', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n'],
    ['behind an interim response and its final one', 'GET', `HTTP/1.1 103 Early Hints\r\n\r\n${answer('first')}`],
  ])('%s in the same segment is nobody\'s answer', async (_where, method, first) => {
    const peer = await servePoisoned(transport, first + POISON);
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const req = http.request({ ...peer.address, agent, method });
    const { events } = record(req);
    let body = '';
    req.on('response', (res) => res.on('data', (chunk) => { body += chunk; }));
    req.on('error', () => {});
    const closed = new Promise((resolve) => { req.on('close', resolve); });
    req.end();
    await closed;
    expect(body).not.toContain('poison');
    expect(events.filter((event) => event === 'req response')).toHaveLength(1);
    await untilIdle(agent);
    await expectGood(peer, agent);
  });

  // Node takes what is left of the poison for the beginning of the next answer: a parse error, or on Node 20 a whole
  // answer.
  itOurs('that begins in the same segment and goes on in the next is nobody\'s answer', async () => {
    const peer = await transport.serveRaw((socket, index) => {
      socket.on('end', () => socket.end());
      onRequestHead(socket, () => {
        if (index > 0) socket.write(answer('good'));
        else sendSegments(socket, [answer('first') + POISON.slice(0, 20), POISON.slice(20)]);
      });
    });
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    await expectGood(peer, agent);
  });

  itWhereIdleIsWatched.each([
    ['a whole answer', POISON],
    ['the beginning of an answer', 'HTTP/1.1 200 OK\r\nX-Eaten: '],
    ['a single byte', 'H'],
    ['an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['empty lines', '\r\n\r\n'],
    ['a megabyte', 'x'.repeat(1_000_000)],
  ])('that comes when the connection is idle, as %s, retires it at once', async (_what, poison) => {
    const peer = await servePoisoned(transport, answer('first'));
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const { req } = await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    const { socket } = req;
    const errors = [];
    socket.on('error', (error) => errors.push(error));
    peer.accepted[0].on('error', () => {});
    peer.accepted[0].write(poison);
    await until(() => socket.destroyed && poolOf(agent).freeSockets === 0);
    expect(errors).toEqual([]);
    await expectGood(peer, agent);
  });

  it('that waits in the segment of the last byte of a slow response is nobody\'s answer', async () => {
    const peer = await transport.serveRaw((socket, index) => {
      socket.on('end', () => socket.end());
      onRequestHead(socket, () => {
        if (index > 0) socket.write(answer('good'));
        else sendSegments(socket, ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'firs', `t${POISON}`]);
      });
    });
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const { body } = await exchange({ ...peer.address, agent });
    expect(body.toString()).toBe('first');
    await untilIdle(agent);
    await expectGood(peer, agent);
  });

  it('that comes while a next request waits in the queue is not its answer', async () => {
    const peer = await servePoisoned(transport, answer('first') + POISON);
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const bodies = await Promise.all([1, 2, 3].map(async () => {
      try {
        return (await exchange({ ...peer.address, agent })).body.toString();
      } catch (error) {
        return error.code;
      }
    }));
    expect(bodies).toEqual([expect.stringMatching(/^(first|HPE_INVALID_CONSTANT)$/), 'good', 'good']);
  });

  it('in a body that says its length is data, and only that', async () => {
    const peer = await servePoisoned(transport, answer(`first${POISON}`));
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const { body } = await exchange({ ...peer.address, agent });
    expect(body.toString()).toBe(`first${POISON}`);
    await untilIdle(agent);
    expect((await exchange({ ...peer.address, agent })).body.toString()).toBe('good');
    expect(peer.accepted.length).toBe(1);
  });

  it('as a second answer to an upload that goes on is nobody\'s answer', async () => {
    const peer = await servePoisoned(transport, answer('first'));
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: { 'Content-Length': 10 } });
    req.on('error', () => {});
    let body = '';
    const ended = new Promise((resolve) => {
      req.on('response', (res) => {
        res.on('data', (chunk) => { body += chunk; }).on('end', resolve).on('error', () => {});
      });
    });
    req.write('hello');
    await ended;
    expect(body).toBe('first');
    const socket = peer.accepted[0];
    socket.on('error', () => {});
    socket.write(POISON);
    await until(() => peerHasReadAll(socket));
    req.end('world');
    await until(() => req.closed || req.destroyed);
    await quiet(3);
    const { body: second } = await exchange({ ...peer.address, agent });
    expect(second.toString()).toBe('good');
  });
});
