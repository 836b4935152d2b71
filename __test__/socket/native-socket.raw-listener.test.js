'use strict';

/** A 'data' listener on the socket itself, added while the I/O thread has the connection. */

const {
  bytesOf, describeOurs, exchange, http, newAgent, pseudoRandomBytes, responseTo, serve, until,
} = require('../support');

describeOurs("a raw 'data' listener added in the middle of a response", () => {
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
