'use strict';

/** abort(), destroy() and destroy(error) at every stage: which events come, in which order, with which codes. */

const { http, newAgent, quiet, record, serve, until, untilNoConnections, untilPoolIsEmpty } = require('../support');
const { describeTransports } = require('../support/transports');

// Calls that end the request. `code`: that of 'error', if it comes on the request.
const WAYS = {
  'abort()': { end: (req) => req.abort(), aborts: true, code: 'ECONNRESET' },
  'destroy()': { end: (req) => req.destroy(), aborts: false, code: 'ECONNRESET' },
  'destroy(error)': {
    end: (req) => req.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' })), aborts: false, code: 'ENOUGH',
  },
};

/**
 * Brings a request to a stage and ends it there.
 * @typedef {object} Stage
 * @property {string} [path] what the server does with it
 * @property {object} [options] of the request
 * @property {boolean} [isConnecting] it comes before the connection stands
 * @property {boolean} [isGivenBack] a lent connection is given back before the request is sent: the request comes with
 *   what closes the connection, or with a long body
 * @property {(req: import('node:http').ClientRequest, end: () => void, asked: () => boolean) => unknown} reach
 *   asked: whether the server has the request
 * @property {string[]} before the events before the end
 * @property {(way: { aborts: boolean, code: string }) => string[]} after the events from the end on
 */

// The request fails without a response; abort() is told on the next tick, before the socket is closed.
const fails = ({ aborts, code }) => [...(aborts ? ['req abort'] : []), `req error ${code}`, 'req close'];

// Events that tell of the way itself, when there is a response.
const ownEvents = ({ aborts, code }) => [
  ...(aborts ? ['req abort'] : []),
  ...(code === 'ENOUGH' ? ['req error ENOUGH'] : []),
];

// The response fails where there is one; only an error of the user's own is told on the request too.
const cutsResponse = (way) => [
  ...ownEvents(way), 'res aborted', 'req close', 'res error ECONNRESET', 'res close',
];

/** @type {Record<string, Stage>} */
const STAGES = {
  'before it has a socket': {
    isConnecting: true,
    reach: (req, end) => end(),
    before: [],
    after: ({ aborts, code }) => (aborts ? ['req close', 'req abort'] : [`req error ${code}`, 'req close']),
  },
  'in a tick before its socket connects': {
    isConnecting: true,
    reach: (req, end) => process.nextTick(end),
    before: ['req socket'],
    after: fails,
  },
  "in its 'socket' event": {
    isConnecting: true,
    reach: (req, end) => req.once('socket', end),
    before: ['req socket'],
    after: fails,
  },
  'when its socket has connected': {
    isConnecting: true,
    reach: (req, end) => req.once('socket', (socket) => socket.once('connect', end)),
    before: ['req socket'],
    after: fails,
  },
  'when it has sent its head and a part of its body': {
    path: '/silent',
    options: { method: 'POST' },
    reach: async (req, end, asked) => {
      req.write('a part');
      await until(asked);
      end();
    },
    before: ['req socket'],
    after: fails,
  },
  'while it sends a body that the server does not read': {
    isGivenBack: true,
    path: '/unread',
    options: { method: 'POST' },
    reach: async (req, end, asked) => {
      for (let i = 0; i < 256; i++) req.write(Buffer.alloc(65536));
      await until(asked);
      end();
    },
    before: ['req socket'],
    after: fails,
  },
  "in its 'finish' event": {
    isGivenBack: true,
    path: '/silent',
    reach: (req, end) => req.end().once('finish', end),
    before: ['req socket', 'req finish'],
    after: fails,
  },
  'when it is sent and the server is silent': {
    path: '/silent',
    reach: async (req, end, asked) => {
      req.end();
      await until(asked);
      end();
    },
    before: ['req socket', 'req finish'],
    after: fails,
  },
  "in its 'information' event": {
    path: '/processing',
    reach: (req, end) => req.end().once('information', end),
    before: ['req socket', 'req finish', 'req information'],
    after: fails,
  },
  "in its 'response' event, with the body on its way": {
    path: '/half',
    reach: (req, end) => req.end().once('response', (res) => {
      res.on('error', () => {});
      end();
    }),
    before: ['req socket', 'req finish', 'req response'],
    after: cutsResponse,
  },
  "in its 'response' event, with an empty response": {
    path: '/empty',
    reach: (req, end) => req.end().once('response', end),
    before: ['req socket', 'req finish', 'req response'],
    after: (way) => [...ownEvents(way), 'res end', 'req close', 'res close'],
  },
  'in the middle of the body': {
    path: '/half',
    reach: (req, end) => req.end().once('response', (res) => {
      res.on('error', () => {});
      res.once('data', end);
    }),
    before: ['req socket', 'req finish', 'req response', 'res data'],
    after: cutsResponse,
  },
  "in the response's 'end' event, with its own body unfinished": {
    path: '/whole',
    options: { method: 'POST' },
    reach: (req, end) => {
      req.write('a part');
      req.once('response', (res) => res.resume().once('end', end));
    },
    before: ['req socket', 'req response', 'res data', 'res end'],
    after: (way) => [...ownEvents(way), 'res close', 'req close'],
  },
  "in the response's 'end' event": {
    path: '/whole',
    reach: (req, end) => req.end().once('response', (res) => res.resume().once('end', end)),
    before: ['req socket', 'req finish', 'req response', 'res data', 'res end'],
    after: ({ aborts }) => ['req close', ...(aborts ? ['req abort'] : []), 'res close'],
    keepsConnection: true,
  },
  'after its end': {
    path: '/whole',
    reach: (req, end) => {
      req.end().once('response', (res) => res.resume().once('close', end));
    },
    before: ['req socket', 'req finish', 'req response', 'res data', 'res end', 'req close', 'res close'],
    after: ({ aborts }) => (aborts ? ['req abort'] : []),
    keepsConnection: true,
  },
};

const HANDLERS = {
  '/silent': () => {},
  '/unread': (req) => req.pause(),
  '/processing': (req, res) => res.writeProcessing(),
  '/half': (req, res) => res.writeHead(200, { 'content-length': 10 }).write('half'),
  '/empty': (req, res) => res.end(),
  '/whole': (req, res) => res.end('whole'),
};

/** A lent connection is connected. */
const stagesOf = ({ isLent }) => Object.entries(STAGES).filter(([, stage]) => !(isLent && stage.isConnecting));

describeTransports('a request', (transport) => {
  describe.each(stagesOf(transport))('ended %s', (name, stage) => {
    it.each(Object.entries(WAYS))('by %s has the events of Node', async (_, way) => {
      let asked;
      const peer = await transport.serve((req, res) => {
        asked = req.resume();
        HANDLERS[req.url](req, res);
      });
      const agent = await transport.agentTo(peer, {}, stage.isGivenBack);
      const req = http.request({ ...peer.address, path: stage.path ?? '/silent', agent, ...stage.options });
      const events = record(req).events;
      req.on('error', () => {});
      let ended = false;
      stage.reach(req, () => {
        ended = true;
        way.end(req);
      }, () => asked !== undefined);
      await until(() => ended && events.includes('req close') && (!way.aborts || events.includes('req abort')));
      await quiet(5);

      expect(events).toEqual([...stage.before, ...stage.after(way)]);
      expect(req.destroyed).toBe(true);
      expect(req.closed).toBe(true);
      expect(req.aborted).toBe(way.aborts);
      if (stage.keepsConnection) {
        expect(peer.sockets.size).toBe(1);
        expect(Object.values(agent.freeSockets).flat()).toHaveLength(1);
      }
      agent.destroy();
      await untilPoolIsEmpty(agent);
      // A server that does not read cannot see the end either.
      asked?.resume();
      await untilNoConnections(peer);
    });
  });
});

describe('a request that waits for a socket of its agent', () => {
  it.each(Object.entries(WAYS))('and is ended by %s fails when its turn comes', async (_, way) => {
    const peer = await serve((req, res) => res.end('whole'));
    const agent = newAgent({ keepAlive: true, maxSockets: 1 });
    const first = http.get({ ...peer.address, agent });
    const second = http.get({ ...peer.address, agent });
    const events = record(second).events;
    second.on('error', () => {});
    way.end(second);
    await new Promise((resolve) => { process.nextTick(resolve); });
    expect(events).toEqual(way.aborts ? ['req abort'] : []);
    expect(second.destroyed).toBe(true);

    first.on('response', (res) => res.resume());
    await until(() => events.includes('req close'));
    expect(events).toEqual(way.aborts ? ['req abort', 'req close'] : [`req error ${way.code}`, 'req close']);
    await until(() => Object.values(agent.freeSockets).flat().length === 1);
    expect(peer.accepted).toHaveLength(1);
  });
});

describe('a request whose host name is being looked up', () => {
  it.each(Object.entries(WAYS))('and is ended by %s fails at once and never connects', async (_, way) => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent({ keepAlive: true });
    let answer;
    const req = http.get({
      host: 'name.test', port: peer.port, agent, lookup: (host, options, callback) => { answer = callback; },
    });
    const events = record(req).events;
    req.on('error', () => {});
    await until(() => answer && req.socket);
    const expected = ['req socket', ...fails(way)];
    way.end(req);
    await until(() => events.includes('req close'));
    expect(events).toEqual(expected);

    answer(null, [{ address: '127.0.0.1', family: 4 }]);
    await quiet();
    expect(events).toEqual(expected);
    expect(peer.accepted).toHaveLength(0);
    await untilPoolIsEmpty(agent);
  });
});
