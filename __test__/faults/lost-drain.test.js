'use strict';

/**
 * node:http takes its 'drain' listener off the socket when a keep-alive response is over before the upload is: a
 * request that waits for 'drain' waits for ever. Here the upload goes on to its end and the connection is used again.
 */

const { once } = require('node:events');
const { itOurs, http, untilIdle, exchange, pseudoRandomBytes, poolOf, until } = require('../support');
const { describeTransports } = require('../support/transports');

const SIZE = 6_000_000;

/** Uploads in pieces, each after the 'drain' for the one before; begins in earnest only when the response is over. */
async function uploadAfterResponse(req) {
  const bytes = pseudoRandomBytes(SIZE);
  let drains = 0;
  let body = '';
  const finished = once(req, 'finish');
  const ended = new Promise((resolve) => {
    req.on('response', (res) => res.on('data', (chunk) => { body += chunk; }).on('end', resolve));
  });
  req.write(bytes.subarray(0, 1000));
  await ended;
  for (let at = 1000; at < SIZE; at += 100_000) {
    if (req.write(bytes.subarray(at, at + 100_000))) continue;
    drains++;
    await once(req, 'drain');
  }
  req.end();
  await finished;
  return { drains, body };
}

/** Before Node 24.19, OutgoingMessage forgets the 'drain' that it owes for what a cork has held back. */
describeTransports('chunks beyond the high-water mark that a cork has held', (transport) => {
  itOurs.each([
    ['are not connected', 80, 100], ['are not connected', 40_000, undefined],
    ['are connected', 80, 100], ['are connected', 40_000, undefined],
    ['have sent the header', 80, 100], ['have sent the header', 40_000, undefined],
    ['have sent the header', 1_000_000, undefined],
  ])("are followed by 'drain' where they %s, 2 of %i bytes, mark %p", async (state, size, highWaterMark) => {
    const received = [];
    const peer = await transport.serve((req, res) => {
      let length = 0;
      req.on('data', (chunk) => { length += chunk.length; });
      req.on('end', () => {
        received.push(length);
        res.end();
      });
    });
    const agent = state === 'are not connected' ? transport.newAgent() : await transport.agentTo(peer);
    const req = http.request({
      ...peer.address, agent, method: 'POST', ...highWaterMark !== undefined && { highWaterMark },
    });
    if (state !== 'are not connected') await once(req, 'socket');
    if (state === 'have sent the header') req.write('x');
    req.cork();
    const answers = [req.write('a'.repeat(size)), req.write('b'.repeat(size))];
    let drains = 0;
    const drained = new Promise((resolve) => { req.on('drain', () => resolve(++drains)); });
    setImmediate(() => req.uncork());
    if (answers.includes(false)) {
      await drained;
      expect(req.writableNeedDrain).toBe(false);
    }
    req.end();
    const [res] = await once(req, 'response');
    res.resume();
    await once(res, 'close');
    expect(received).toEqual([2 * size + (state === 'have sent the header' ? 1 : 0)]);
    expect(drains).toBeLessThan(3);
    if (state === 'have sent the header') expect(answers[1]).toBe(false);
  });
}, ({ isLent }) => !isLent);

describeTransports('an upload that outlasts its response', (transport) => {
  itOurs("goes on with 'drain' and 'finish' to a server of Node", async () => {
    let received = 0;
    const whole = [];
    const peer = await transport.serve((req, res) => {
      req.on('data', (chunk) => { received += chunk.length; });
      req.on('end', () => whole.push(received));
      res.setHeader('Content-Length', 5);
      res.end('early');
    });
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'POST' });
    const { drains, body } = await uploadAfterResponse(req);
    expect(body).toBe('early');
    expect(drains).toBeGreaterThan(5);
    await untilIdle(agent);
    await until(() => whole.length === 1);
    expect(whole).toEqual([SIZE]);
    expect(poolOf(agent).freeSockets).toBe(1);
    expect((await exchange({ ...peer.address, agent })).req.reusedSocket).toBe(true);
  });

  itOurs("waits with 'drain' for a server that reads slowly", async () => {
    let received = 0;
    const peer = await transport.serveRaw((socket) => {
      let answered = false;
      socket.on('data', (chunk) => {
        received += chunk.length;
        if (!answered) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly');
        answered = true;
        socket.pause();
        setTimeout(() => socket.resume(), 1);
      });
    });
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'PUT', headers: { 'Content-Length': SIZE } });
    const { drains, body } = await uploadAfterResponse(req);
    expect(body).toBe('early');
    expect(drains).toBeGreaterThan(5);
    await untilIdle(agent);
    // 'finish' means that the kernel has taken all; the slow server need not have.
    expect(received).toBeGreaterThan(0);
  });
});
