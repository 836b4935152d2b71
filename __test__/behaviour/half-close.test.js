'use strict';

/** The end of a socket's writing side, which mostly is the beginning of its own. */

const { once } = require('node:events');
const {
  bytesOf, exchange, http, onRequestHead, responseTo, runScript,
} = require('../support');
const { describeTransports } = require('../support/transports');
const { NativeHandle } = require('../../lib/socket/native-handle');

const ANSWER = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok';

/** A peer that answers each head, and notes how each of its connections ends. */
async function serveNoting(transport, answer = ANSWER) {
  const ends = [];
  const peer = await transport.serveRaw((socket) => {
    onRequestHead(socket, () => socket.write(answer));
    socket.on('end', () => {
      ends.push('end');
      socket.end();
    });
    socket.on('error', (error) => ends.push(error.code));
  });
  return { ...peer, ends };
}

describeTransports('a socket that ends after its response', (transport) => {
  it('ends the stream for its peer, without a reset', async () => {
    const peer = await serveNoting(transport);
    for (let i = 0; i < 50; i++) {
      const { req, body } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
      expect(String(body)).toBe('ok');
      if (!req.closed) await once(req, 'close');
      expect(req.socket.writableFinished).toBe(true);
    }
    while (peer.ends.length < 50) await once(peer.accepted.find((socket) => !socket.destroyed), 'close');
    expect(new Set(peer.ends)).toEqual(new Set(['end']));
  });

  it('does not lose what was written before', async () => {
    const received = [];
    const peer = await transport.serveRaw((socket) => {
      // Answered before the body has come.
      socket.once('data', () => socket.write(ANSWER));
      socket.on('data', (data) => received.push(data));
      socket.on('end', () => socket.end());
    });
    const body = Buffer.alloc(3_000_000, 'b');
    const headers = { 'Content-Length': body.length };
    const agent = await transport.agentTo(peer, {}, true);
    const req = http.request({ ...peer.address, agent, method: 'POST', headers });
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
});

describeTransports('a used socket that a user ends in front of a request', (transport) => {
  it('has the request fail when the peer ends too', async () => {
    const peer = await serveNoting(transport, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const agent = await transport.agentTo(peer);
    const { req: { socket } } = await exchange({ ...peer.address, agent });
    const req = http.request({ ...peer.address, agent });
    req.on('socket', () => req.socket.end());
    const failed = new Promise((resolve) => { req.on('error', resolve); });
    req.end();
    expect(await failed).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });
    expect(req.socket).toBe(socket);
  });
});

describe('a socket that ends after its response', () => {
  it('is closed all the same where a listener of another one throws', async () => {
    const { stdout } = await runScript((client) => {
      const answer = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok';
      const server = require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
        socket.once('data', () => socket.write(answer));
        socket.on('end', () => socket.end());
      });
      let thrown = 0;
      let closed = 0;
      // The last throw and the last close come in either order.
      const count = () => {
        if (thrown < 20 || closed < 20) return;
        console.log(thrown, closed);
        process.exit();
      };
      const onThrow = () => {
        thrown++;
        count();
      };
      const onClose = () => {
        closed++;
        count();
      };
      process.on('uncaughtException', onThrow);
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        for (let i = 0; i < 40; i++) {
          const req = client.get({ port, host: '127.0.0.1', agent: false }, (res) => res.resume());
          // A socket whose own 'prefinish' throws never finishes.
          if (i % 2) req.on('socket', (socket) => socket.on('prefinish', () => { throw new Error('a listener'); }));
          else req.on('close', onClose);
        }
      });
    });
    expect(stdout).toBe('20 20\n');
  });
});

describeTransports('a socket whose writing side a user ends', (transport) => {
  it('finishes in a later turn, and reads on', async () => {
    const peer = await transport.serveRaw((socket) => {
      socket.resume().on('end', () => socket.end(ANSWER));
    });
    const req = http.request({ ...peer.address, agent: await transport.agentTo(peer) });
    req.end();
    await once(req, 'finish');
    const { socket } = req;
    const order = [];
    socket.on('finish', () => order.push('finish'));
    const response = responseTo(req);
    socket.end(() => order.push('end()'));
    process.nextTick(() => order.push('tick'));
    expect(String(await bytesOf(await response))).toBe('ok');
    expect(order).toEqual(['tick', 'end()', 'finish']);
  });
});

describeTransports('a half-close and a connection that becomes one of libuv', (transport) => {
  const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';

  /** A request for another protocol, and promises of 'end' of its peer and 'finish' of its socket. */
  async function startUpgrade(answer) {
    let onEnd;
    const ended = new Promise((resolve) => { onEnd = resolve; });
    const peer = await transport.serveRaw((socket) => {
      onRequestHead(socket, () => socket.write(answer));
      socket.on('end', onEnd);
    });
    const agent = await transport.agentTo(peer, { allowHalfOpen: true });
    const req = http.request({ ...peer.address, agent, headers: { Connection: 'Upgrade', Upgrade: 'x' } });
    return { req, ended, finished: once(req, 'socket').then(([socket]) => once(socket, 'finish')) };
  }

  it('is done after an upgrade in the same read', async () => {
    const { req, ended, finished } = await startUpgrade(`HTTP/1.1 103 Early Hints\r\n\r\n${SWITCH}`);
    req.on('information', () => req.socket.end());
    const upgraded = once(req, 'upgrade');
    req.end();
    await Promise.all([upgraded, ended, finished]);
    req.socket.destroy();
  });

  it('is done after an upgrade that the I/O thread has seen before it', async () => {
    const { req, ended, finished } = await startUpgrade(`HTTP/1.1 103 Early Hints\r\n\r\n${SWITCH}`);
    req.on('information', () => {
      const { socket } = req;
      socket.end();
      if (!(socket._handle instanceof NativeHandle)) return;
      // The JavaScript thread does here what is due in the check phase, in the turn in which the descriptor comes:
      // so one batch ends the writing side of the I/O thread's connection, which is released already, and closes it.
      socket._handle.finishShutdown();
      if (transport.isLent) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    });
    const upgraded = once(req, 'upgrade');
    req.end();
    await Promise.all([upgraded, ended, finished]);
    req.socket.destroy();
  });

  it('stays done, and finishes no second time, if that was before', async () => {
    const peer = await transport.serveRaw((socket) => {
      socket.resume().on('end', () => socket.end(`${SWITCH}more`));
    });
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, headers: { Connection: 'Upgrade', Upgrade: 'x' } });
    const order = [];
    req.on('finish', () => setImmediate(() => req.socket.end()));
    req.on('socket', (socket) => {
      for (const name of ['finish', 'end', 'close']) socket.on(name, () => order.push(name));
    });
    req.end();
    const [, socket] = await once(req, 'upgrade');
    expect([socket.writable, socket.writableEnded, socket.writableFinished]).toEqual([false, true, true]);
    await once(socket.resume(), 'close');
    expect(order).toEqual(['finish', 'end', 'close']);
  });

  it("is done after a 'data' listener was added", async () => {
    const { req, ended, finished } = await startUpgrade('HTTP/1.1 103 Early Hints\r\n\r\n');
    const informed = once(req, 'information');
    // The answer, which does not come any more.
    req.on('error', () => {});
    req.end();
    await informed;
    // In one phase of the event loop, which is over, so that events are looked for, when the I/O thread has answered.
    setTimeout(() => {
      req.socket.end();
      req.socket.on('data', () => {});
    }, 20);
    setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50), 20);
    await Promise.all([ended, finished]);
    req.socket.destroy();
  });
});
