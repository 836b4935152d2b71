'use strict';

/** A request leaves nothing on its connection for the next. Releases of Node and of undici had each fault. */

const { Duplex } = require('node:stream');
const {
  bytesOf, exchange, http, itOurs, newAgent, onRequestHead, poolOf, quiet, responseTo, turnOfEventLoop, until,
  untilIdle,
} = require('../support');
const { describeTransports } = require('../support/transports');
const { https, newTlsAgent, serveTls } = require('../support/tls');

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describeTransports('a connection', (transport) => {
  it('is given back once when a response comes before its request is out', async () => {
    const peer = await transport.serveRaw((socket) => {
      socket.on('end', () => socket.end());
      socket.on('data', (chunk) => {
        if (/(GET|POST) \//.test(chunk)) socket.write(OK);
      });
    });
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    const freed = [];
    agent.on('free', (socket) => freed.push(socket));
    const options = { ...peer.address, agent };
    const req = http.request({ ...options, method: 'POST', headers: { 'Content-Length': 4 } });
    req.write('wx');
    await bytesOf(await responseTo(req));
    await quiet(3);
    expect(freed).toHaveLength(0);
    req.end('yz');
    const others = [exchange(options), exchange(options)];
    expect((await Promise.all(others)).map(({ body }) => String(body))).toEqual(['ok', 'ok']);
    await untilIdle(agent);
    expect([freed.length, new Set(freed).size]).toEqual([3, 1]);
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 1, requests: 0 });
  });

  it('keeps no listener of requests that are made and destroyed at once', async () => {
    const peer = await transport.serve((_req, res) => res.end());
    const agent = await transport.agentTo(peer);
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    const idle = () => Object.values(agent.freeSockets).flat()[0];
    const count = (socket) => socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);
    const before = count(idle());
    for (let i = 0; i < 15; i++) {
      http.request({ ...peer.address, agent }).on('error', () => {}).destroy();
      await turnOfEventLoop();
      await turnOfEventLoop();
    }
    // An agent may close, like that of the running Node, a connection whose request is called off.
    if (idle()) expect(count(idle())).toBeLessThanOrEqual(before);
  });

  const EMPTY = {
    '304 with a length': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n',
    '204 with a length': 'HTTP/1.1 204 No Content\r\nContent-Length: 44\r\n\r\n',
    '204 in chunks': 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n',
  };

  itOurs.each(Object.keys(EMPTY).flatMap((what) => [[what, 'at once'], [what, 'later']]))(
    'after %s, with a body %s all the same, does not give that to the next request', async (what, when) => {
      const forged = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged';
      const peer = await transport.serveRaw((socket, index) => {
        socket.on('end', () => socket.end()).on('error', () => {});
        onRequestHead(socket, () => {
          if (index > 0) socket.write(OK);
          else if (when === 'at once') socket.write(EMPTY[what] + forged);
          else socket.write(EMPTY[what], () => setImmediate(() => socket.write(forged)));
        });
      });
      const agent = await transport.agentTo(peer, { maxSockets: 1 });
      const options = { ...peer.address, agent };
      expect(String((await exchange(options)).body)).toBe('');
      await until(() => poolOf(agent).sockets === 0 && poolOf(agent).freeSockets === 0);
      expect(String((await exchange(options)).body)).toBe('ok');
    });

  it('survives that everything is destroyed in the middle of a chunk', async () => {
    const peer = await transport.serve((_req, res) => {
      res.write('a');
      res.end('b');
    });
    const agent = await transport.agentTo(peer);
    let destroyed = 0;
    const destroyOne = () => new Promise((resolve) => {
      const req = http.get({ ...peer.address, agent }, (res) => {
        res.on('error', () => {}).once('data', () => {
          destroyed++;
          req.destroy();
          res.socket?.destroy();
          res.destroy();
        });
      });
      req.on('error', () => {}).on('close', resolve);
    });
    await destroyOne();
    await Promise.all(Array.from({ length: 50 }, destroyOne));
    expect(destroyed).toBe(51);
    await until(() => agent.totalSocketCount === 0);
  });

  it.each([
    ['in the middle of a chunk', '5\r\nhel', false],
    ['behind a chunk', '5\r\nhello\r\n', false],
    ['before the last line', '5\r\nhello\r\n0\r\n', false],
    ['behind the last line', '5\r\nhello\r\n0\r\n\r\n', true],
  ])('that ends %s, while the reader has paused, tells whether the body is whole', async (_where, sent, isWhole) => {
    const peer = await transport.serveRaw((socket) => {
      onRequestHead(socket, () => socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${sent}`));
    });
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    req.on('error', () => {});
    const res = await responseTo(req);
    const events = [];
    for (const name of ['end', 'aborted', 'error', 'close']) res.on(name, () => events.push(name));
    res.pause();
    await quiet(5);
    res.resume();
    await until(() => events.includes('close'));
    expect([res.complete, events]).toEqual([isWhole, isWhole ? ['end', 'close'] : ['aborted', 'error', 'close']]);
  });
});

describe('options', () => {
  it.each([['http', http], ['https', https]])('are not changed by a request of %s', async (name, client) => {
    const agent = name === 'http' ? newAgent() : newTlsAgent();
    const peer = await serveTls();
    const options = Object.freeze({
      host: '127.0.0.1', port: peer.port, headers: Object.freeze({ a: 'b' }), agent, checkServerIdentity() {},
    });
    const keys = Reflect.ownKeys(options);
    const req = client.get(options).on('error', () => {});
    req.destroy();
    await until(() => req.closed);
    expect(Reflect.ownKeys(options)).toEqual(keys);
  });
});

itOurs('an error of a stream before the next tick is the request\'s, once', async () => {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, callback) => callback() });
  const errors = [];
  const req = http.request({
    createConnection() {
      process.nextTick(() => stream.emit('error', new Error('early')));
      return stream;
    },
  });
  req.on('error', ({ message }) => errors.push(message)).end();
  await until(() => req.closed);
  expect(errors).toEqual(['early']);
});
