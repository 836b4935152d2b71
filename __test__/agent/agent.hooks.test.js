'use strict';

const nodeHttp = require('node:http');
const {
  http, newAgent, poolOf, untilIdle, untilPoolIsEmpty, untilNoConnections, serve, exchange, cleanUp, isOracle,
  nodeIsAtLeast,
} = require('../support');

/** @returns an agent of a class made for the test */
function newAgentOf(Class, options) {
  const agent = new Class(options);
  cleanUp(() => agent.destroy());
  return agent;
}

describe('keepSocketAlive(socket)', () => {
  it('is asked when a socket falls idle, and false closes the socket', async () => {
    const asked = [];
    class Reluctant extends http.Agent {
      keepSocketAlive(socket) {
        asked.push(socket);
        return asked.length % 2 === 0 && super.keepSocketAlive(socket);
      }
    }
    const peer = await serve((req, res) => res.end());
    const agent = newAgentOf(Reluctant, { keepAlive: true });
    const { req } = await exchange({ ...peer.address, agent });
    await untilPoolIsEmpty(agent);
    expect(asked).toEqual([req.socket]);
    await untilNoConnections(peer);

    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    expect(poolOf(agent).freeSockets).toBe(1);
  });

  it('keeps any socket for which it says true, without its own set-up', async () => {
    class Keeper extends http.Agent {
      keepSocketAlive() {
        return true;
      }
    }
    const peer = await serve((req, res) => {
      res.setHeader('Keep-Alive', 'timeout=1');
      res.end();
    });
    const agent = newAgentOf(Keeper, { keepAlive: true });
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    expect((await exchange({ ...peer.address, agent })).req.reusedSocket).toBe(true);
  });
});

describe('reuseSocket(socket, req)', () => {
  it('is called when an idle socket is taken', async () => {
    const calls = [];
    class Watcher extends http.Agent {
      reuseSocket(socket, req) {
        calls.push([socket, req, req.reusedSocket]);
        super.reuseSocket(socket, req);
      }
    }
    const peer = await serve((req, res) => res.end());
    const agent = newAgentOf(Watcher, { keepAlive: true });
    const first = await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    expect(calls).toEqual([]);
    const second = await exchange({ ...peer.address, agent });
    expect(calls).toEqual([[first.req.socket, second.req, false]]);
    expect(second.req.reusedSocket).toBe(true);
  });

  // Node 22 and newer guard an idle socket against data, and only the original takes the guard off.
  const itWithoutGuard = isOracle && nodeIsAtLeast(22) ? it.skip : it;

  itWithoutGuard('overridden without a call of the original still reuses the socket', async () => {
    class Silent extends http.Agent {
      reuseSocket(socket) {
        socket.ref();
      }
    }
    const peer = await serve((req, res) => res.end());
    const agent = newAgentOf(Silent, { keepAlive: true });
    for (let i = 0; i < 3; i++) {
      expect((await exchange({ ...peer.address, agent })).req.reusedSocket).toBe(false);
      await untilIdle(agent);
    }
    expect(peer.accepted.length).toBe(1);
  });
});

describe('getName(options)', () => {
  it('overridden decides which requests share connections', async () => {
    class ByTenant extends http.Agent {
      getName(options) {
        return `${super.getName(options)}:${options.tenant}`;
      }
    }
    const peer = await serve((req, res) => res.end());
    const agent = newAgentOf(ByTenant, { keepAlive: true });
    const reused = [];
    for (const tenant of ['a', 'b', 'a', 'b']) {
      reused.push((await exchange({ ...peer.address, agent, tenant })).req.reusedSocket);
      await untilIdle(agent);
    }
    expect(reused).toEqual([false, false, true, true]);
    expect(Object.keys(agent.freeSockets)).toEqual(['a', 'b'].map((tenant) => `127.0.0.1:${peer.port}::${tenant}`));
  });
});

describe('which agent a request uses', () => {
  it('is the global one, which keeps connections alive, when none is given', async () => {
    const peer = await serve((req, res) => res.end(req.headers.connection));
    for (const agent of [undefined, null]) {
      const { req, body } = await exchange({ ...peer.address, agent });
      expect(req.agent).toBe(http.globalAgent);
      expect(body.toString()).toBe('keep-alive');
      await untilIdle(http.globalAgent);
    }
    expect(peer.accepted.length).toBe(1);
  });

  it('is one of its own with the defaults for agent: false, which closes the connection', async () => {
    const peer = await serve((req, res) => res.end(req.headers.connection));
    const { req, body } = await exchange({ ...peer.address, agent: false });
    expect(req.agent).toBeInstanceOf(http.globalAgent.constructor);
    expect(req.agent).not.toBe(http.globalAgent);
    expect(req.agent.keepAlive).toBe(false);
    expect(body.toString()).toBe('close');
    await untilPoolIsEmpty(req.agent);
    await untilNoConnections(peer);
  });

  it('is an agent of node:http just as well', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = new nodeHttp.Agent({ keepAlive: true });
    cleanUp(() => agent.destroy());
    const reused = [];
    for (let i = 0; i < 3; i++) {
      reused.push((await exchange({ ...peer.address, agent })).req.reusedSocket);
      await untilIdle(agent);
    }
    expect(reused).toEqual([false, true, true]);
    expect(poolOf(agent).freeSockets).toBe(1);
  });

  it('may serve requests of node:http and of this module in turn', async () => {
    const peer = await serve((req, res) => res.end('x'));
    const agent = newAgent({ keepAlive: true });
    for (const { get } of [nodeHttp, http, nodeHttp, http]) {
      const res = await new Promise((resolve, reject) => {
        get({ ...peer.address, agent }, resolve).on('error', reject);
      });
      expect((await res.toArray()).join('')).toBe('x');
      await untilIdle(agent);
    }
    expect(poolOf(agent).freeSockets).toBe(1);
  });

  it('may be any object with addRequest()', async () => {
    const peer = await serve((req, res) => res.end());
    const pool = newAgent({ keepAlive: true });
    const calls = [];
    const agent = {
      addRequest(req, options) {
        calls.push(options);
        pool.addRequest(req, options);
      },
    };
    const { req } = await exchange({ ...peer.address, agent, path: '/x' });
    expect(req.agent).toBe(agent);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ host: '127.0.0.1', port: peer.port, path: '/x' });
  });

  it('takes the old form of addRequest(req, host, port, localAddress)', async () => {
    const peer = await serve((req, res) => res.end());
    const pool = newAgent();
    const names = [];
    const agent = {
      addRequest(req, { host, port }) {
        pool.addRequest(req, host, port, '127.0.0.1');
        names.push(...Object.keys(pool.sockets));
      },
    };
    const { res } = await exchange({ ...peer.address, agent });
    expect(res.statusCode).toBe(200);
    expect(names).toEqual([`127.0.0.1:${peer.port}:127.0.0.1`]);
  });

  it.each([true, 'agent', 1, {}, () => {}])('cannot be %p', (agent) => {
    expect(() => http.get({ agent })).toThrow(expect.objectContaining({
      code: 'ERR_INVALID_ARG_TYPE',
      message: expect.stringContaining(
        'The "options.agent" property must be one of Agent-like Object, undefined, or false'),
    }));
  });
});
