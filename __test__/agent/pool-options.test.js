'use strict';

/** Options that Node's agents have not: how long sockets are kept. */

const { describeOurs, exchange, isOracle, newAgent, serve, until, untilIdle, untilPoolIsEmpty } = require('../support');
const { describeTransports } = require('../support/transports');

const idleSocketOf = (agent) => Object.values(agent.freeSockets).flat()[0];

/** Blocks the thread, so that timers are late. */
function block(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describeTransports('freeSocketTimeout', (transport) => {
  let peer;
  beforeEach(async () => {
    peer = await transport.serve((req, res) => {
      res.setHeader('Keep-Alive', 'timeout=1000');
      res.end();
    });
  });

  it('closes a socket that has been idle for as long', async () => {
    const agent = transport.newAgent({ keepAlive: true, freeSocketTimeout: 30 });
    await exchange({ ...peer.address, agent });
    await untilPoolIsEmpty(agent);
    expect(agent.stats().closeSocketCount).toBe(agent.stats().createSocketCount);
  });

  it('is not the time of the next request', async () => {
    const agent = await transport.agentTo(peer, { freeSocketTimeout: 60_000 });
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    const socket = idleSocketOf(agent);
    const timeouts = [socket.timeout];
    const made = exchange({ ...peer.address, agent });
    timeouts.push(socket.timeout);
    expect((await made).req.socket).toBe(socket);
    expect(timeouts).toEqual([60_000, 0]);
  });

  it('holds also where a busy event loop keeps its timer late', async () => {
    const agent = transport.newAgent({ keepAlive: true, freeSocketTimeout: 250 });
    await exchange({ ...peer.address, agent });
    const socket = await until(() => idleSocketOf(agent));
    block(260);
    expect((await exchange({ ...peer.address, agent })).req.socket).not.toBe(socket);
  });
}, () => !isOracle);

describeTransports('socketActiveTTL', (transport) => {
  it('closes a socket that is older when its request is over', async () => {
    const peer = await transport.serve((req, res) => res.end());
    const agent = transport.newAgent({ keepAlive: true, socketActiveTTL: 1 });
    const made = exchange({ ...peer.address, agent });
    block(5);
    const { req } = await made;
    await untilPoolIsEmpty(agent);
    expect(req.socket.destroyed).toBe(true);
    expect((await exchange({ ...peer.address, agent })).req.reusedSocket).toBe(false);
  });

  it('closes an idle socket when its time is over', async () => {
    const peer = await transport.serve((req, res) => res.end());
    const agent = transport.newAgent({ keepAlive: true, socketActiveTTL: 300 });
    await exchange({ ...peer.address, agent });
    await untilPoolIsEmpty(agent);
    expect(agent.stats()).toMatchObject({ createSocketCount: 1, closeSocketCount: 1 });
  });

  it('gives a request that waits another socket than an old one', async () => {
    const peer = await transport.serve((req, res) => res.end());
    const agent = transport.newAgent({ keepAlive: true, socketActiveTTL: 1, maxSockets: 1 });
    const made = [1, 2].map(() => exchange({ ...peer.address, agent }));
    block(5);
    const [first, second] = await Promise.all(made);
    expect(second.req.socket).not.toBe(first.req.socket);
  });
}, ({ isLent }) => !isLent && !isOracle);

describeOurs('new Agent()', () => {
  it.each([
    [{ freeSocketTimeout: NaN }, 'ERR_OUT_OF_RANGE',
      'The value of "options.freeSocketTimeout" is out of range. It must be a non-negative number. Received NaN'],
    [{ socketActiveTTL: -1 }, 'ERR_OUT_OF_RANGE',
      'The value of "options.socketActiveTTL" is out of range. It must be a non-negative number. Received -1'],
  ])('refuses %j', (options, code, message) => {
    expect(() => newAgent(options)).toThrow(expect.objectContaining({ code, message }));
  });

  // agentkeepalive takes such times, and Node's agents take no notice of them.
  it('takes no notice of options of other types, which are meant for somebody else', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true, freeSocketTimeout: '1ms', socketActiveTTL: '1ms', fairQueue: 1 });
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    const socket = idleSocketOf(agent);
    block(5);
    expect([(await exchange({ ...peer.address, agent })).req.socket, socket.timeout]).toEqual([socket, 0]);
  });
});
