'use strict';

/** require('ferrequest') gives node:http with the client replaced. */

const nodeHttp = require('node:http');
const {
  bytesOf, cleanUp, describeLinux, exchange, http, itNative, itOurs, newAgent, pseudoRandomBytes, responseTo, ROOT,
  runNode, runScript, serve, untilIdle,
} = require('../support');

// Members that are not Node's own; setGlobalProxyFromEnv() (since Node 24) concerns the global agent.
const CLIENT = ['Agent', 'ClientRequest', 'get', 'globalAgent', 'request', 'setGlobalProxyFromEnv'];

describe('the module', () => {
  it('has every export of node:http', () => {
    expect(Object.keys(http)).toEqual(expect.arrayContaining(Object.keys(nodeHttp)));
    for (const name of Object.keys(nodeHttp)) expect([name, typeof http[name]]).toEqual([name, typeof nodeHttp[name]]);
  });

  itOurs('adds ClientResponse, diagnose and stats, nothing else', () => {
    const added = Object.keys(http).filter((name) => !(name in nodeHttp));
    expect(added.sort()).toEqual(['ClientResponse', 'diagnose', 'stats']);
  });

  itOurs('has a client of its own, which extends what it replaces where Node has more than a client in it', () => {
    for (const name of CLIENT.filter((key) => key in nodeHttp)) {
      expect([name, http[name] !== nodeHttp[name]]).toEqual([name, true]);
    }
    expect(Object.getPrototypeOf(http.ClientRequest.prototype)).toBe(nodeHttp.OutgoingMessage.prototype);
    expect(http.Agent.prototype).toBeInstanceOf(nodeHttp.Agent);
    expect(http.ClientResponse.prototype).toBeInstanceOf(nodeHttp.IncomingMessage);
  });

  it("has Node's own objects for everything else", () => {
    for (const name of Object.keys(nodeHttp).filter((key) => !CLIENT.includes(key))) {
      expect([name, http[name] === nodeHttp[name]]).toEqual([name, true]);
    }
  });

  it('has functions and classes with the names of Node', () => {
    for (const name of ['Agent', 'ClientRequest', 'get', 'request']) expect(http[name].name).toBe(name);
    expect(http.globalAgent).toBeInstanceOf(http.Agent);
    expect(http.Agent.defaultMaxSockets).toBe(Infinity);
    expect(http.globalAgent).toMatchObject({
      protocol: 'http:', defaultPort: 80, keepAlive: true, maxSockets: Infinity, maxFreeSockets: 256,
      scheduling: 'lifo',
    });
  });

  it('leaves node:http as it was', async () => {
    const peer = await serve((req, res) => res.end('node'));
    const agent = new nodeHttp.Agent();
    const req = nodeHttp.get({ ...peer.address, agent });
    const res = await new Promise((resolve) => { req.once('response', resolve); });
    expect((await bytesOf(res)).toString()).toBe('node');
    expect(req.constructor).toBe(nodeHttp.ClientRequest);
    expect(res.constructor).toBe(nodeHttp.IncomingMessage);
  });

  it('serves as Node does', async () => {
    const server = http.createServer((req, res) => res.end('served'));
    cleanUp(() => server.close());
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const { body } = await exchange({ ...server.address(), host: '127.0.0.1', agent: newAgent() });
    expect(body.toString()).toBe('served');
    expect(server).toBeInstanceOf(nodeHttp.Server);
  });

  it('can be destructured', async () => {
    const { get, request } = http;
    const peer = await serve((req, res) => res.end(req.method));
    const requests = [get(peer.address), request({ ...peer.address, method: 'PUT' }).end()];
    const methods = await Promise.all(requests.map(async (req) => String(await bytesOf(await responseTo(req)))));
    expect(methods).toEqual(['GET', 'PUT']);
  });
});

describe('globalAgent', () => {
  it('is used by requests without an agent, and can be replaced', async () => {
    const before = http.globalAgent;
    cleanUp(() => { http.globalAgent = before; });
    const agent = newAgent({ keepAlive: true });
    http.globalAgent = agent;
    expect(http.globalAgent).toBe(agent);
    const peer = await serve((req, res) => res.end());
    const { req } = await exchange(peer.address);
    expect(req.agent).toBe(agent);
    await untilIdle(agent);
    expect(Object.values(agent.freeSockets).flat()).toHaveLength(1);
    expect(Object.keys(before.freeSockets)).toHaveLength(0);
  });

  itOurs("is not Node's, and replacing it leaves that alone", () => {
    const before = http.globalAgent;
    const nodes = nodeHttp.globalAgent;
    expect(before).not.toBe(nodes);
    http.globalAgent = newAgent();
    cleanUp(() => { http.globalAgent = before; });
    expect(nodeHttp.globalAgent).toBe(nodes);
  });
});

describe('stats()', () => {
  itNative('counts requests, responses, connections, bytes and crossings', async () => {
    const body = pseudoRandomBytes(100000);
    const peer = await serve((req, res) => req.resume().on('end', () => res.end(body)));
    const agent = newAgent({ keepAlive: true });
    const before = http.stats();
    for (let i = 0; i < 10; i++) {
      await exchange({ ...peer.address, agent, method: 'POST', body });
      await untilIdle(agent);
    }
    const after = http.stats();
    const counted = Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
    expect(counted).toMatchObject({
      requests: 10, responses: 10, connectionsOpened: 1, connectionsReused: 9, staleReplaced: 0,
      bytesIn: peer.accepted[0].bytesWritten, bytesOut: peer.accepted[0].bytesRead,
    });
    expect(counted.doorbells).toBeGreaterThanOrEqual(10);
    expect(counted.drains).toBeGreaterThanOrEqual(10);
    expect(after.recordsPerDrain).toBeGreaterThanOrEqual(1);
  });

  itOurs('gives a snapshot, not a view', () => {
    const one = http.stats();
    one.requests = -1;
    expect(http.stats().requests).toBeGreaterThanOrEqual(0);
  });
});

describeLinux('loading the module', () => {
  itNative('starts no thread; the first request does', async () => {
    const result = await runScript((loaded) => {
      const threads = () => require('node:fs').readdirSync('/proc/self/task').length;
      const server = loaded.createServer((req, res) => res.end()).listen(0, '127.0.0.1', () => {
        require('node:dns').lookup('127.0.0.1', () => {
          const before = threads();
          loaded.get({ port: server.address().port, host: '127.0.0.1', agent: false }, (res) => {
            console.log(threads() - before);
            res.resume();
            server.close();
          });
        });
      });
    });
    expect(result).toMatchObject({ code: 0, stdout: '1\n', stderr: '' });
  });

  itOurs('and nothing more leaves nothing to wait for', async () => {
    const result = await runScript(() => {});
    expect(result).toMatchObject({ code: 0, stdout: '', stderr: '', timedOut: false });
  });
});

describe('an ES module', () => {
  itOurs('imports it by default and by names', async () => {
    const source = `
      import http from 'ferrequest';
      import { createRequire } from 'node:module';
      const required = createRequire(import.meta.url)('ferrequest');
      import { request, get, ClientRequest, ClientResponse, Agent, globalAgent, createServer, stats } from 'ferrequest';
      const named = { request, get, ClientRequest, ClientResponse, Agent, createServer, stats };
      for (const [name, value] of Object.entries(named)) {
        if (value !== required[name] || value !== http[name]) throw new Error(name);
      }
      if (!(globalAgent instanceof Agent)) throw new Error('globalAgent');
      const server = createServer((req, res) => res.end('module')).listen(0, '127.0.0.1', () => {
        get({ port: server.address().port, host: '127.0.0.1', agent: false }, (res) => {
          res.on('data', (chunk) => console.log(String(chunk))).on('end', () => server.close());
        });
      });`;
    const result = await runNode(['--input-type=module', '-e', source], { cwd: ROOT });
    expect(result).toMatchObject({ code: 0, stdout: 'module\n', stderr: '' });
  });
});
