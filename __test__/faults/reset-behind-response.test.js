'use strict';

/**
 * A peer that closes with bytes unread resets the connection behind its response. With node:http, the request of a
 * reader who is still busy with the whole response fails then, unless libuv finds the reset together with the response.
 */

const { once } = require('node:events');

const { bytesOf, http, isOracle, onRequestHead, peerHasReadAll, responseTo, until } = require('../support');
const { describeTransports } = require('../support/transports');

const WHOLE = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole';

describeTransports('a request', (transport) => {
  it('whose response is whole hears of no error when the peer resets the connection before it is read', async () => {
    let mayReset = false;
    const peer = await transport.serveRaw((socket) => onRequestHead(socket, async () => {
      socket.write(WHOLE);
      await until(() => mayReset && peerHasReadAll(socket));
      // A TLSSocket cannot be reset, but the connection beneath can.
      if (transport.isTls) socket._handle._parent.reset(() => socket.destroy());
      else socket.resetAndDestroy();
    }));
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent });
    const errors = [];
    const res = await responseTo(req);
    req.on('error', (error) => errors.push(error));
    const closed = once(req.socket, 'close');
    await until(() => res.complete);
    mayReset = true;
    await closed;
    expect(String(await bytesOf(res))).toBe('whole');
    expect(errors).toEqual([]);
  });

  it('that is not written to its end fails all the same', async () => {
    const peer = await transport.serveRaw((socket) => socket.once('data', async () => {
      socket.pause();
      socket.write(WHOLE);
      await until(() => peerHasReadAll(socket));
      // With bytes unread.
      socket.destroy();
    }));
    const agent = await transport.agentTo(peer, {}, true);
    const req = http.request({ ...peer.address, agent, method: 'POST' });
    const failed = new Promise((resolve) => { req.on('error', resolve); });
    // More than the kernel takes.
    req.end(Buffer.alloc(20_000_000));
    const res = await responseTo(req);
    expect(String(await bytesOf(res))).toBe('whole');
    expect((await failed).code).toMatch(/^(ECONNRESET|EPIPE)$/);
  });
}, ({ isStream }) => !isStream && !isOracle);
