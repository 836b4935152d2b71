'use strict';

/** A listener of bytes on the socket itself, added while the I/O thread has the connection. */

const {
  bytesOf, describeNative, exchange, http, isOracle, MORE_THAN_KERNEL_HOLDS, newAgent, onRequestHead, pseudoRandomBytes,
  responseTo, serve, until,
} = require('../support');
const { describeTransports } = require('../support/transports');

describeNative("a raw 'data' listener added in the middle of a response", () => {
  it('undoes neither its backpressure nor its decoding', async () => {
    const body = pseudoRandomBytes(1 << 20);
    const total = 48 * body.length;
    let sent = 0;
    const peer = await serve((req, res) => {
      if (req.url !== '/large') return res.end('small');
      res.setHeader('Content-Length', total);
      const go = () => {
        while (sent < total) {
          sent += body.length;
          if (!res.write(body)) return res.once('drain', go);
        }
        return res.end();
      };
      return go();
    });
    const agent = newAgent({ keepAlive: true });
    const req = http.get({ ...peer.address, path: '/large', agent });
    const res = await responseTo(req);
    res.pause();
    res.on('data', () => {});
    const raw = [];
    req.socket.on('data', (chunk) => raw.push(chunk));

    // As long as anything moves, requests on other connections are answered in between.
    let before = -1;
    await until(async () => {
      const same = sent === before;
      before = sent;
      for (let i = 0; i < 20; i++) await exchange({ ...peer.address, agent });
      return same;
    }, 'the server to be stopped');
    expect(sent).toBeLessThan(total);
    expect(req.socket.bytesRead).toBeLessThan(2 << 20);

    res.resume();
    const bytes = await bytesOf(res);
    expect(bytes.length).toBe(total);
    expect(bytes.subarray(-body.length).equals(body)).toBe(true);
    expect(raw).toEqual([]);
  });
});

describeTransports("a listener of bytes that is added in 'socket'", (transport) => {
  it.each([
    ['on', 'data', true],
    ['once', 'data', true],
    ['addListener', 'data', true],
    ['prependListener', 'data', true],
    ['prependOnceListener', 'data', true],
    ['once', 'readable', true],
    // Nothing makes the stream readable for such a one: the client's own listener of 'data' has it flow.
    ['prependListener', 'readable', false],
    ['prependOnceListener', 'readable', false],
  ])('by %s(%j): it hears them: %j, and the request its response', async (method, event, hears) => {
    const peer = await transport.serveAnswer('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody');
    const agent = await transport.agentTo(peer, {}, hears && !isOracle);
    for (let i = 0; i < 2; i++) {
      const req = http.get({ ...peer.address, agent });
      let heard = 0;
      req.on('socket', (socket) => socket[method](event, () => heard++));
      const res = await responseTo(req);
      expect(String(await bytesOf(res))).toBe('body');
      expect(heard > 0).toBe(hears);
      await until(() => Object.keys(agent.sockets).length === 0);
      req.socket.removeAllListeners(event);
    }
  });

  it.each([
    ["'socket'", (req, listen) => req.on('socket', listen)],
    ["'drain', when much is written", (req, listen) => req.once('drain', () => listen(req.socket))],
  ])('or in %s: it hinders no upload that the peer sends back meanwhile', async (_when, whenDue) => {
    const peer = await transport.serve((req, res) => req.pipe(res));
    const agent = await transport.agentTo(peer, {}, !isOracle);
    const req = http.request({ ...peer.address, agent, method: 'POST' });
    whenDue(req, (socket) => socket.on('data', () => {}));
    const response = responseTo(req);
    const piece = Buffer.alloc(MORE_THAN_KERNEL_HOLDS / 4, 'x');
    for (let i = 0; i < 4; i++) req.write(piece);
    req.end();
    expect((await bytesOf(await response)).length).toBe(MORE_THAN_KERNEL_HOLDS);
  });

  it('keeps no early answer from an upload that the peer does not read', async () => {
    const peer = await transport.serveRaw((socket) => onRequestHead(socket, (head) => {
      if (head.startsWith('POST')) socket.pause();
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
    }));
    const req = http.request({ ...peer.address, agent: await transport.agentTo(peer, {}, !isOracle), method: 'POST' });
    req.on('socket', (socket) => socket.on('data', () => {}));
    const response = responseTo(req);
    req.end(Buffer.alloc(MORE_THAN_KERNEL_HOLDS));
    const res = await response;
    expect([res.statusCode, String(await bytesOf(res))]).toEqual([413, 'no']);
  });
});
