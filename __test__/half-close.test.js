'use strict';

/** The end of a socket's writing side, which mostly is the beginning of its own. */

const { once } = require('node:events');
const { bytesOf, exchange, http, onRequestHead, responseTo, runScript, serveRaw } = require('./support');

const ANSWER = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok';

/** A peer that answers each head, and notes how each of its connections ends. */
async function serveNoting(answer = ANSWER) {
  const ends = [];
  const peer = await serveRaw((socket) => {
    onRequestHead(socket, () => socket.write(answer));
    socket.on('end', () => {
      ends.push('end');
      socket.end();
    });
    socket.on('error', (error) => ends.push(error.code));
  });
  return { ...peer, ends };
}

describe('a socket that ends after its response', () => {
  it('ends the stream for its peer, without a reset', async () => {
    const peer = await serveNoting();
    for (let i = 0; i < 50; i++) {
      const { req, body } = await exchange({ ...peer.address, agent: false });
      expect(String(body)).toBe('ok');
      if (!req.closed) await once(req, 'close');
      expect(req.socket.writableFinished).toBe(true);
    }
    while (peer.ends.length < 50) await once(peer.accepted.find((socket) => !socket.destroyed), 'close');
    expect(new Set(peer.ends)).toEqual(new Set(['end']));
  });

  it('does not lose what was written before', async () => {
    const received = [];
    const peer = await serveRaw((socket) => {
      // Answered before the body has come.
      socket.once('data', () => socket.write(ANSWER));
      socket.on('data', (data) => received.push(data));
      socket.on('end', () => socket.end());
    });
    const body = Buffer.alloc(3_000_000, 'b');
    const headers = { 'Content-Length': body.length };
    const req = http.request({ ...peer.address, agent: false, method: 'POST', headers });
    req.write(body.subarray(0, 1_000_000));
    const res = await responseTo(req);
    req.socket.write(body.subarray(1_000_000));
    req.socket.end();
    await bytesOf(res);
    const [socket] = peer.accepted;
    if (!socket.readableEnded) await once(socket, 'end');
    const all = Buffer.concat(received).toString('latin1');
    expect(all.length - all.indexOf('\r\n\r\n') - 4).toBe(body.length);
  });

  it('is closed all the same where a listener of another one throws', async () => {
    const { stdout } = await runScript((client) => {
      const answer = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok';
      const server = require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
        socket.once('data', () => socket.write(answer));
        socket.on('end', () => socket.end());
      });
      let thrown = 0;
      process.on('uncaughtException', () => thrown++);
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        let left = 20;
        const onClose = () => {
          if (--left > 0) return;
          setImmediate(() => {
            console.log(thrown);
            process.exit();
          });
        };
        for (let i = 0; i < 40; i++) {
          const req = client.get({ port, host: '127.0.0.1', agent: false }, (res) => res.resume());
          // A socket whose own 'prefinish' throws never finishes.
          if (i % 2) req.on('socket', (socket) => socket.on('prefinish', () => { throw new Error('a listener'); }));
          else req.on('close', onClose);
        }
      });
    });
    expect(stdout).toBe('20\n');
  });
});

describe('a socket whose writing side a user ends', () => {
  it('finishes in a later turn, and reads on', async () => {
    const peer = await serveRaw((socket) => {
      socket.resume().on('end', () => socket.end(ANSWER));
    });
    const req = http.request({ ...peer.address, agent: false });
    req.end();
    const [socket] = await once(req, 'socket');
    await once(socket, 'connect');
    const order = [];
    socket.on('finish', () => order.push('finish'));
    const response = responseTo(req);
    socket.end(() => order.push('end()'));
    process.nextTick(() => order.push('tick'));
    expect(String(await bytesOf(await response))).toBe('ok');
    expect(order).toEqual(['tick', 'end()', 'finish']);
  });
});
