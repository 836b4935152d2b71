'use strict';

/** The callbacks of writes, 'finish' and 'response' come in the order of what they tell of. */

const { once } = require('node:events');
const { Duplex } = require('node:stream');
const { bytesOf, describeOurs, exchange, http, newAgent, responseTo, runScript, serve, until } = require('../support');

/** A server that answers with the number of bytes that it got. */
const serveCounting = () => serve((req, res) => {
  let count = 0;
  req.on('data', (data) => { count += data.length; }).on('end', () => res.end(String(count)));
});

describe('an upload', () => {
  it('goes on behind an empty write that ends a batch, whose callback is called', async () => {
    const peer = await serveCounting();
    const headers = { 'Content-Length': 400_010 };
    const req = http.request({ ...peer.address, agent: newAgent(), method: 'POST', headers });
    req.write(Buffer.alloc(200_000));
    req.write(Buffer.alloc(200_000));
    await new Promise((resolve) => { req.write(Buffer.alloc(0), resolve); });
    req.end('0123456789');
    expect(String(await bytesOf(await responseTo(req)))).toBe('400010');
  });

  it('is finished before its response is told, however fast that is', async () => {
    // In a process of its own, where ticks can run between two events of one batch.
    const { stdout } = await runScript((client) => {
      const server = require('node:http').createServer((req, res) => req.resume().on('end', () => res.end('ok')));
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        const agent = new client.Agent({ keepAlive: true, maxSockets: 8 });
        const body = Buffer.alloc(1_500_000);
        const counts = { early: 0, done: 0, started: 0 };
        const next = () => {
          counts.started++;
          let finished = false;
          const req = client.request({ port, host: '127.0.0.1', agent, method: 'POST' }, (res) => {
            if (!finished) counts.early++;
            res.resume();
          });
          req.on('finish', () => { finished = true; });
          req.on('close', () => {
            if (++counts.done === 400) {
              console.log(counts.early);
              process.exit();
            }
            if (counts.started < 400) next();
          });
          req.setHeader('Content-Length', body.length);
          req.end(body);
        };
        for (let i = 0; i < 8; i++) next();
      });
    });
    expect(stdout).toBe('0\n');
  });

  it('calls back in the order of its writes, those before and behind the socket alike', async () => {
    const peer = await serveCounting();
    for (let round = 0; round < 10; round++) {
      const calls = [];
      const note = (name) => () => calls.push(name);
      const req = http.request({ ...peer.address, agent: newAgent(), method: 'POST' });
      req.on('finish', note('finish'));
      for (let i = 0; i < 3; i++) req.write(Buffer.alloc(1000), note(i));
      await once(req, 'socket');
      for (let i = 3; i < 6; i++) req.write(Buffer.alloc(1000), note(i));
      req.end(note('end'));
      await bytesOf(await responseTo(req));
      expect(calls.slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(calls.slice(6).sort()).toEqual(['end', 'finish']);
    }
  });
});

describeOurs('an idle stream whose readable side has ended', () => {
  it('is closed and no longer counts, also if it is open for half', async () => {
    const sockets = [];
    class HalfOpenAgent extends http.Agent {
      createConnection() {
        const socket = new Duplex({
          read() {},
          write(chunk, encoding, callback) {
            callback();
            setImmediate(() => this.push('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
          },
        });
        Object.assign(socket, { setTimeout() {}, setKeepAlive() {}, ref() {}, unref() {} });
        sockets.push(socket);
        return socket;
      }
    }
    const agent = new HalfOpenAgent({ keepAlive: true, maxTotalSockets: 2 });
    for (let i = 0; i < 5; i++) {
      // Node's own uses a socket once more of which it knows that the peer has closed it.
      const { body } = await exchange({ agent, host: 'x', port: 1 });
      expect(String(body)).toBe('ok');
      await until(() => Object.keys(agent.sockets).length === 0);
      sockets.at(-1).push(null);
      await new Promise(setImmediate);
    }
    agent.destroy();
    await until(() => agent.totalSocketCount === 0);
  });
});
