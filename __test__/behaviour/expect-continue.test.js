'use strict';

/** Expect: 100-continue (RFC 9110, 10.1.1): the header goes out at once, the body waits for 'continue'. */

const { once } = require('node:events');
const {
  bytesOf, http, pseudoRandomBytes, quiet, record, responseTo, until,
} = require('../support');
const { describeTransports } = require('../support/transports');

const EXPECT = { Expect: '100-continue' };

describeTransports('a request that expects 100-continue', (transport) => {
  it('sends its header as soon as it is made, which is then fixed', async () => {
    const peer = await transport.serveWire(() => false);
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: EXPECT });
    req.on('error', () => {});
    expect(req.headersSent).toBe(true);
    expect(() => req.setHeader('X', 'y')).toThrow(expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' }));
    await until(() => peer.wire().endsWith('\r\n\r\n'));
    expect(peer.wire()).toMatch(/^POST \/ HTTP\/1\.1\r\nExpect: 100-continue\r\n/);
    req.destroy();
  });

  it.each([
    ['chunks', {}], ['a known length', { 'Content-Length': 200000 }],
  ])("sends its body in %s after 'continue', to Node's own server", async (_, headers) => {
    const body = pseudoRandomBytes(200000);
    const peer = await transport.serve(async (req, res) => res.end(await bytesOf(req)));
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: { ...EXPECT, ...headers } });
    const { events } = record(req);
    const response = responseTo(req);
    await once(req, 'continue');
    expect(events).toEqual(['req socket', 'req continue', 'req information']);
    req.end(body);
    expect((await bytesOf(await response)).equals(body)).toBe(true);
  });

  it('gets no body over the wire before that', async () => {
    let go;
    const peer = await transport.serve(async (req, res) => res.end(await bytesOf(req)));
    peer.server.on('checkContinue', (req, res) => {
      go = () => {
        res.writeContinue();
        peer.server.emit('request', req, res);
      };
    });
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: EXPECT });
    const response = responseTo(req);
    req.once('continue', () => req.end('body'));
    await until(() => go);
    await quiet();
    const before = peer.accepted[0].bytesRead;
    go();
    expect((await bytesOf(await response)).toString()).toBe('body');
    expect(peer.accepted[0].bytesRead - before).toBe('4\r\nbody\r\n0\r\n\r\n'.length);
  });

  it('may be answered without continuing, and end without a body', async () => {
    const peer = await transport.serve();
    peer.server.on('checkContinue', (req, res) => res.writeHead(417, { Connection: 'close' }).end('no'));
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: EXPECT });
    const onContinue = jest.fn();
    req.on('continue', onContinue);
    const res = await responseTo(req);
    expect(res.statusCode).toBe(417);
    expect((await bytesOf(res)).toString()).toBe('no');
    expect(onContinue).not.toHaveBeenCalled();
    req.destroy();
  });

  it('may send its body without waiting', async () => {
    const peer = await transport.serve(async (req, res) => res.end(await bytesOf(req)));
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: EXPECT });
    const onContinue = jest.fn();
    req.on('continue', onContinue);
    const response = responseTo(req);
    req.write('im');
    req.end('patient');
    expect((await bytesOf(await response)).toString()).toBe('impatient');
    expect(onContinue).toHaveBeenCalledTimes(1);
  });

  it('can be reused for, again and again, on one connection', async () => {
    const peer = await transport.serve(async (req, res) => res.end(await bytesOf(req)));
    const agent = await transport.agentTo(peer);
    for (let i = 0; i < 20; i++) {
      const req = http.request({ ...peer.address, agent, method: 'PUT', headers: EXPECT });
      req.once('continue', () => req.end(`body ${i}`));
      expect((await bytesOf(await responseTo(req))).toString()).toBe(`body ${i}`);
      await until(() => req.closed);
    }
    expect(peer.accepted).toHaveLength(1);
  });

  it("gets 'continue' also for an unasked 100, once for each", async () => {
    const peer = await transport.serveRaw((socket) => socket.once('data', () => {
      socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n');
    }));
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    const onContinue = jest.fn();
    req.on('continue', onContinue);
    (await responseTo(req)).resume();
    expect(onContinue).toHaveBeenCalledTimes(2);
  });
});
