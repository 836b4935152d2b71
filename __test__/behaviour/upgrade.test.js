'use strict';

/** 'upgrade': after 101 the connection is a byte stream of the user's own. */

const net = require('node:net');
const { once } = require('node:events');
const { pipeline } = require('node:stream/promises');
const {
  byteByByte, bytesOf, cleanUp, http, itNative, itOurs, newAgent, onRequestHead, peerHasReadAll, poolOf,
  pseudoRandomBytes, quiet, record, responseTo, sendSegments, serveRaw, until, untilNoConnections, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

const HEADERS = { Connection: 'Upgrade', Upgrade: 'echo' };
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-A: b\r\n\r\n';

/** A peer that switches protocols, sends what `greet` gives in its segments, then echoes. */
function serveEchoOver(transport, segments = [SWITCHING]) {
  return transport.serveRaw((socket) => onRequestHead(socket, async () => {
    socket.removeAllListeners('data');
    await sendSegments(socket, segments);
    socket.pipe(socket);
  }));
}

async function upgradedOver(transport, peer, agent) {
  agent ??= await transport.agentTo(peer);
  const req = http.get({ ...peer.address, agent, headers: HEADERS });
  const [res, socket, head] = await once(req, 'upgrade');
  return { req, res, socket, head };
}

/** Reads exactly `length` bytes of a stream that does not end. */
async function read(stream, length) {
  if (length === 0) return Buffer.alloc(0);
  const chunks = [];
  let count = 0;
  await new Promise((resolve, reject) => {
    const onData = (chunk) => {
      chunks.push(chunk);
      count += chunk.length;
      if (count < length) return;
      stream.off('data', onData);
      resolve();
    };
    stream.on('data', onData).once('error', reject).once('close', () => reject(new Error('closed too early')));
  });
  return Buffer.concat(chunks);
}

describeTransports("'upgrade' while the request is being sent", (transport) => {
  it('comes before the failure of a connection that the peer has reset', async () => {
    const peer = await transport.serveRaw((socket) => socket.once('data', async () => {
      socket.pause();
      socket.write(`${SWITCHING}first`);
      await until(() => peerHasReadAll(socket));
      // With bytes unread.
      socket.destroy();
    }));
    const agent = await transport.agentTo(peer, {}, true);
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: HEADERS });
    // More than the kernel takes.
    req.end(Buffer.alloc(20_000_000));
    const [, socket, head] = await once(req, 'upgrade');
    const errors = [];
    const closed = new Promise((resolve) => { socket.once('close', resolve); });
    socket.on('error', ({ code }) => errors.push(code)).resume();
    expect(String(head)).toBe('first');
    await closed;
    expect(errors.join()).toMatch(/^(ECONNRESET|EPIPE)?$/);
  });
});

describeTransports("'upgrade'", (transport) => {
  const serveEcho = (segments) => serveEchoOver(transport, segments);
  const upgraded = (peer, agent) => upgradedOver(transport, peer, agent);

  it('has the response, the socket of the request and the head', async () => {
    const peer = await serveEcho();
    const { req, res, socket, head } = await upgraded(peer);
    expect(res).toBeInstanceOf(http.IncomingMessage);
    expect(res).toMatchObject({
      statusCode: 101, statusMessage: 'Switching Protocols', httpVersion: '1.1', upgrade: true,
      headers: { connection: 'Upgrade', upgrade: 'echo', 'x-a': 'b' },
    });
    expect(socket).toBeInstanceOf(net.Socket);
    expect(socket).toBe(req.socket);
    expect(socket.remotePort).toBe(peer.port);
    expect(Buffer.isBuffer(head)).toBe(true);
    expect(head).toHaveLength(0);
    socket.destroy();
  });

  it('is the end of the request: events in order, no response', async () => {
    const peer = await serveEcho();
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent, headers: HEADERS });
    const { events } = record(req, { socket: true });
    const [, socket] = await once(req, 'upgrade');
    await until(() => req.closed);
    expect(events.filter((event) => /^req|agentRemove/.test(event))).toEqual([
      'req socket', 'req finish', 'socket agentRemove', 'req upgrade', 'req close',
    ]);
    expect(req.destroyed).toBe(true);
    expect(socket.destroyed).toBe(false);
    await untilPoolIsEmpty(agent);
    agent.destroy();
    socket.write('still there');
    expect((await read(socket, 11)).toString()).toBe('still there');
    socket.destroy();
    await untilNoConnections(peer);
  });

  it.each([[0], [1], [5], [1000], [40000]])('has as head the %i bytes that came with the header', async (length) => {
    const bytes = pseudoRandomBytes(length);
    const peer = await serveEcho([Buffer.concat([Buffer.from(SWITCHING), bytes])]);
    const { socket, head } = await upgraded(peer);
    const rest = await read(socket, length - head.length);
    expect(Buffer.concat([head, rest]).equals(bytes)).toBe(true);
    if (length <= 1000) expect(head).toHaveLength(length);
    socket.write('more');
    expect((await read(socket, 4)).toString()).toBe('more');
    socket.destroy();
  });

  it('loses no byte and doubles none, wherever the segments end', async () => {
    const first = 'first bytes of the new protocol, of which some look like HTTP/1.1 200 OK\r\n\r\n';
    const bytes = SWITCHING + first;
    for (let at = SWITCHING.length - 5; at < bytes.length; at += 3) {
      const peer = await serveEcho([bytes.slice(0, at), bytes.slice(at)]);
      const { socket, head } = await upgraded(peer);
      const rest = await read(socket, first.length - head.length);
      expect(Buffer.concat([head, rest]).toString()).toBe(first);
      socket.destroy();
    }
  });

  it('comes byte by byte too', async () => {
    const peer = await serveEcho([...byteByByte(SWITCHING), ...byteByByte('hello')]);
    const { socket, head } = await upgraded(peer);
    expect(head).toHaveLength(0);
    expect((await read(socket, 5)).toString()).toBe('hello');
    socket.destroy();
  });

  it("is understood by Node's own server", async () => {
    const peer = await transport.serve();
    peer.server.on('upgrade', (message, socket, head) => {
      socket.write(SWITCHING);
      socket.write(head);
      socket.pipe(socket);
    });
    const { socket } = await upgraded(peer);
    socket.write('hello');
    expect((await read(socket, 5)).toString()).toBe('hello');
    socket.destroy();
  });

  it('may follow informational responses and a body that was sent', async () => {
    const peer = await transport.serveRaw((socket) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
        if (text.endsWith('body')) socket.end(`HTTP/1.1 102 Processing\r\n\r\n${SWITCHING}switched`);
      });
    });
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: HEADERS });
    const { events } = record(req);
    req.end('body');
    const [, socket, head] = await once(req, 'upgrade');
    expect(head.toString()).toBe('switched');
    expect(events).toEqual(['req socket', 'req finish', 'req information', 'req upgrade', 'req close']);
    socket.destroy();
  });

  it('does not come when the server answers something else', async () => {
    const answer = SWITCHING.replace('101', '200').replace('X-A: b', 'Content-Length: 2');
    const peer = await transport.serveAnswer(`${answer}no`);
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer), headers: HEADERS });
    const onUpgrade = jest.fn();
    req.on('upgrade', onUpgrade);
    const [res] = await once(req, 'response');
    expect((await bytesOf(res)).toString()).toBe('no');
    expect(onUpgrade).not.toHaveBeenCalled();
  });
});

describeTransports("without a listener of 'upgrade'", (transport) => {
  const serveEcho = (segments) => serveEchoOver(transport, segments);

  it('the connection is closed', async () => {
    const peer = await serveEcho();
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent, headers: HEADERS });
    const { events } = record(req);
    req.on('response', () => {});
    await until(() => req.closed);
    expect(events).toEqual(['req socket', 'req finish', 'req close']);
    await untilNoConnections(peer);
    await untilPoolIsEmpty(agent);
  });
});

describeTransports('the socket of an upgrade', (transport) => {
  // A TLSSocket cannot be reset.
  const itResets = transport.isTls ? it.skip : it;
  const serveEcho = (segments) => serveEchoOver(transport, segments);
  const upgraded = (peer, agent) => upgradedOver(transport, peer, agent);

  it('has no listener of the client left and waits for someone to read', async () => {
    const peer = await serveEcho([`${SWITCHING}a`, 'b', 'c']);
    const { socket, head } = await upgraded(peer);
    // A TLSSocket has some of its own.
    const names = ['data', 'drain', 'timeout', ...transport.isTls ? [] : ['error', 'close']];
    expect(names.filter((name) => socket.listenerCount(name) > 0)).toEqual([]);
    await quiet();
    expect(head.toString()).toBe('a');
    expect((await read(socket, 2)).toString()).toBe('bc');
    socket.destroy();
  });

  it('carries several MiB in both directions at once', async () => {
    const bytes = pseudoRandomBytes((5 << 20) + 1);
    const peer = await serveEcho();
    const { socket } = await upgraded(peer);
    const received = read(socket, bytes.length);
    for (let at = 0; at < bytes.length; at += 50000) {
      if (!socket.write(bytes.subarray(at, at + 50000))) await once(socket, 'drain');
    }
    expect((await received).equals(bytes)).toBe(true);
    socket.destroy();
  });

  it('can end its half and read on', async () => {
    const peer = await transport.serveRaw((socket) => onRequestHead(socket, async () => {
      socket.removeAllListeners('data');
      socket.write(SWITCHING);
      const all = await bytesOf(socket);
      socket.end(`got ${all}`);
    }));
    const { socket } = await upgraded(peer);
    socket.end('everything');
    expect((await bytesOf(socket)).toString()).toBe('got everything');
    await untilNoConnections(peer);
  });

  it("has 'end' and 'close' when the peer ends", async () => {
    const peer = await transport.serveRaw((socket) => onRequestHead(socket, () => socket.end(`${SWITCHING}bye`)));
    const { socket, head } = await upgraded(peer);
    const { events } = record(socket);
    socket.resume();
    await once(socket, 'close');
    expect(head.toString()).toBe('bye');
    expect(events).toEqual(expect.arrayContaining(['req end', 'req close']));
    await untilNoConnections(peer);
  });

  it("has 'end' and 'close' when the peer ends, without anybody who reads", async () => {
    for (const tail of ['', 'bye']) {
      const peer = await transport.serveRaw((socket) => onRequestHead(socket, () => socket.end(SWITCHING + tail)));
      const { socket } = await upgraded(peer);
      let ended = false;
      socket.once('end', () => { ended = true; });
      await once(socket, 'close');
      expect(ended).toBe(true);
      await untilNoConnections(peer);
    }
  });

  itResets("has 'error' ECONNRESET when the peer resets, without anybody who reads", async () => {
    const peer = await serveEcho();
    const { socket } = await upgraded(peer);
    await until(() => peer.sockets.size === 1);
    peer.accepted[0].resetAndDestroy();
    const [error] = await once(socket, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET', syscall: 'read' });
  });

  itResets("has 'error' ECONNRESET when the peer resets", async () => {
    const peer = await serveEcho();
    const { socket } = await upgraded(peer);
    socket.resume();
    await until(() => peer.sockets.size === 1);
    peer.accepted[0].resetAndDestroy();
    const [error] = await once(socket, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET', syscall: 'read' });
    expect(socket.destroyed).toBe(true);
  });

  it('holds back its peer while nobody reads', async () => {
    let sent = 0;
    const peer = await transport.serveRaw((socket) => onRequestHead(socket, async () => {
      const closed = new Promise((resolve) => { socket.once('close', resolve); });
      socket.write(SWITCHING);
      for (; sent < 64 << 20 && !socket.destroyed; sent += 65536) {
        if (socket.write(Buffer.alloc(65536))) continue;
        await Promise.race([new Promise((resolve) => { socket.once('drain', resolve); }), closed]);
      }
    }));
    const { socket } = await upgraded(peer);
    for (let before = -1; before !== sent;) {
      before = sent;
      await quiet(30);
    }
    expect(sent).toBeLessThan(32 << 20);
    expect(socket.readableLength).toBeLessThan(1 << 20);
    socket.destroy();
    await untilNoConnections(peer);
  });

  it('takes part in pipelines', async () => {
    const bytes = pseudoRandomBytes(300000);
    const peer = await transport.serveRaw((socket) => onRequestHead(socket, () => {
      socket.removeAllListeners('data');
      socket.write(SWITCHING);
      socket.pipe(socket);
    }));
    const { socket } = await upgraded(peer);
    const received = bytesOf(socket);
    await pipeline([bytes.subarray(0, 1000), bytes.subarray(1000)], socket);
    expect((await received).equals(bytes)).toBe(true);
  });

  it('can be timed out, paused and given an encoding', async () => {
    const peer = await serveEcho();
    const { socket } = await upgraded(peer);
    socket.setEncoding('utf8');
    socket.write('\u20ac');
    expect(await once(socket, 'data')).toEqual(['\u20ac']);
    socket.pause();
    expect(socket.isPaused()).toBe(true);
    socket.setTimeout(20);
    await once(socket, 'timeout');
    socket.destroy();
    await once(socket, 'close');
  });

  it('is one of many, each with its own bytes', async () => {
    const peer = await serveEcho();
    const agent = transport.newAgent({ keepAlive: true });
    await Promise.all(Array.from({ length: 30 }, async (unused, i) => {
      const bytes = pseudoRandomBytes(1000 * i + 1, i + 1);
      const { socket } = await upgraded(peer, agent);
      socket.write(bytes);
      expect((await read(socket, bytes.length)).equals(bytes)).toBe(true);
      socket.end();
      socket.resume();
      await once(socket, 'close');
    }));
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 0, requests: 0 });
    await untilNoConnections(peer);
  });
});

itOurs('an upgrade on a connection whose request has no response yet closes it, and throws nothing', () => {
  const { onUpgrade } = require('../../lib/response/response-events');
  for (const req of [null, { res: null }]) {
    const socket = { _httpMessage: req, destroy: jest.fn() };
    onUpgrade(socket, Buffer.alloc(0));
    expect(socket.destroy).toHaveBeenCalledTimes(1);
  }
});

itNative('an upgrade that waited for a paused socket arrives, also if more was written in the meantime', async () => {
  const sockets = [];
  let drains;
  const peer = await serveRaw((socket) => onRequestHead(socket, () => {
    // The I/O thread has read the answer before it can know of the pause, and JavaScript has not looked.
    const { bytesIn } = http.stats();
    sockets[0].pause();
    socket.write(`${SWITCHING}hello`);
    while (http.stats().bytesIn === bytesIn);
    drains = http.stats().drains;
  }));
  const req = http.get({ ...peer.address, headers: HEADERS, agent: false });
  cleanUp(() => req.destroy());
  req.on('socket', (socket) => sockets.push(socket));
  const upgrade = once(req, 'upgrade');
  await until(() => http.stats().drains > drains, 'the answer to be kept back');
  req.socket.write('more');
  req.socket.resume();
  const [, socket, head] = await upgrade;
  expect(String(head)).toBe('hello');
  socket.destroy();
});

itOurs('a second response that upgrades during the upload does not touch the next connection', async () => {
  const peer = await serveRaw((socket) => {
    socket.on('error', () => {});
    onRequestHead(socket, (head) => {
      const second = head.startsWith('POST') ? 'HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n' : '';
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi${second}`);
    });
  });
  for (let i = 0; i < 5; i++) {
    const req = http.request({ ...peer.address, method: 'POST', agent: newAgent() });
    req.on('error', () => {});
    req.on('response', (res) => {
      res.on('error', () => {});
      req.write('what the connection has not seen when it is asked for');
      setImmediate(() => req.destroy());
    });
    req.write('a body');
    await once(req, 'close');
    const ask = () => responseTo(http.get({ ...peer.address, agent: newAgent() }));
    const next = await Promise.all([ask(), ask(), ask()]);
    expect(next.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    for (const res of next) expect(String(await bytesOf(res))).toBe('hi');
  }
});
