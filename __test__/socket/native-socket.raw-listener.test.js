'use strict';

/** A listener of bytes on the socket itself, added while the I/O thread has the connection. */

const {
  bytesOf, describeNative, exchange, http, isOracle, newAgent, pseudoRandomBytes, responseTo, serve,
  until,
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
});
