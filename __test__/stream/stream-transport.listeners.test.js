'use strict';

/** Sockets that JavaScript reads from, such as those of TLS, from one request to the next. */

const { AsyncLocalStorage } = require('node:async_hooks');
const { once } = require('node:events');
const nodeHttps = require('node:https');
const net = require('node:net');
const { bytesOf, cleanUp, poolOf, responseTo, until, untilIdle } = require('../support');
const { certificates, exchangeTls, https, newNodeTlsAgent, serveTls } = require('../support/tls');

const OURS = ['data', 'end', 'close', 'error', 'drain'];

/** An agent with one idle connection, which has served two requests. */
async function warmConnection(handler = (req, res) => req.pipe(res)) {
  const peer = await serveTls(handler);
  const agent = newNodeTlsAgent({ keepAlive: true, maxSockets: 1 });
  const options = { ...peer.address, agent };
  for (let i = 0; i < 2; i++) {
    await exchangeTls({ ...options, method: 'POST', body: 'warm' });
    await untilIdle(agent);
  }
  const [[socket]] = Object.values(agent.freeSockets);
  return { agent, options, peer, socket };
}

/** Forwards TCP to a port, and gives the lengths of the TLS records of application data that go there. */
async function relayTo(port) {
  const lengths = [];
  const relay = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1');
    let waiting = Buffer.alloc(0);
    near.on('data', (chunk) => {
      waiting = Buffer.concat([waiting, chunk]);
      // RFC 8446, section 5.1: type, version, length.
      while (waiting.length >= 5 && waiting.length >= 5 + waiting.readUInt16BE(3)) {
        if (waiting[0] === 23) lengths.push(waiting.readUInt16BE(3));
        waiting = waiting.subarray(5 + waiting.readUInt16BE(3));
      }
    });
    near.pipe(far).pipe(near);
    for (const end of [near, far]) {
      end.on('error', () => end.destroy());
      cleanUp(() => end.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  cleanUp(() => relay.close());
  return { lengths, port: relay.address().port };
}

describe('a TLS connection that serves one request after the other', () => {
  it('neither adds nor removes listeners for each of them', async () => {
    const { options, socket } = await warmConnection();
    const changes = [];
    socket.on('newListener', (name) => changes.push(`+${name}`));
    socket.on('removeListener', (name) => changes.push(`-${name}`));
    for (const sent of ['a', 'b', 'c']) {
      const { body } = await exchangeTls({ ...options, method: 'POST', body: sent });
      expect(String(body)).toBe(sent);
    }
    // That of 'data' comes and goes: see below.
    expect(changes.filter((change) => OURS.includes(change.slice(1)) && change.slice(1) !== 'data')).toEqual([]);
  });

  it('has a listener of \'data\' until the response is whole, and a response that is cut leaves it there', async () => {
    const peer = await serveTls((req, res) => {
      res.write('some');
      if (req.url === '/cut') setImmediate(() => req.socket.destroy());
      else setImmediate(() => res.end('more'));
    });
    const agent = newNodeTlsAgent({ keepAlive: true });
    const seen = [];
    for (const path of ['/', '/', '/cut']) {
      const req = https.get({ ...peer.address, agent, path });
      const res = await responseTo(req);
      const { socket } = req;
      const note = (when) => seen.push([path, when, socket.listenerCount('data')]);
      note('response');
      res.on('end', () => note('end')).on('error', () => {}).on('close', () => note('close')).resume();
      await until(() => res.closed);
      if (path === '/') await untilIdle(agent);
      note('then');
    }
    const whole = [['/', 'response', 1], ['/', 'end', 0], ['/', 'close', 0], ['/', 'then', 0]];
    expect(seen).toEqual([...whole, ...whole, ['/cut', 'response', 1], ['/cut', 'close', 1], ['/cut', 'then', 1]]);
  });

  it('is closed by bytes that come while it is idle, of which the user may hear', async () => {
    const { options, peer, socket } = await warmConnection();
    let heard = '';
    socket.on('data', (chunk) => { heard += chunk.toString('latin1'); });
    const closed = once(socket, 'close');
    peer.accepted[0].write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged');
    await closed;
    expect(heard).toContain('forged');
    expect(String((await exchangeTls({ ...options, method: 'POST', body: 'real' })).body)).toBe('real');
  });

  it('has the push() of the user\'s, and its own back after an upgrade', async () => {
    const { agent, options, peer, socket } = await warmConnection();
    const pushed = [];
    const { push } = socket;
    socket.push = function countingPush(...args) {
      pushed.push(args[0]?.length);
      return push.apply(this, args);
    };
    expect(String((await exchangeTls({ ...options, method: 'POST', body: 'counted' })).body)).toBe('counted');
    expect(pushed.length).toBeGreaterThan(0);
    await untilIdle(agent);
    peer.server.on('upgrade', (req, connection) => {
      connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      connection.pipe(connection);
    });
    const req = https.get({ ...options, headers: { Connection: 'Upgrade', Upgrade: 'echo' } });
    const [, upgraded] = await once(req, 'upgrade');
    expect(upgraded).toBe(socket);
    const before = pushed.length;
    upgraded.write('mine');
    expect(String((await once(upgraded, 'data'))[0])).toBe('mine');
    expect(pushed.length).toBeGreaterThan(before);
    upgraded.destroy();
  });

  it('lets the user hear the bytes too, of one request or of all', async () => {
    const { agent, options, socket } = await warmConnection();
    let all = '';
    socket.on('data', (chunk) => { all += chunk.toString('latin1'); });
    for (const body of ['first', 'second']) {
      let one = '';
      const onData = (chunk) => { one += chunk.toString('latin1'); };
      socket.on('data', onData);
      expect(String((await exchangeTls({ ...options, method: 'POST', body })).body)).toBe(body);
      socket.removeListener('data', onData);
      expect(one).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(one).toContain(body);
      await untilIdle(agent);
    }
    expect(all.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  });

  it.each(OURS)('goes on after the user has removed all listeners of %j', async (name) => {
    const { options, socket } = await warmConnection();
    socket.removeAllListeners(name);
    const { body, req } = await exchangeTls({ ...options, method: 'POST', body: 'still' });
    expect([String(body), req.socket === socket]).toEqual(['still', true]);
  });

  it('tells each request of its own events, in its own async context', async () => {
    const { options, socket } = await warmConnection();
    const storage = new AsyncLocalStorage();
    const seen = await Promise.all(['a', 'b', 'c'].map((id) => storage.run(id, async () => {
      const req = https.request({ ...options, method: 'POST' });
      const names = [];
      for (const name of ['socket', 'finish', 'response', 'close']) {
        req.on(name, () => names.push(`${name} ${storage.getStore()}`));
      }
      req.end(id);
      const res = await responseTo(req);
      res.on('end', () => names.push(`end ${storage.getStore()}`));
      const body = await bytesOf(res);
      await until(() => names.length === 5);
      return [String(body), req.socket === socket, names.sort().join()];
    })));
    expect(seen).toEqual(['a', 'b', 'c'].map((id) => {
      return [id, true, ['close', 'end', 'finish', 'response', 'socket'].map((name) => `${name} ${id}`).join()];
    }));
  });

  it('is closed by an error while it is idle, which nobody has to hear', async () => {
    const { agent, options, socket } = await warmConnection();
    const { req } = await exchangeTls({ ...options, method: 'POST', body: 'last' });
    const errors = [];
    req.on('error', (error) => errors.push(error));
    await untilIdle(agent);
    socket.destroy(new Error('nobody hears this'));
    await until(() => poolOf(agent).freeSockets === 0);
    expect([errors, socket.destroyed]).toEqual([[], true]);
  });

  it('is closed by bytes that come with the end of a response', async () => {
    const { options, socket } = await warmConnection((req, res) => {
      if (req.method === 'POST') req.pipe(res);
      else req.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200');
    });
    const closed = once(socket, 'close');
    expect(String((await exchangeTls(options)).body)).toBe('ok');
    await closed;
  });

  it('belongs to the user alone after an upgrade', async () => {
    const { options, peer, socket } = await warmConnection();
    peer.server.on('upgrade', (req, connection) => {
      connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhead');
      connection.pipe(connection);
    });
    const req = https.get({ ...options, headers: { Connection: 'Upgrade', Upgrade: 'echo' } });
    const [, upgraded, head] = await once(req, 'upgrade');
    expect([upgraded === socket, String(head), socket.readableFlowing]).toEqual([true, 'head', null]);
    expect(['data', 'drain', 'timeout'].map((name) => socket.listenerCount(name))).toEqual([0, 0, 0]);
    expect(Object.hasOwn(socket, 'push')).toBe(false);
    expect(OURS.flatMap((name) => socket.listeners(name)).map(({ name }) => name))
      .not.toEqual(expect.arrayContaining([expect.stringMatching(/^onSocket(Data|End|Close|Error|Drain)$/)]));
    socket.write('mine');
    const [echo] = await once(socket, 'data');
    expect(String(echo)).toBe('mine');
    socket.destroy();
  });

  it('serves requests of Node\'s own client in between', async () => {
    const { agent, options, socket } = await warmConnection();
    const req = nodeHttps.request({ ...options, method: 'POST' });
    req.end('of Node');
    expect(String(await bytesOf(await responseTo(req)))).toBe('of Node');
    expect(req.socket).toBe(socket);
    await untilIdle(agent);
    for (const body of ['ours', 'again']) {
      expect(String((await exchangeTls({ ...options, method: 'POST', body })).body)).toBe(body);
      await untilIdle(agent);
    }
    expect(Object.values(agent.freeSockets)).toEqual([[socket]]);
  });

  it('ends a request of Node\'s own client once, if it ends', async () => {
    const { agent, options, socket } = await warmConnection((req, res) => {
      if (req.method === 'POST') req.pipe(res);
      else req.socket.end();
    });
    const req = nodeHttps.get(options);
    const errors = [];
    req.on('error', (error) => errors.push(error.code));
    await until(() => req.closed);
    await until(() => poolOf(agent).sockets === 0);
    expect([errors, req.socket === socket, socket.destroyed]).toEqual([['ECONNRESET'], true, true]);
  });
});

describe('a header and a small body', () => {
  it.each(['text', Buffer.from('bytes')])('go out in one TLS record (%p)', async (body) => {
    const peer = await serveTls((req, res) => req.pipe(res));
    const { lengths, port } = await relayTo(peer.address.port);
    const agent = newNodeTlsAgent({ keepAlive: true, ca: certificates.ca });
    const options = { ...peer.address, port, agent, method: 'POST', headers: { 'Content-Length': body.length } };
    await exchangeTls({ ...options, body });
    await untilIdle(agent);
    const before = lengths.length;
    expect(String((await exchangeTls({ ...options, body })).body)).toBe(String(body));
    expect(lengths.length - before).toBe(1);
  });
});
