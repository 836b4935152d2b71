'use strict';

/** write(), cork(), uncork() and end() put on the wire, byte for byte, what those of Node do. */

const { once } = require('node:events');
const nodeHttp = require('node:http');
const { setImmediate: turn } = require('node:timers/promises');

const { endJoinsCorkedChunks } = require('../../lib/node/behaviour');
const { http, itMends, responseTo, serveWire, until } = require('../support');
const { describeTransports } = require('../support/transports');

/** Ends each row, so that the peer knows where the body does. */
const LAST = 'LAST';

/** Steps of a row; what is none of these is written. */
const STEPS = {
  cork: (req) => req.cork(),
  uncork: (req) => req.uncork(),
  hold: (req) => req.socket.cork(),
  release: (req) => req.socket.uncork(),
  flush: (req) => req.flushHeaders(),
  tick: () => new Promise((resolve) => { process.nextTick(resolve); }),
  turn: () => turn(),
  connect: async (req) => {
    const [socket] = req.socket ? [req.socket] : await once(req, 'socket');
    if (socket.connecting) await once(socket, 'connect');
    await turn();
  },
};

const ROWS = [
  'a b c', 'connect a b c', 'connect flush a b c', 'a connect b c', 'flush a tick b c', 'connect a tick b tick c',
  'connect a turn b turn c', 'flush connect turn a b', 'connect a', 'connect', 'flush connect a b turn c d',
];
const CORKED_ROWS = [
  'cork a b uncork c', 'cork a b', 'cork a connect b', 'connect cork a b uncork c', 'connect cork a b',
  'connect flush cork a turn b', 'connect a cork b uncork c', 'connect a cork b turn c uncork d', 'connect a cork b',
  'connect a cork uncork b turn c', 'connect cork cork a uncork b uncork c', 'connect cork a uncork b tick c',
  'connect cork a tick uncork b cork c turn d', 'connect a turn cork b turn uncork c',
  'connect cork a turn uncork turn b',
];
const CORKED_SOCKET_ROWS = [
  'connect hold a b release c', 'connect hold a b', 'connect flush hold a turn b release turn c',
  'connect a hold b turn c', 'connect a hold release b',
  'connect hold hold a release b turn release c', 'connect a release hold b tick c turn d',
  'connect flush hold cork a uncork b turn release c', 'connect flush a turn hold b tick c turn release d',
];

/** Tells whether a peer has a whole request. */
function isWhole(text) {
  return /\r\ncontent-length: /i.test(text) ? /(?:LAST|third)$/.test(text) : text.endsWith('\r\n0\r\n\r\n');
}

/** Sends a row, and gives the body as it was on the wire. */
async function bodyOf(client, peer, options, row, isChunked) {
  const steps = row.split(' ').filter(Boolean);
  const length = steps.filter((step) => !STEPS[step]).join('').length + LAST.length;
  const headers = isChunked ? {} : { 'Content-Length': length };
  const before = peer.wire().length;
  const req = client.request({ ...peer.address, ...options, method: 'POST', headers });
  const response = responseTo(req);
  for (const step of steps) {
    if (STEPS[step]) await STEPS[step](req);
    else req.write(step);
  }
  req.end(LAST);
  (await response).resume();
  await until(() => req.closed);
  const wire = peer.wire().slice(before);
  return wire.slice(wire.indexOf('\r\n\r\n') + 4);
}

describeTransports('a row of writes', (transport) => {
  const test = (row, isChunked) => async () => {
    const peer = await transport.serveWire(isWhole);
    const agent = await transport.agentTo(peer);
    const ours = await bodyOf(http, peer, { agent }, row, isChunked);
    const nodePeer = await serveWire(isWhole);
    const node = await bodyOf(nodeHttp, nodePeer, { agent: new nodeHttp.Agent() }, row, isChunked);
    expect(ours).toBe(node);
  };

  // A lent connection is given back in a turn without a request.
  const fit = (rows) => rows.filter((row) => !transport.isLent || !/connect|turn/.test(row));
  it.each(fit([...ROWS, ...CORKED_ROWS, ...CORKED_SOCKET_ROWS]))(
    '"%s" with Content-Length is what Node sends', (row) => test(row, false)(),
  );
  it.each(fit([...ROWS, ...CORKED_SOCKET_ROWS]))('"%s" in chunks is what Node sends', (row) => test(row, true)());

  // Elsewhere Node's end() sends the end of the body before the chunks that a cork holds back, or does not join them.
  const itJoins = endJoinsCorkedChunks() ? it : it.skip;
  itJoins.each(fit(CORKED_ROWS))('"%s" in chunks is what Node sends', (row) => test(row, true)());

  itMends(!endJoinsCorkedChunks()).each(fit(CORKED_ROWS))('"%s" in chunks loses nothing', async (row) => {
    const peer = await transport.serveWire(isWhole);
    const agent = await transport.agentTo(peer);
    const body = await bodyOf(http, peer, { agent }, row, true);
    const written = row.split(' ').filter((step) => !STEPS[step]).join('');
    expect(body.replaceAll(/[0-9a-f]+\r\n([a-zL]*[A-Z]*)\r\n/g, '$1')).toBe(`${written}${LAST}\r\n`.trimEnd());
  });
});

describeTransports('a cork of the user', (transport) => {
  it.each([
    ['alone', ''], ['beside that of a write in the same tick', 'first'],
  ])('%s holds the body back until uncork()', async (_, first) => {
    const peer = await transport.serveWire(isWhole);
    const agent = await transport.agentTo(peer);
    const headers = { 'Content-Length': first.length + 'held'.length + LAST.length };
    const req = http.request({ ...peer.address, agent, method: 'POST', headers });
    const response = responseTo(req);
    req.flushHeaders();
    await STEPS.connect(req);
    if (first) req.write(first);
    req.cork();
    req.write('held');
    for (let i = 0; i < 10; i++) await turn();
    expect(peer.wire()).not.toContain('held');
    req.uncork();
    await until(() => peer.wire().endsWith('held'));
    req.end(LAST);
    (await response).resume();
  });
}, ({ isLent }) => !isLent);

/** Lets both sides run. */
async function turns() {
  for (let i = 0; i < 10; i++) await turn();
}

/**
 * Sends a request with `client`, corks its socket at each stage, and gives what the peer has then, and at the end.
 * @returns {Promise<string[]>}
 */
async function heldBySocket(client, peer, agent) {
  const before = peer.wire().length;
  const seen = [];
  const see = () => seen.push(peer.wire().slice(before).replace(/^.*\r\n\r\n/s, ''));
  const headers = { 'Content-Length': 'first second third'.length };
  const req = client.request({ ...peer.address, agent, method: 'POST', headers });
  const response = responseTo(req);
  req.flushHeaders();
  await STEPS.connect(req);
  req.write('first');
  await until(() => peer.wire().endsWith('first'));
  req.socket.cork();
  req.write(' second');
  await turns();
  see();
  req.socket.uncork();
  await until(() => peer.wire().endsWith('second'));
  see();
  req.socket.cork();
  req.write(' thi');
  await turns();
  see();
  req.end('rd');
  (await response).resume();
  see();
  await until(() => req.closed);
  return seen;
}

describeTransports('a cork of the user on the socket', (transport) => {
  it('holds a request of which nothing is out until uncork(), also one that has ended', async () => {
    const peer = await transport.serveWire(isWhole);
    const agent = await transport.agentTo(peer, {}, true);
    const before = peer.wire().length;
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: { 'Content-Length': LAST.length } });
    const response = responseTo(req);
    const corked = once(req, 'socket').then(([socket]) => socket);
    req.prependOnceListener('socket', (socket) => socket.cork());
    req.end(LAST);
    const socket = await corked;
    if (socket.connecting) await once(socket, 'connect');
    await turns();
    expect([peer.wire().length - before, req.writableFinished]).toEqual([0, false]);
    socket.uncork();
    (await response).resume();
    await until(() => req.closed);
    expect(peer.wire().slice(before)).toMatch(/^POST .*\r\n\r\nLAST$/s);
  });
});

describeTransports('a cork of the user on the socket', (transport) => {
  it('holds the body back until uncork() or end(), as with Node', async () => {
    const peer = await transport.serveWire(isWhole);
    const agent = await transport.agentTo(peer);
    const nodePeer = await serveWire(isWhole);
    const node = await heldBySocket(nodeHttp, nodePeer, new nodeHttp.Agent());
    expect(await heldBySocket(http, peer, agent)).toEqual(node);
    expect(node).toEqual(['first', 'first second', 'first second', 'first second third']);
  });
}, ({ isLent }) => !isLent);
