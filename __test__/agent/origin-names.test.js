'use strict';

/** The names under which an agent keeps connections, which are kept themselves: they must be Node's all the same. */

const nodeHttp = require('node:http');
const nodeHttps = require('node:https');

const ferrequest = require('../..');
const ferrequestTls = require('../../https');
const { OriginNames } = require('../../lib/agent/origin-names');
const { bytesOf, cleanUp, describeOurs, responseTo, serve, socketPath } = require('../support');
const { certificates, serveTls } = require('../support/tls');

const { ca, local } = certificates;

/** Names of the idle connections of an agent after requests with these options, one after the other. */
async function namesAfter(client, agentOptions, requests) {
  const agent = new client.Agent({ keepAlive: true, ...agentOptions });
  cleanUp(() => agent.destroy());
  const names = [];
  for (const options of requests) {
    const req = client.get({ host: '127.0.0.1', ...options, agent });
    await bytesOf(await responseTo(req));
    await new Promise((resolve) => { setImmediate(resolve); });
    names.push(Object.keys(agent.freeSockets).sort());
  }
  return names;
}

describeOurs('the names of the origins of an agent', () => {
  const oneAndAnother = (one, another) => [one, one, another, one, another];

  it.each([
    ['a family', {}, oneAndAnother({ family: 4 }, { family: 6, host: '::ffff:127.0.0.1' })],
    ['a local address', {}, oneAndAnother({ localAddress: '127.0.0.1' }, {})],
    ['a family of the agent', { family: 4 }, oneAndAnother({}, { localAddress: '127.0.0.1' })],
    ['a host of the agent, which counts', { host: '127.0.0.1' },
      oneAndAnother({ host: 'localhost' }, { host: 'other.test' })],
  ])('are Node\'s, with %s', async (_what, agentOptions, requests) => {
    const { address: { port } } = await serve((_req, res) => res.end());
    const withPort = requests.map((options) => ({ port, ...options }));
    const node = await namesAfter(nodeHttp, agentOptions, withPort);
    expect(await namesAfter(ferrequest, agentOptions, withPort)).toEqual(node);
  });

  it('are Node\'s, with a Unix domain socket', async () => {
    const paths = [socketPath(), socketPath()];
    for (const path of paths) await serve((_req, res) => res.end(), { listen: { path } });
    const requests = oneAndAnother(...paths.map((path) => ({ socketPath: path, host: 'localhost' })));
    const node = await namesAfter(nodeHttp, {}, requests);
    expect(await namesAfter(ferrequest, {}, requests)).toEqual(node);
  });

  it.each([
    ['certificates of the agent', { ca }, oneAndAnother({}, { servername: 'localhost' })],
    ['certificates of the request', { rejectUnauthorized: false }, oneAndAnother({ ca }, {})],
    ['a list of certificates', { ca: [ca] }, oneAndAnother({}, { rejectUnauthorized: false })],
    ['a certificate of its own', { ca, ...local }, oneAndAnother({}, { ciphers: 'DEFAULT' })],
    ['a Host field', { ca, rejectUnauthorized: false }, oneAndAnother({}, { headers: { Host: 'a.test' } })],
    ['versions', { ca }, oneAndAnother({ maxVersion: 'TLSv1.2' }, { minVersion: 'TLSv1.3' })],
    ['an undefined option of the agent, which counts', { ca, servername: undefined },
      oneAndAnother({ servername: 'a.test' }, {})],
  ])('are Node\'s over TLS, with %s', async (_what, agentOptions, requests) => {
    const { port } = await serveTls((_req, res) => res.end());
    const withPort = requests.map((options) => ({ port, ...options }));
    const node = await namesAfter(nodeHttps, agentOptions, withPort);
    expect(await namesAfter(ferrequestTls, agentOptions, withPort)).toEqual(node);
    expect(new Set(node.flat()).size).toBeLessThanOrEqual(2);
  });

  it('change with what they are made of, also within a list', async () => {
    const { port } = await serveTls((_req, res) => res.end());
    const agent = new ferrequestTls.Agent({ keepAlive: true, ca: [ca] });
    cleanUp(() => agent.destroy());
    const exchange = async () => {
      const req = ferrequestTls.get({ host: '127.0.0.1', port, agent });
      await bytesOf(await responseTo(req));
      await new Promise((resolve) => { setImmediate(resolve); });
      return req.reusedSocket;
    };
    expect([await exchange(), await exchange()]).toEqual([false, true]);
    agent.options.ca.push(local.cert);
    expect([await exchange(), await exchange()]).toEqual([false, true]);
    agent.options.rejectUnauthorized = false;
    expect([await exchange(), await exchange()]).toEqual([false, true]);
    expect(Object.keys(agent.freeSockets)).toHaveLength(3);
  });

  it('are made by a getName that somebody has put in place of Node\'s meanwhile', async () => {
    const { port } = await serveTls((req, res) => {
      if (req.url !== '/held') res.end();
    });
    const { getName } = nodeHttps.Agent.prototype;
    cleanUp(() => { nodeHttps.Agent.prototype.getName = getName; });
    for (const client of [nodeHttps, ferrequestTls]) {
      const agent = new client.Agent({ keepAlive: true, ca });
      cleanUp(() => agent.destroy());
      const start = (path) => client.get({ host: '127.0.0.1', port, agent, path });
      const exchange = async () => {
        const req = start('/');
        await bytesOf(await responseTo(req));
        await new Promise((resolve) => { setImmediate(resolve); });
        return req.reusedSocket;
      };
      // One is in use all the time, or the agent would look at its tables anew.
      start('/held').on('error', () => {});
      expect([await exchange(), await exchange()]).toEqual([false, true]);
      nodeHttps.Agent.prototype.getName = function getAnotherName(options) {
        return `another ${getName.call(this, options)}`;
      };
      expect([await exchange(), await exchange()]).toEqual([false, true]);
      nodeHttps.Agent.prototype.getName = getName;
    }
  });

  it('of very many hosts are found, and not kept for ever', () => {
    const agent = new nodeHttp.Agent();
    const { getName } = nodeHttp.Agent.prototype;
    const names = new OriginNames(getName);
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 1000; n++) {
        const options = { host: `host-${n}.test`, port: 80, family: 4 };
        expect(names.find(agent, options, undefined)).toBe(getName.call(agent, options));
      }
    }
    expect(names.byHost.size).toBeLessThan(100);
  });
});

describeOurs('a Host field that is no string', () => {
  it('is refused as Node refuses it, also where an idle connection waits', async () => {
    const { address } = await serve((_req, res) => res.end());
    for (const http of [nodeHttp, ferrequest]) {
      const agent = new http.Agent({ keepAlive: true });
      cleanUp(() => agent.destroy());
      await bytesOf(await responseTo(http.get({ ...address, agent })));
      await new Promise((resolve) => { setImmediate(resolve); });
      expect(Object.keys(agent.freeSockets)).toHaveLength(1);
      expect(() => http.get({ ...address, agent, headers: { host: ['a', 'b'] } }))
        .toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    }
  });
});
