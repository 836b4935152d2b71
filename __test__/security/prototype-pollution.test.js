'use strict';

/** Names that mean something to JavaScript objects are names like any other (CWE-1321). */

const {
  http, newAgent, serve, serveAnswer, exchange, untilIdle, responseTo, bytesOf, cleanUp, isOracle, nodeIsAtLeast,
} = require('../support');

const NAMES = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', '__defineGetter__'];

describe('a response header', () => {
  it.each(NAMES)('named %s is data and changes no prototype', async (name) => {
    const peer = await serveAnswer(
      `HTTP/1.1 200 OK\r\n${name}: polluted\r\nTrailer: ${name}\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `0\r\n${name}: trailed\r\n\r\n`);
    const { res } = await exchange({ ...peer.address, agent: newAgent() });
    const key = name.toLowerCase();
    // An object literal cannot own __proto__ by assignment: Node loses that one here, and here alone.
    expect(Object.hasOwn(res.headers, key)).toBe(key !== '__proto__');
    if (key !== '__proto__') {
      expect(res.headers[key]).toBe('polluted');
      expect(res.trailers[key]).toBe('trailed');
    }
    expect(res.headersDistinct[key]).toEqual(['polluted']);
    expect(res.rawHeaders.slice(0, 2)).toEqual([name, 'polluted']);
    expect({}.polluted).toBeUndefined();
    expect(Object.prototype.toString.call({})).toBe('[object Object]');
  });
});

describe('the options of a request', () => {
  // Up to Node 22 what __proto__ holds counts as options.
  const itWhereOptionsInheritNothing = isOracle && !nodeIsAtLeast(24) ? it.skip : it;

  itWhereOptionsInheritNothing('parsed from JSON with __proto__ do not smuggle in others', async () => {
    const peer = await serve((req, res) => res.end(req.method));
    const options = JSON.parse(`{ "host": "127.0.0.1", "port": ${peer.port}, "__proto__": { "method": "DELETE" } }`);
    const { body } = await exchange({ ...options, agent: newAgent() });
    expect(body.toString()).toBe('GET');
  });

  it('may hold a header named __proto__', async () => {
    const peer = await serve((req, res) => res.end(req.rawHeaders.join()));
    const headers = JSON.parse('{ "__proto__": "x" }');
    const { body } = await exchange({ ...peer.address, agent: newAgent(), headers });
    expect(body.toString()).toContain('__proto__,x');
  });
});

describe('the tables of an agent', () => {
  it.each(NAMES)('take the name %s', async (name) => {
    class Named extends http.Agent {
      getName() {
        return name;
      }
    }
    const peer = await serve((req, res) => res.end('x'));
    const agent = new Named({ keepAlive: true, maxSockets: 1 });
    cleanUp(() => agent.destroy());
    const reqs = [1, 2].map(() => http.get({ ...peer.address, agent }));
    expect(Object.keys(agent.sockets)).toEqual([name]);
    expect(Object.keys(agent.requests)).toEqual([name]);
    await Promise.all(reqs.map(async (req) => bytesOf(await responseTo(req))));
    await untilIdle(agent);
    expect(Object.keys(agent.freeSockets)).toEqual([name]);
    expect((await exchange({ ...peer.address, agent })).req.reusedSocket).toBe(true);
  });
});
