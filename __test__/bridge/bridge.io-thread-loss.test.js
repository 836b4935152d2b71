'use strict';

/**
 * The JavaScript side fails connections when an event says that the I/O thread, or the task of one, has panicked. That
 * a panic leads to the event is proven in Rust, where a test can ask for one.
 */

const { once } = require('node:events');
const binding = require('../../binding');

/** Ids of FAILED events to be drained next; -1 means every connection. */
const mockFailures = [];
const mockBridges = [];

jest.mock('../../binding', () => ({
  ...binding,
  Bridge: class extends binding.Bridge {
    constructor(onEvents) {
      super(onEvents);
      mockBridges.push(this);
    }

    drain(slab) {
      if (mockFailures.length === 0) return super.drain(slab);
      const { HEADER_SIZE, event } = require('../../lib/bridge/records');
      slab.writeInt32LE(event.FAILED, 0);
      slab.writeInt32LE(mockFailures.shift(), 4);
      slab.writeInt32LE(0, 8);
      return HEADER_SIZE;
    }
  },
}));

const {
  ROOT, describeNative, exchange, http, newAgent, runScript, serve, until, untilPoolIsEmpty,
} = require('../support');

/** A server that answers all but `/wait`. */
async function peerThatMayWait() {
  const peer = await serve((req, res) => {
    peer.asked++;
    if (req.url !== '/wait') res.end('hello');
  });
  return Object.assign(peer, { asked: 0 });
}

/** Starts a request that the server has got and does not answer. */
async function requestInFlight(peer, agent) {
  const req = http.request({ ...peer.address, agent, path: '/wait' });
  const errors = [];
  req.on('error', (error) => errors.push(error.code));
  const { asked } = peer;
  req.end();
  await until(() => peer.asked > asked, 'the request to arrive');
  return { req, errors };
}

/** Makes three requests that wait, has the I/O thread lost, and prints what becomes of them. */
async function loseThreadWhileOneThrows(http, root) {
  const { once } = require('node:events');
  const addon = require(`${root}/binding`);
  const { HEADER_SIZE, event } = require(`${root}/lib/bridge/records`);
  let bridge;
  let isLost = false;
  addon.Bridge = class extends addon.Bridge {
    constructor(onEvents) {
      super(onEvents);
      bridge = this;
    }

    drain(slab) {
      if (!isLost) return super.drain(slab);
      isLost = false;
      slab.writeInt32LE(event.FAILED, 0);
      slab.writeInt32LE(-1, 4);
      slab.writeInt32LE(0, 8);
      return HEADER_SIZE;
    }
  };
  process.on('uncaughtException', ({ message }) => console.log('uncaught', message));
  const server = require('node:http').createServer(() => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const requests = [0, 1, 2].map((i) => {
    const req = http.get({ host: '127.0.0.1', port: server.address().port });
    return req.on('error', ({ code }) => console.log(i, code));
  });
  for (let i = 0; i < 3; i++) await once(server, 'request');
  requests[0].socket.destroy = () => {
    throw new Error('thrown by destroy()');
  };
  isLost = true;
  bridge.wake();
  await Promise.all([1, 2].map((i) => new Promise((resolve) => { requests[i].once('close', resolve); })));
  setImmediate(() => process.exit());
}

describeNative('when the I/O thread is lost', () => {
  it('each request in flight fails, the pool is empty, and the next request gets a new bridge', async () => {
    const peer = await peerThatMayWait();
    const agent = newAgent({ keepAlive: true });
    const requests = [await requestInFlight(peer, agent), await requestInFlight(peer, agent)];
    const before = mockBridges.length;
    mockFailures.push(-1);
    mockBridges.at(-1).wake();
    for (const { req, errors } of requests) {
      await until(() => req.closed, 'the request to close');
      expect(errors).toEqual(['ERR_FERREQUEST_IO_THREAD']);
    }
    await untilPoolIsEmpty(agent);
    const { body } = await exchange({ ...peer.address, agent });
    expect(body.toString()).toBe('hello');
    expect(mockBridges).toHaveLength(before + 1);
  });

  it('each request fails although the destroy() of a socket throws, whose exception is uncaught', async () => {
    const { stdout, stderr } = await runScript(loseThreadWhileOneThrows, { args: ROOT });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n').sort()).toEqual([
      '1 ERR_FERREQUEST_IO_THREAD', '2 ERR_FERREQUEST_IO_THREAD', 'uncaught thrown by destroy()',
    ]);
  });

  it('an idle connection goes too', async () => {
    const peer = await peerThatMayWait();
    const agent = newAgent({ keepAlive: true });
    await exchange({ ...peer.address, agent });
    const [socket] = Object.values(agent.freeSockets)[0];
    socket.on('error', () => {});
    mockFailures.push(-1);
    mockBridges.at(-1).wake();
    await until(() => socket.destroyed, 'the socket to be destroyed');
    await untilPoolIsEmpty(agent);
  });
});

describeNative('when the task of one connection has failed', () => {
  it('its request fails, and the others go on', async () => {
    const peer = await serve((req, res) => {
      peer.responses.push(res);
    });
    peer.responses = [];
    const agent = newAgent({ keepAlive: true });
    const other = exchange({ ...peer.address, agent });
    await until(() => peer.responses.length === 1, 'the first request to arrive');
    const req = http.request({ ...peer.address, agent });
    const failure = once(req, 'error');
    req.end();
    await until(() => peer.responses.length === 2, 'the second request to arrive');
    mockFailures.push(req.socket._handle.id);
    mockBridges.at(-1).wake();
    const [{ code }] = await failure;
    expect(code).toBe('ERR_FERREQUEST_IO_THREAD');
    peer.responses[0].end('hello');
    expect((await other).body.toString()).toBe('hello');
    // The server sees it close: the I/O thread was told.
    await until(() => peer.sockets.size === 1, 'the connection to be closed');
  });
});
