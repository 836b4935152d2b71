'use strict';

/** The times in `req.timings` are those of what happened, whichever way the bytes travel. */

const diagnostics = require('node:diagnostics_channel');
const { once } = require('node:events');
const net = require('node:net');
const { Duplex } = require('node:stream');
const {
  cleanUp, describeOurs, exchange, http, itNative, newAgent, responseTo, serve, serveRaw, unusedPort, until,
} = require('../support');
const { httpsAgentFor, httpsExchange, serveHttps, serveTunnels } = require('../support/proxy');
const { describeTransports } = require('../support/transports');

/** The stamps, in the order in which things happen. */
const ORDER = ['start', 'socket', 'lookup', 'connect', 'secureConnect', 'upload', 'response', 'end'];

/** @returns {string[]} names of the stamps that there are, by time */
function inOrder(timings) {
  return ORDER.filter((name) => timings[name] !== undefined).sort((a, b) => timings[a] - timings[b]);
}

/** A resolver that takes its time. */
const lookup = (_name, { all }, callback) => {
  setTimeout(() => (all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4)), 10);
};

describeOurs('timings', () => {
  describeTransports('of a new connection', (transport) => {
    it('are in their order, and the phases make up the whole', async () => {
      const peer = await transport.serve((req, res) => setTimeout(() => res.end('body'), 10));
      const agent = transport.newAgent();
      const before = Date.now();
      const { req, res } = await exchange({ ...peer.address, agent, host: 'localhost', lookup });
      const { timings } = req;
      expect(inOrder(timings)).toEqual(ORDER.filter((name) => name !== 'secureConnect' || transport.isTls));
      expect(timings).toMatchObject({ error: undefined, abort: undefined });
      expect(timings.start).toBeGreaterThan(before - 1);
      expect(timings.end).toBeLessThan(Date.now() + 1);
      const { wait, dns, tcp, tls, request, firstByte, download, total } = timings.phases;
      expect(tls !== undefined).toBe(transport.isTls);
      expect(wait + dns + tcp + (tls ?? 0) + request + firstByte + download).toBeCloseTo(total, 1);
      expect(dns).toBeGreaterThan(0);
      expect(firstByte).toBeGreaterThan(0);
      expect(res.timings).toBe(timings);
    });

    it('that another request began to make are in their order too', async () => {
      const peer = await transport.serve((req, res) => res.end());
      const agent = transport.newAgent({ maxSockets: 1, keepAlive: true });
      const first = http.get({ ...peer.address, agent });
      const second = exchange({ ...peer.address, agent });
      const closed = new Promise((resolve) => { first.on('error', () => {}).on('close', resolve); });
      first.destroy();
      const { req } = await second;
      await closed;
      expect(peer.accepted).toHaveLength(1);
      expect(inOrder(req.timings)).toEqual(ORDER.filter((name) => name !== 'secureConnect' || transport.isTls));
    });

    it('that fails tell when', async () => {
      const agent = transport.newAgent();
      const req = http.get({ host: '127.0.0.1', port: await unusedPort(), agent, protocol: agent.protocol });
      await once(req, 'error');
      const { timings } = req;
      expect(timings.error).toBeGreaterThanOrEqual(timings.start);
      expect(timings).toMatchObject({ connect: undefined, response: undefined, end: undefined });
      expect(timings.phases).toMatchObject({ wait: 0, dns: expect.any(Number), tcp: undefined });
      expect(timings.phases.total).toBeCloseTo(timings.error - timings.start, 1);
    });
  }, ({ isLent }) => !isLent);

  describeTransports('of a connection that is used again', (transport) => {
    it('have socket, lookup and connect at one moment', async () => {
      const peer = await transport.serve((req, res) => res.end('body'));
      const agent = await transport.agentTo(peer);
      await exchange({ ...peer.address, agent });
      await until(() => Object.keys(agent.freeSockets).length === 1);
      const { req } = await exchange({ ...peer.address, agent });
      expect(req.reusedSocket).toBe(true);
      const { socket, lookup: lookedUp, connect, secureConnect, phases } = req.timings;
      expect([lookedUp, connect, secureConnect]).toEqual([socket, socket, transport.isTls ? socket : undefined]);
      expect(phases).toMatchObject({ dns: 0, tcp: 0, tls: transport.isTls ? 0 : undefined });
    });

    it('have the time in the queue of the agent as wait', async () => {
      const peer = await transport.serve((req, res) => setTimeout(() => res.end(), 10));
      const agent = await transport.agentTo(peer, { maxSockets: 1 });
      const [, { req }] = await Promise.all([1, 2].map(() => exchange({ ...peer.address, agent })));
      expect(req.timings.phases.wait).toBeGreaterThan(0);
      expect(req.timings.lookup).toBe(req.timings.socket);
    });
  });

  describeTransports('of an exchange', (transport) => {
    it('are one object, which is written as things happen', async () => {
      const peer = await transport.serve((req, res) => res.end('body'));
      const req = http.request({ ...peer.address, agent: await transport.agentTo(peer) });
      const { timings } = req;
      expect(timings).toMatchObject({ response: undefined, end: undefined });
      req.end();
      const res = await responseTo(req);
      // As http-timer leaves it there, for what copies a response.
      expect(Object.keys(res)).toContain('timings');
      expect(timings.response).toBeGreaterThanOrEqual(timings.upload);
      await once(res.resume(), 'end');
      expect(timings.end).toBeGreaterThanOrEqual(timings.response);
      expect(req.timings).toBe(timings);
      expect(res.timings).toBe(timings);
    });

    it('have the end before a listener of a subscriber is told of it', async () => {
      const peer = await transport.serve((req, res) => res.end('body'));
      const agent = await transport.agentTo(peer);
      const seen = [];
      const subscriber = ({ request, response }) => {
        response.on('end', () => seen.push(request.timings.end, request.timings.phases.total, response.socket));
      };
      diagnostics.subscribe('http.client.response.finish', subscriber);
      cleanUp(() => diagnostics.unsubscribe('http.client.response.finish', subscriber));
      const { req } = await exchange({ ...peer.address, agent });
      const { end, phases: { total } } = req.timings;
      expect(end).toBeGreaterThanOrEqual(req.timings.response);
      // It still has its socket, as with Node's client.
      expect(seen).toEqual([end, total, req.socket]);
    });

    it('tell when a response was cut', async () => {
      const peer = await transport.serveRaw((socket) => {
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345'));
      });
      const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
      req.on('error', () => {});
      const res = await responseTo(req);
      res.on('error', () => {}).destroy();
      await once(req, 'close');
      expect(req.timings).toMatchObject({ abort: expect.any(Number), end: undefined });
      expect(Object.keys(res)).not.toContain('timings');
    });

    it('have no wait for an answer that comes before the whole request is out', async () => {
      const peer = await transport.serveRaw((socket) => {
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')).resume();
      });
      const agent = await transport.agentTo(peer);
      const req = http.request({ ...peer.address, agent, method: 'POST' });
      req.write('beginning');
      const res = await responseTo(req);
      expect(req.timings.upload).toBeUndefined();
      await once(res.resume(), 'end');
      req.end('rest');
      await once(req, 'close');
      expect(req.timings.upload).toBeGreaterThanOrEqual(req.timings.response);
      expect(req.timings.phases.firstByte).toBe(0);
    });

    it('have the upload behind the last of a large body', async () => {
      const peer = await transport.serve((req, res) => req.resume().on('end', () => res.end()));
      const agent = await transport.agentTo(peer, {}, true);
      const { req } = await exchange({ ...peer.address, agent, method: 'POST', body: Buffer.alloc(4 * 1024 * 1024) });
      expect(req.timings.phases.request).toBeGreaterThan(0);
      expect(req.timings.upload).toBeLessThanOrEqual(req.timings.response);
    });
  });

  it('of abort() tell when, if the exchange was not over', async () => {
    const peer = await serveRaw(() => {});
    const req = http.get(peer.address);
    req.on('error', () => {});
    await once(req, 'socket');
    req.abort();
    await new Promise((resolve) => { req.on('close', resolve); });
    expect(req.timings.abort).toBeGreaterThanOrEqual(req.timings.socket);
  });

  it('of an upgrade have a response and no end', async () => {
    const peer = await serveRaw((socket) => {
      const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n';
      socket.once('data', () => socket.write(head));
    });
    const req = http.get({ ...peer.address, headers: { Connection: 'upgrade', Upgrade: 'x' } });
    const [res, socket] = await once(req, 'upgrade');
    socket.destroy();
    expect(req.timings).toMatchObject({ response: expect.any(Number), end: undefined });
    // As with Node, such a response has no `req`.
    expect(res.req).toBeUndefined();
  });

  it('ask no stream of others for its address', async () => {
    const peer = await serve((req, res) => res.end());
    const createConnection = () => {
      const socket = net.connect(peer.address);
      const stream = Duplex.from({ readable: socket, writable: socket });
      stream.connecting = true;
      socket.once('connect', () => {
        stream.connecting = false;
        stream.emit('connect');
      });
      stream.address = () => { throw new Error('It has none yet'); };
      return stream;
    };
    const { req } = await exchange({ ...peer.address, createConnection });
    expect(req.timings).toMatchObject({ connect: expect.any(Number), end: expect.any(Number) });
  });

  it.each(['timings', 'attempts'])('can be replaced, as any property: %s', (name) => {
    const req = http.get({ host: '127.0.0.1', port: 1 });
    req.on('error', () => {});
    req[name] = 'mine';
    expect(req[name]).toBe('mine');
    expect(Object.keys(req)).toContain(name);
  });

  it('behind a tunnel have its making as wait', async () => {
    const origin = await serveHttps();
    const proxy = await serveTunnels();
    const { req } = await httpsExchange({ host: 'localhost', port: origin.port, agent: httpsAgentFor(proxy) });
    const { socket, connect, secureConnect, phases } = req.timings;
    expect(phases.wait).toBeGreaterThan(0);
    expect([connect, secureConnect]).toEqual([socket, socket]);
  });

  itNative('of a connection that was replaced underneath are those of one that is used again', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    await exchange({ ...peer.address, agent });
    await until(() => Object.keys(agent.freeSockets).length === 1);
    const replaced = http.stats().staleReplaced;
    const served = exchange({ ...peer.address, agent });
    // Assigned already, and closed by the peer before a byte is out.
    for (const socket of peer.sockets) socket.resetAndDestroy();
    const { req } = await served;
    expect(http.stats().staleReplaced).toBe(replaced + 1);
    expect(req.timings.connect).toBe(req.timings.socket);
  });
});
