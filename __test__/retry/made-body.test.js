'use strict';

/** Bodies that a function makes for each attempt: `retry.body`. */

const { once } = require('node:events');
const { Readable } = require('node:stream');
const http = require('../../index');
const { bytesOf, isOracle, responseTo, until, untilIdle } = require('../support');
const { describeTransports } = require('../support/transports');

const SIZE = 3_000_000;

/** A stream of many chunks. */
const stream = () => Readable.from((function* chunks() {
  for (let i = 0; i < 30; i++) yield Buffer.alloc(SIZE / 30, `${i} `);
})());

/** Makes a request to a server that resets the first connection at the first bytes, and answers 503 to the second. */
async function upload(transport, body, isLong = false) {
  const lengths = [];
  let count = 0;
  const peer = await transport.serve((req, res) => {
    if (req.url === '/warm-up') {
      res.end();
      return;
    }
    const attempt = ++count;
    if (attempt === 1) {
      req.once('data', () => req.socket.destroy()).on('error', () => {});
      return;
    }
    bytesOf(req).then((bytes) => {
      lengths.push(bytes.length);
      res.writeHead(attempt === 2 ? 503 : 200).end();
    }, () => {});
  });
  const agent = await transport.agentTo(peer, {}, isLong);
  const retry = { minTimeout: 1, body };
  return { agent, lengths, req: http.request({ ...peer.address, agent, method: 'PUT', retry }) };
}

describeTransports('the body that `retry.body` makes', (transport) => {
  it.each([
    ['a stream', stream, SIZE],
    ['an iterable', () => ['one', 'two'], 6],
    ['text', () => 'text', 4],
    ['bytes', () => Buffer.alloc(SIZE), SIZE],
  ])('is sent anew in each attempt: %s', async (_what, body, length) => {
    let made = 0;
    const { agent, lengths, req } = await upload(transport, () => {
      made++;
      return body();
    }, length === SIZE);
    let finished = 0;
    let ended = 0;
    req.on('finish', () => finished++);
    req.end(() => ended++);
    const res = await responseTo(req);
    await bytesOf(res);
    expect([res.statusCode, req.attempts, made, lengths]).toEqual([200, 3, 3, [length, length]]);
    expect([finished, ended, req.writableEnded, req.writableFinished]).toEqual([1, 1, true, true]);
    await untilIdle(agent);
  });

  it('is destroyed when its attempt is over, and with the request', async () => {
    const sources = [];
    const { req } = await upload(transport, () => {
      const source = new Readable({ read() {} });
      source.push('beginning');
      sources.push(source);
      return source;
    });
    req.end();
    await until(() => sources.length === 2);
    expect(sources[0].destroyed).toBe(true);
    const closed = new Promise((resolve) => { req.on('error', () => {}).once('close', resolve); });
    req.destroy();
    await closed;
    expect(sources[1].destroyed).toBe(true);
  });

  it('is not asked for when the user writes one, which is sent once', async () => {
    const { req } = await upload(transport, () => { throw new Error('asked'); });
    req.end('of the user');
    expect((await once(req, 'error'))[0].code).toBe('ECONNRESET');
    expect(req.attempts).toBe(1);
  });
}, () => !isOracle);

describeTransports('a body of `retry.body`', (transport) => {
  it('fails the request when it cannot be made, or breaks off', async () => {
    for (const body of [
      () => { throw new Error('no body'); },
      () => new Readable({ read() { this.destroy(new Error('no body')); } }),
    ]) {
      const { req } = await upload(transport, body);
      req.end();
      expect((await once(req, 'error'))[0].message).toBe('no body');
    }
  });
}, ({ isLent }) => !isLent && !isOracle);
