'use strict';

/** Errors of a request tell what has happened to it, and look as Node's own. */

const util = require('node:util');
const { describeOurs, http, newAgent, responseTo, serveAnswer, unusedPort } = require('../support');
const { describeTransports } = require('../support/transports');

/** @returns {Promise<Error>} what a request fails with */
function failureOf(req) {
  return new Promise((resolve) => { req.once('error', resolve); });
}

const TOLD = ['phase', 'host', 'port', 'method', 'path', 'reusedSocket', 'attempts', 'timings'];

describeOurs('an error', () => {
  describeTransports('of an exchange', (transport) => {
    it('tells who hung up, and when', async () => {
      const peer = await transport.serveRaw((socket) => socket.once('data', () => socket.end()));
      const agent = await transport.agentTo(peer);
      const req = http.get({ ...peer.address, agent, path: '/path', method: 'PUT' });
      const error = await failureOf(req);
      expect(error).toMatchObject({ message: 'socket hang up', code: 'ECONNRESET', phase: 'response', host: '127.0.0.1',
        port: peer.port, method: 'PUT', path: '/path', reusedSocket: transport.isLent, attempts: 1 });
      expect(error.timings).toBe(req.timings);
      expect(error.timings.error).toBeGreaterThan(0);
      // As Node's own to whoever prints or compares it.
      expect(Object.keys(error)).toEqual(['code']);
      for (const name of TOLD) expect(util.inspect(error)).not.toContain(`${name}:`);
    });

    it('of a response tells that it was read', async () => {
      const peer = await transport.serveRaw((socket) => {
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345'));
      });
      const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
      req.on('error', () => {});
      const error = await failureOf((await responseTo(req)).resume());
      expect(error).toMatchObject({ message: 'aborted', phase: 'read', port: peer.port, method: 'GET' });
      expect(Object.keys(error)).toEqual(['code']);
    });

    it('of a header that is too long tells the limit, and how much has come', async () => {
      const pieces = ['HTTP/1.1 200 OK\r\n', `A: ${'x'.repeat(200)}\r\n`, `B: ${'x'.repeat(200)}\r\n\r\n`];
      const peer = await transport.serveAnswer(pieces);
      const req = http.get({ ...peer.address, agent: await transport.agentTo(peer), maxHeaderSize: 300 });
      const error = await failureOf(req);
      expect(error).toMatchObject({ message: 'Parse Error: Header overflow', limit: 300, phase: 'response' });
      expect(error.size).toBe(pieces.join('').length);
      expect(Object.keys(error).sort()).toEqual(['bytesParsed', 'code', 'rawPacket', 'reason']);
    });
  });

  describeTransports('of a connection', (transport) => {
    const lookup = (_name, _options, callback) => {
      setImmediate(callback, null, [{ address: '127.0.0.1', family: 4 }, { address: '127.0.0.2', family: 4 }]);
    };

    it('that is refused keeps its own address and port', async () => {
      const port = await unusedPort();
      const agent = transport.newAgent();
      const error = await failureOf(http.get({ host: '127.0.0.1', port, agent, protocol: agent.protocol }));
      expect(error).toMatchObject({ address: '127.0.0.1', port, host: '127.0.0.1', phase: 'connect' });
      expect(error.message).toBe(`connect ECONNREFUSED 127.0.0.1:${port}`);
      expect(Object.keys(error).sort()).toEqual(['address', 'code', 'errno', 'port', 'syscall']);
    });

    it('to several addresses names each of them, with the reason', async () => {
      const port = await unusedPort();
      const agent = transport.newAgent({ autoSelectFamily: true, lookup });
      const error = await failureOf(http.get({ host: 'name.test', port, agent, protocol: agent.protocol }));
      const reasons = ['127.0.0.1', '127.0.0.2'].map((address) => `connect ECONNREFUSED ${address}:${port}`);
      expect(error.name).toBe('AggregateError');
      expect(error.message).toBe(`No connection to name.test:${port}: ${reasons.join('; ')}`);
      // Node puts the code there, except in the realm of a test.
      expect(error.stack.split('\n')[0].replace(' [ECONNREFUSED]', '')).toBe(`AggregateError: ${error.message}`);
      expect(error.code).toBe('ECONNREFUSED');
      expect(error.errors.map(({ message }) => message)).toEqual(reasons);
      expect(Object.keys(error)).toEqual(['code']);
    });
  }, ({ isLent }) => !isLent);

  it('in the queue of the agent tells that', async () => {
    const peer = await serveAnswer('');
    const agent = newAgent({ maxSockets: 1 });
    const first = http.get({ ...peer.address, agent });
    first.on('error', () => {});
    const req = http.get({ ...peer.address, agent, timeouts: { request: 10 } });
    expect(await failureOf(req)).toMatchObject({ event: 'request', phase: 'queue' });
    first.destroy();
  });

  describe('of the user', () => {
    const fail = async (error) => {
      const peer = await serveAnswer('');
      const req = http.get({ ...peer.address });
      await new Promise((resolve) => { req.once('socket', resolve); });
      const failed = failureOf(req);
      req.destroy(error);
      return { told: await failed, port: peer.port };
    };

    it('keeps what it has', async () => {
      const error = Object.assign(new Error('mine'), { host: 'mine', phase: undefined });
      const { told } = await fail(error);
      expect(told).toBe(error);
      expect(told).toMatchObject({ host: 'mine', phase: undefined, method: 'GET' });
    });

    it('that fails several requests tells each time of the last', async () => {
      const error = new Error('mine');
      const { port: first } = await fail(error);
      expect(error.port).toBe(first);
      const { port: second } = await fail(error);
      expect(error.port).toBe(second);
    });

    it('that fails several requests keeps what it has, also what cannot be changed', async () => {
      const error = Object.defineProperties(new Error('mine'), {
        path: { value: '/mine' }, host: { value: 'mine', configurable: true, writable: true },
      });
      await fail(error);
      const { told, port } = await fail(error);
      expect(told).toBe(error);
      expect(error).toMatchObject({ path: '/mine', host: 'mine', method: 'GET', port });
    });

    it.each([
      ['sealed by a proxy', new Proxy(new Error('mine'), { defineProperty: () => false })],
      ['frozen', Object.freeze(new Error('mine'))],
      ['no object', 'mine'],
    ])('that is %s is told', async (_, error) => {
      const { told } = await fail(error);
      expect(told).toBe(error);
    });
  });
});
