'use strict';

/** An agent serves a request by an idle connection, a new one, or the queue; users see the tables that Node shows. */

const net = require('node:net');
const nodeHttp = require('node:http');

const {
  cleanUp, describeOurs, exchange, http, isNative, itOurs, newAgent, onRequestHead, serve, serveRaw, until,
  untilIdle,
} = require('../support');
const { certificates, exchangeTls, https, newTlsAgent, serveTls } = require('../support/tls');

/** Counts the calls of Node's own addRequest until the test is over. */
function countCallsOfNode() {
  const calls = { count: 0 };
  const { addRequest } = nodeHttp.Agent.prototype;
  nodeHttp.Agent.prototype.addRequest = function counted(...rest) {
    calls.count++;
    return addRequest.apply(this, rest);
  };
  cleanUp(() => { nodeHttp.Agent.prototype.addRequest = addRequest; });
  return calls;
}

describeOurs.each([
  ['http', { newAgent, serve, exchange }, isNative ? 0 : 1],
  ['https', { newAgent: newTlsAgent, serve: serveTls, exchange: exchangeTls }, 1],
])('an agent of %s', (_name, kind, callsForNew) => {
  it('gives an idle connection away itself, although no other of the origin is in use', async () => {
    const peer = await kind.serve((_req, res) => res.end());
    const agent = kind.newAgent({ keepAlive: true });
    const calls = countCallsOfNode();
    await kind.exchange({ ...peer.address, agent });
    expect(calls.count).toBe(callsForNew);
    for (let i = 0; i < 3; i++) {
      await untilIdle(agent);
      expect([Object.keys(agent.sockets), Object.keys(agent.freeSockets).length]).toEqual([[], 1]);
      expect((await kind.exchange({ ...peer.address, agent })).req.reusedSocket).toBe(true);
    }
    expect(calls.count).toBe(callsForNew);
  });
});

describe('the row of an origin among the sockets in use', () => {
  it('is there, and empty, while the agent makes or reuses a socket; and is gone when all are idle', async () => {
    const rows = [];
    class Watching extends http.Agent {
      createConnection(...rest) {
        rows.push(['createConnection', structuredClone(Object.values(this.sockets))]);
        return super.createConnection(...rest);
      }

      reuseSocket(...rest) {
        rows.push(['reuseSocket', structuredClone(Object.values(this.sockets))]);
        super.reuseSocket(...rest);
      }
    }
    const peer = await serve((_req, res) => res.end());
    const agent = new Watching({ keepAlive: true });
    cleanUp(() => agent.destroy());
    for (let i = 0; i < 2; i++) {
      await exchange({ ...peer.address, agent });
      await untilIdle(agent);
      expect(agent.sockets).toEqual({});
    }
    expect(rows).toEqual([['createConnection', [[]]], ['reuseSocket', [[]]]]);
  });

  it('is there, and empty, where the limit of all sockets leaves the first request of an origin no room', async () => {
    const held = [];
    const [one, two] = [await serve((_req, res) => held.push(res)), await serve((_req, res) => res.end())];
    const agent = newAgent({ keepAlive: true, maxTotalSockets: 1 });
    const [name, emptyName] = [agent.getName(one.address), agent.getName(two.address)];
    const first = exchange({ ...one.address, agent });
    const second = exchange({ ...two.address, agent });
    expect(agent.sockets).toEqual({ [name]: [expect.any(net.Socket)], [emptyName]: [] });
    expect(Object.keys(agent.requests)).toEqual([emptyName]);
    await until(() => held.length === 1);
    held[0].writeHead(200, { Connection: 'close' }).end();
    await Promise.all([first, second]);
  });
});

describe('a highWaterMark of the agent', () => {
  it('counts for an idle connection too, whatever the request says', async () => {
    const peer = await serve((_req, res) => res.end());
    const agent = newAgent({ keepAlive: true, highWaterMark: 1234 });
    for (const reused of [false, true]) {
      const { req } = await exchange({ ...peer.address, agent, highWaterMark: 4321 });
      expect([req.reusedSocket, req.socket.writableHighWaterMark]).toEqual([reused, 1234]);
      await untilIdle(agent);
    }
  });
});

describe.each([
  ['http', { Agent: http.Agent, serve, exchange }, {}],
  ['https', { Agent: https.Agent, serve: serveTls, exchange: exchangeTls }, { ca: certificates.ca }],
])('a createSocket of a subclass, over %s', (_name, kind, ownOptions) => {
  it('is given the options of the agent too, for a request that has waited for a connection of another origin',
    async () => {
      const given = [];
      class Watching extends kind.Agent {
        createSocket(req, options, callback) {
          given.push([req.path, options.mine, options.yours]);
          super.createSocket(req, options, callback);
        }
      }
      const answer = (_req, res) => res.writeHead(200, { Connection: 'close' }).end();
      const [one, two] = [await kind.serve(answer), await kind.serve(answer)];
      const agent = new Watching({ ...ownOptions, keepAlive: true, maxTotalSockets: 1, mine: 1 });
      cleanUp(() => agent.destroy());
      await Promise.all([
        kind.exchange({ ...one.address, agent, path: '/first', yours: 1 }),
        kind.exchange({ ...two.address, agent, path: '/second', yours: 2 }),
      ]);
      expect(given).toEqual([['/first', 1, 1], ['/second', 1, 2]]);
    });
});

describe.each([[false], [true]])('an idle stream (another of the origin in use: %j)', (isOtherInUse) => {
  // Node asks its sockets since newer releases of 22.
  itOurs('with bytes that the event loop has not read yet serves no request', async () => {
    const answer = (body) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const peer = await serveRaw((socket) => {
      socket.on('end', () => socket.end());
      onRequestHead(socket, (head) => {
        if (!head.startsWith('GET /held')) socket.write(answer('good'));
      });
    });
    const agent = newAgent({ keepAlive: true });
    agent.createConnection = (...rest) => net.createConnection(...rest);
    if (isOtherInUse) {
      http.get({ ...peer.address, agent, path: '/held' }).on('error', () => {});
      await until(() => peer.accepted.length === 1);
    }
    await exchange({ ...peer.address, agent });
    await until(() => Object.keys(agent.freeSockets).length === 1);
    // Written to the kernel by this call, so that it is there before the event loop polls.
    peer.accepted.at(-1).write(answer('poison'));
    const { body, req } = await exchange({ ...peer.address, agent });
    expect([body.toString(), req.reusedSocket]).toEqual(['good', false]);
  });
});
