'use strict';

/** A peer that closes where it should not: the request or its response fails, and the agent is as good as new. */

const {
  http, sendSegments, exchange, untilPoolIsEmpty, record, until, peerHasReadAll,
} = require('../support');
const { reset } = require('../support/tls-records');
const { describeTransports } = require('../support/transports');

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

const ENDINGS = {
  closes: (socket) => socket.end(),
  resets: (socket) => socket.resetAndDestroy(),
};

/**
 * Makes a request to a peer that sends these segments and then ends the connection, and writes down all that happens.
 */
async function askOneThatEnds(transport, segments, how, expected = '') {
  let body = '';
  const peer = await transport.serveRaw((socket) => {
    socket.once('data', async () => {
      await sendSegments(socket, segments);
      // A reset takes back what the client has not read yet, or, of TLS, not decrypted.
      await until(() => peerHasReadAll(socket) && body === expected);
      ENDINGS[how](socket);
    });
  });
  const agent = await transport.agentTo(peer);
  const req = http.get({ ...peer.address, agent });
  const { events } = record(req);
  const failures = [];
  req.on('error', (error) => failures.push(error));
  const whole = new Promise((resolve) => { req.on('close', resolve); });
  let resClosed;
  req.on('response', (res) => {
    res.setEncoding('latin1');
    res.on('data', (chunk) => { body += chunk; });
    res.on('error', (error) => failures.push(error));
    resClosed = new Promise((resolve) => { res.on('close', () => resolve(res)); });
  });
  await whole;
  const res = await resClosed;
  await untilPoolIsEmpty(agent);
  return { agent, events, failures, body, res };
}

async function expectToWork(transport, agent) {
  const good = await transport.serve((_req, res) => res.end('fine'));
  expect((await exchange({ ...good.address, agent })).body.toString()).toBe('fine');
}

describeTransports('a peer', (transport) => {
  // A TLSSocket cannot be reset.
  const endings = Object.keys(ENDINGS).filter((how) => !(transport.isTls && how === 'resets'));

  describe.each(endings)('that %s', (how) => {
    it.each([
      ['before a byte', []],
      ['in the status line', ['HTTP/1.1 2']],
      ['after the status line', [OK]],
      ['in a header field', [OK, 'X-Field: va']],
      ['after a header field', [OK, 'X-Field: value\r\n']],
      ['before the last LF of the header', [`${OK}X-Field: value\r\n\r`]],
      ['after 100 Continue', ['HTTP/1.1 100 Continue\r\n\r\n']],
    ])('%s fails the request with ECONNRESET', async (_where, segments) => {
      const { agent, events, failures, res } = await askOneThatEnds(transport, segments, how);
      expect(failures.map(({ code, message }) => [code, message])).toEqual([
        ['ECONNRESET', how === 'closes' ? 'socket hang up' : 'read ECONNRESET']]);
      expect(res).toBeUndefined();
      expect(events.slice(-2)).toEqual(['req error ECONNRESET', 'req close']);
      await expectToWork(transport, agent);
    });

    it.each([
      ['after the header', [`${OK}Content-Length: 10\r\n\r\n`], ''],
      ['in a body of known length', [`${OK}Content-Length: 10\r\n\r\n`, 'hello'], 'hello'],
      ['before a chunk size', [CHUNKED], ''],
      ['in a chunk size', [`${CHUNKED}5`], ''],
      ['in a chunk', [`${CHUNKED}5\r\nhel`], 'hel'],
      ['after a chunk', [`${CHUNKED}5\r\nhello\r\n`], 'hello'],
      ['in the last chunk', [`${CHUNKED}5\r\nhello\r\n0\r\n`], 'hello'],
      ['in the trailers', [`${CHUNKED}5\r\nhello\r\n0\r\nX-Sum: 1\r\n`], 'hello'],
    ])('%s aborts the response', async (_where, segments, received) => {
      const { agent, events, body, res } = await askOneThatEnds(transport, segments, how, received);
      expect(body).toBe(received);
      expect(res.complete).toBe(false);
      expect(res.aborted).toBe(true);
      expect(res.errored).toMatchObject({ code: 'ECONNRESET', message: 'aborted' });
      expect(events).not.toContain('res end');
      const ends = ['req close', 'res aborted', 'res close', 'res error ECONNRESET'];
      expect(events.filter((event) => ends.includes(event)).sort()).toEqual(ends);
      expect(events.filter((event) => event.startsWith('req error'))).toEqual(
        how === 'closes' ? [] : ['req error ECONNRESET']);
      await expectToWork(transport, agent);
    });
  });

  it('that closes while the request is being sent fails it', async () => {
    const peer = await transport.serveRaw((socket) => socket.once('data', () => socket.destroy()));
    const agent = await transport.agentTo(peer, {}, true);
    const req = http.request({ ...peer.address, agent, method: 'POST' });
    const chunk = Buffer.alloc(65536);
    const error = await new Promise((resolve) => {
      req.on('error', resolve);
      const pump = () => {
        while (!req.destroyed && req.write(chunk)) { /* until it is full */ }
      };
      req.on('drain', pump);
      pump();
    });
    expect(error.code).toMatch(/^(ECONNRESET|EPIPE)$/);
    await untilPoolIsEmpty(agent);
    await expectToWork(transport, agent);
  });

  it('that answers and resets while the request is being sent leaves the answer or an error', async () => {
    for (let i = 0; i < 20; i++) {
      const peer = await transport.serveRaw((socket) => socket.once('data', () => {
        socket.write(`${OK}Content-Length: 4\r\nConnection: close\r\n\r\nfull`, () => socket.destroy());
      }));
      const agent = await transport.agentTo(peer, {}, true);
      const req = http.request({ ...peer.address, agent, method: 'POST' });
      let answered = false;
      let failed = false;
      req.on('response', (res) => {
        res.resume().on('end', () => { answered = true; }).on('error', () => { failed = true; });
      });
      req.on('error', () => { failed = true; });
      const closed = new Promise((resolve) => { req.on('close', resolve); });
      const chunk = Buffer.alloc(65536);
      const pump = () => {
        while (!req.destroyed && req.write(chunk)) { /* until it is full */ }
      };
      req.on('drain', pump);
      pump();
      await closed;
      expect(answered || failed).toBe(true);
      await untilPoolIsEmpty(agent);
    }
  });
});

describeTransports('a peer', (transport) => {
  it.each([
    ['of an agent that keeps none', '', false], ['of one that keeps connections', '', true],
    ['of one that may not keep this one', 'Connection: close\r\n', true],
  ])('that answers in full and resets at once fails no request %s', async (_which, field, keepAlive) => {
    // An agent has connections lent that it keeps.
    if (transport.isLent && !keepAlive) return;
    const answer = `${OK}Content-Length: 5\r\n${field}\r\nwhole`;
    const peer = await transport.serveRaw((socket) => {
      socket.once('data', () => socket.write(answer, () => reset(socket)));
    });
    for (let i = 0; i < 20; i++) {
      const agent = await transport.agentTo(peer, { keepAlive });
      const req = http.get({ ...peer.address, agent }, (res) => res.resume());
      const { events } = record(req);
      await new Promise((resolve) => { req.on('close', resolve); });
      await untilPoolIsEmpty(agent);
      expect(events).toContain('res end');
      expect(events.filter((event) => event.includes('error'))).toEqual([]);
    }
  });
}, ({ isTls }) => !isTls);
