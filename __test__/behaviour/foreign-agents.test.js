'use strict';

/** Agents that are not ours: Node's own, those of agentkeepalive, and objects that have nothing but addRequest(). */

const { once } = require('node:events');
const nodeHttp = require('node:http');
const nodeHttps = require('node:https');
const net = require('node:net');
const { Duplex } = require('node:stream');
const tls = require('node:tls');
const {
  bytesOf, cleanUp, exchange, http, poolOf, pseudoRandomBytes, responseTo, serve, untilIdle, untilNoConnections,
  untilPoolIsEmpty,
} = require('../support');
const { EITHER_ORDER, sameOnBoth } = require('../support/clients');
const { certificates, https, serveTls } = require('../support/tls');

const { ca } = certificates;

/** @returns {import('node:http').Agent} an agent of that class, destroyed after the test */
function newOf(Agent, options) {
  const agent = new Agent(options);
  cleanUp(() => agent.destroy());
  return agent;
}

describe("Node's own http.Agent", () => {
  const newNodeAgent = (options) => newOf(nodeHttp.Agent, options);

  it('gives its sockets to requests, and pools them', async () => {
    const peer = await serve((req, res) => res.end(req.url));
    const agent = newNodeAgent({ keepAlive: true });
    const sockets = [];
    for (const path of ['/1', '/2', '/3']) {
      const { req, body } = await exchange({ ...peer.address, agent, path });
      expect(String(body)).toBe(path);
      sockets.push(req.socket);
      await untilIdle(agent);
    }
    expect(new Set(sockets).size).toBe(1);
    expect(sockets[0].constructor).toBe(net.Socket);
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 1, requests: 0 });
    expect(peer.accepted).toHaveLength(1);
  });

  it('keeps its limits and its queue', async () => {
    let open = 0;
    let most = 0;
    const peer = await serve((req, res) => {
      most = Math.max(most, ++open);
      setTimeout(() => {
        open--;
        res.end(req.url);
      }, 5);
    });
    const agent = newNodeAgent({ keepAlive: true, maxSockets: 2 });
    const paths = Array.from({ length: 12 }, (unused, i) => `/${i}`);
    const answers = await Promise.all(paths.map((path) => exchange({ ...peer.address, agent, path })));
    expect(answers.map(({ body }) => String(body))).toEqual(paths);
    expect(most).toBe(2);
  });

  it('carries bodies of any size, whole', async () => {
    const peer = await serve((req, res) => req.pipe(res));
    const agent = newNodeAgent({ keepAlive: true });
    for (const size of [0, 1, 65536, 3 << 20]) {
      const sent = pseudoRandomBytes(size);
      const { body } = await exchange({ ...peer.address, agent, method: 'POST', body: sent });
      expect([size, body.equals(sent)]).toEqual([size, true]);
    }
    expect(peer.accepted).toHaveLength(1);
  });

  it.each([
    ['a server that hangs up', (req, res) => res.socket.end(), { code: 'ECONNRESET', message: 'socket hang up' }],
    ['a server that resets', (req, res) => res.socket.resetAndDestroy(),
      { code: 'ECONNRESET', message: 'read ECONNRESET' }],
    ['garbage', (req, res) => res.socket.end('garbage\r\n\r\n'), { code: 'HPE_INVALID_CONSTANT' }],
  ])('tells the error of %s', async (_what, handler, expected) => {
    const peer = await serve(handler);
    const agent = newNodeAgent({ keepAlive: true });
    await expect(exchange({ ...peer.address, agent })).rejects.toMatchObject(expected);
    await untilPoolIsEmpty(agent);
  });

  it('upgrades and tunnels', async () => {
    const peer = await serve();
    for (const name of ['upgrade', 'connect']) {
      peer.server.on(name, (req, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhead'
          .replace('101', name === 'connect' ? '200' : '101'));
        socket.pipe(socket);
      });
    }
    const agent = newNodeAgent({ keepAlive: true });
    const headers = { Connection: 'Upgrade', Upgrade: 'x' };
    for (const [name, options] of [['upgrade', { headers }], ['connect', { method: 'CONNECT', path: 'x:1' }]]) {
      const req = http.request({ ...peer.address, agent, ...options }).end();
      const [res, socket, head] = await once(req, name);
      expect(res.statusCode).toBe(name === 'connect' ? 200 : 101);
      const rest = bytesOf(socket);
      socket.end(' and tail');
      expect(`${head}${await rest}`).toBe('head and tail');
    }
    expect(agent.totalSocketCount).toBe(0);
  });

  it('times out, and is stopped', async () => {
    const peer = await serve(() => {});
    const agent = newNodeAgent({ keepAlive: true, timeout: 40 });
    const req = http.get({ ...peer.address, agent });
    await once(req, 'timeout');
    expect(req.destroyed).toBe(false);
    const failed = once(req, 'error');
    req.destroy();
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
    await untilNoConnections(peer);
  });

  it("its global one too, and https' as well", async () => {
    const [peer, secure] = [await serve((req, res) => res.end()), await serveTls((req, res) => res.end())];
    cleanUp(() => [nodeHttp, nodeHttps].map((module) => module.globalAgent.destroy()));
    expect((await exchange({ ...peer.address, agent: nodeHttp.globalAgent })).res.statusCode).toBe(200);
    const req = https.get({ ...secure.address, ca, agent: nodeHttps.globalAgent });
    await bytesOf(await responseTo(req));
    expect([req.reusedSocket, req.socket.encrypted]).toEqual([false, true]);
  });

  it('of https makes TLS connections, and pools them', async () => {
    const peer = await serveTls((req, res) => res.end('x'));
    const agent = newOf(nodeHttps.Agent, { keepAlive: true, ca });
    const reused = [];
    for (let i = 0; i < 3; i++) {
      const req = https.get({ ...peer.address, agent });
      await bytesOf(await responseTo(req));
      reused.push(req.reusedSocket);
      await untilIdle(agent);
    }
    expect(reused).toEqual([false, true, true]);
  });
});

describe('an object with addRequest() alone', () => {
  it('is given the request and its options, and may give it any socket', async () => {
    const peer = await serve((req, res) => res.end(req.headers.connection));
    const calls = [];
    const agent = {
      addRequest(req, options, ...rest) {
        calls.push([req, options, rest]);
        req.onSocket(net.connect(options.port, options.host));
      },
    };
    const { req, body } = await exchange({ ...peer.address, agent, path: '/x' });
    expect(String(body)).toBe('close');
    expect(calls[0][0] === req).toBe(true);
    expect(calls[0][1]).toMatchObject({ host: '127.0.0.1', port: peer.port, path: '/x' });
    expect(calls[0][2]).toEqual([]);
    expect(req.agent).toBe(agent);
    await untilNoConnections(peer);
  });

  it('may say what protocol and port it is for', async () => {
    const peer = await serveTls((req, res) => res.end('secure'));
    const agent = {
      protocol: 'https:',
      defaultPort: peer.port,
      addRequest(req, options) {
        req.onSocket(tls.connect({ ca, host: options.host, port: options.port, servername: 'localhost' }));
      },
    };
    const req = http.get({ protocol: 'https:', host: '127.0.0.1', agent });
    expect([req.getHeader('host'), req.protocol]).toEqual(['127.0.0.1', 'https:']);
    expect(String(await bytesOf(await responseTo(req)))).toBe('secure');
  });

  it('with keepAlive may use a socket for one request after another', async () => {
    const peer = await serve((req, res) => res.end(req.url));
    const socket = net.connect(peer.port, '127.0.0.1');
    cleanUp(() => socket.destroy());
    const waiting = [];
    const agent = {
      keepAlive: true,
      isBusy: false,
      addRequest(req) {
        if (this.isBusy) waiting.push(req);
        else this.give(req);
      },
      give(req) {
        this.isBusy = true;
        socket.once('free', () => {
          this.isBusy = false;
          if (waiting.length > 0) this.give(waiting.shift());
        });
        req.onSocket(socket);
      },
    };
    const answers = await Promise.all(['/1', '/2', '/3'].map((path) => exchange({ ...peer.address, agent, path })));
    expect(answers.map(({ body }) => String(body))).toEqual(['/1', '/2', '/3']);
    expect(peer.accepted).toHaveLength(1);
  });

  it('may fail a request, now or later', async () => {
    const mine = new Error('no socket');
    for (const give of [(req) => req.onSocket(null, mine), (req) => setImmediate(() => req.onSocket(null, mine))]) {
      const req = http.get({ agent: { addRequest: give } });
      const closed = new Promise((resolve) => { req.once('close', resolve); });
      expect((await once(req, 'error'))[0]).toBe(mine);
      await closed;
    }
  });

  it('that throws makes request() throw', () => {
    const mine = new Error('no');
    expect(() => http.get({ agent: { addRequest() { throw mine; } } })).toThrow(mine);
  });

  it('may give a Duplex that knows nothing of sockets', async () => {
    const stream = new Duplex({
      read() {},
      write(chunk, encoding, callback) {
        this.push('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody');
        callback();
      },
    });
    const { body } = await exchange({ agent: { addRequest: (req) => req.onSocket(stream) } });
    expect(String(body)).toBe('body');
  });

  it.each([{}, { addRequest: 1 }, 'agent', 1, true])('is refused where it is %p', (agent) => {
    expect(() => http.get({ agent })).toThrow(expect.objectContaining({
      code: 'ERR_INVALID_ARG_TYPE', message: expect.stringMatching(/^The "options\.agent" property must be one of /),
    }));
  });
});

describe('agentkeepalive', () => {
  const load = () => require('agentkeepalive');

  const ask = async (request, options) => {
    const req = request(options);
    req.end();
    const res = await responseTo(req);
    return [res.statusCode, String(await bytesOf(res)), req.reusedSocket];
  };

  it('keeps connections and counts what it does', async () => {
    const peer = await serve((req, res) => res.end(req.url));
    const { answers, status } = await sameOnBoth(load, async (Agent, kit) => {
      const agent = newOf(Agent, { maxSockets: 2, maxFreeSockets: 1 });
      const results = [];
      for (const path of ['/1', '/2']) {
        results.push(await ask(kit.http.request, { ...peer.address, agent, path }));
        await untilIdle(agent);
      }
      const many = ['/3', '/4', '/5', '/6', '/7', '/8'].map((path) => {
        return ask(kit.http.request, { ...peer.address, agent, path });
      });
      results.push(...(await Promise.all(many)).map(([statusCode, text]) => [statusCode, text]));
      await untilIdle(agent);
      const { createSocketCount, requestCount, timeoutSocketCount } = agent.getCurrentStatus();
      return { answers: results, status: { createSocketCount, requestCount, timeoutSocketCount } };
    }, EITHER_ORDER);
    expect(answers.slice(0, 2)).toEqual([[200, '/1', false], [200, '/2', true]]);
    expect(status).toEqual({ createSocketCount: 2, requestCount: 8, timeoutSocketCount: 0 });
  });

  it('of https keeps TLS connections', async () => {
    const peer = await serveTls((req, res) => res.end('secure'));
    const answers = await sameOnBoth(load, async ({ HttpsAgent }, kit) => {
      const agent = newOf(HttpsAgent, { ca });
      const results = [];
      for (let i = 0; i < 3; i++) {
        results.push(await ask(kit.https.request, { ...peer.address, agent }));
        await untilIdle(agent);
      }
      return [...results, agent.getCurrentStatus().createSocketCount];
    }, EITHER_ORDER);
    expect(answers).toEqual([[200, 'secure', false], [200, 'secure', true], [200, 'secure', true], 1]);
  });

  it('closes connections that are idle, or old', async () => {
    const peer = await serve((req, res) => res.end());
    const counts = await sameOnBoth(load, async (Agent, kit) => {
      const idle = newOf(Agent, { freeSocketTimeout: 30 });
      await ask(kit.http.request, { ...peer.address, agent: idle });
      await untilNoConnections(peer);
      const old = newOf(Agent, { socketActiveTTL: 30 });
      await ask(kit.http.request, { ...peer.address, agent: old });
      await untilNoConnections(peer);
      return [idle, old].map((agent) => [agent.getCurrentStatus().closeSocketCount, agent.totalSocketCount]);
    }, EITHER_ORDER);
    expect(counts).toEqual([[1, 0], [1, 0]]);
  });

  it('ends a request that is silent too long, with its own error', async () => {
    const peer = await serve(() => {});
    const error = await sameOnBoth(load, async (Agent, kit) => {
      const agent = newOf(Agent, { timeout: 40 });
      const [{ code, message }] = await once(kit.http.get({ ...peer.address, agent }), 'error');
      return { code, message, status: agent.getCurrentStatus().timeoutSocketCount };
    }, EITHER_ORDER);
    expect(error).toMatchObject({ code: 'ERR_SOCKET_TIMEOUT', message: 'Socket timeout', status: 1 });
  });
});
