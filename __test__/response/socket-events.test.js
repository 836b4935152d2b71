'use strict';

/** Which events of a socket are its request's, and in which order the listeners of a used socket hear of them. */

const {
  bytesOf, exchange, http, itOurs, poolOf, record, responseTo, until, untilIdle, untilNoConnections, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

describeTransports('an error that a user gives to the socket of a request', (transport) => {
  /** Makes a request, and destroys its socket in that event of the request or its response. */
  async function failIn(event, listens) {
    const peer = await transport.serve((req, res) => res.end('body'));
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent });
    const recorder = record(req, { socket: true });
    req.on('error', () => {});
    const fail = () => req.socket.destroy(new Error('mine'));
    if (event === 'close') req.on('close', fail);
    const res = await responseTo(req);
    const { socket } = req;
    if (listens) socket.on('error', () => {});
    if (event === 'end') res.on('end', fail);
    res.resume();
    let hadError;
    socket.on('close', (had) => { hadError = had; });
    await until(() => hadError);
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
    return recorder.events.filter((entry) => /^(req (error|close)|socket (error|agentRemove|free))/.test(entry));
  }

  const EVENTS = [["'end' of its response", 'end'], ["its 'close'", 'close']];

  it.each(EVENTS)("in %s is not the request's", async (_, event) => {
    expect(await failIn(event, true)).toEqual(['req close', 'socket free', 'socket error mine']);
  });

  // With node:http it is an uncaught exception.
  itOurs.each(EVENTS)('in %s ends no process in which nobody listens', async (_, event) => {
    expect(await failIn(event, false)).toEqual(['req close', 'socket free', 'socket error mine']);
  });
});

describeTransports('listeners that a user has added to a socket in an earlier request hear', (transport) => {
  /** Makes a request on a socket, which goes back to the pool, and listens to that. */
  async function listenOnIdle(peer, agent, entries) {
    const req = http.get({ ...peer.address, agent });
    await bytesOf(await responseTo(req));
    const { socket } = req;
    const count = () => poolOf(agent).sockets + poolOf(agent).freeSockets;
    for (const name of ['error', 'end', 'close', 'agentRemove']) {
      socket.on(name, () => entries.push(`socket ${name}, ${count()} in the pool`));
    }
    await untilIdle(agent);
    // The socket is idle with these listeners behind a second request.
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    return socket;
  }

  /** A peer that answers until it is told how to end the connection instead. */
  async function serveUntilTold() {
    const told = {};
    const peer = await transport.serve((req, res) => {
      if (told.end) told.end(req.socket);
      else res.end('body');
    });
    return { peer, told };
  }

  it('an error of an idle one before its agent removes it', async () => {
    const { peer } = await serveUntilTold();
    const agent = await transport.agentTo(peer);
    const entries = [];
    const socket = await listenOnIdle(peer, agent, entries);
    socket.destroy(new Error('mine'));
    await until(() => entries.some((entry) => entry.startsWith('socket close')));
    expect(entries).toEqual(['socket error, 1 in the pool', 'socket agentRemove, 0 in the pool',
      'socket close, 0 in the pool']);
  });

  it.each([
    ['an error', 'error', (ofPeer, socket) => socket.destroy(new Error('mine'))],
    ['the end', 'end', (ofPeer) => ofPeer.end()],
  ])('%s and the close before a later request does', async (_what, name, end) => {
    const { peer, told } = await serveUntilTold();
    const agent = await transport.agentTo(peer);
    const entries = [];
    const socket = await listenOnIdle(peer, agent, entries);
    told.end = (ofPeer) => end(ofPeer, socket);
    const req = http.get({ ...peer.address, agent });
    for (const event of ['error', 'close']) req.on(event, () => entries.push(`req ${event}`));
    await until(() => entries.includes('req close'));
    expect(req.socket).toBe(socket);
    expect(entries).toEqual([`socket ${name}, 1 in the pool`, 'req error', 'socket close, 0 in the pool', 'req close']);
  });
});
