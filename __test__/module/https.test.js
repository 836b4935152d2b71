'use strict';

/** require('ferrequest/https') gives node:https with the client replaced. */

const nodeHttp = require('node:http');
const nodeHttps = require('node:https');
const { once } = require('node:events');
const { bytesOf, cleanUp, http, itOurs, isOracle, nodeIsAtLeast, responseTo, ROOT, runNode } = require('../support');
const { certificates, exchangeTls, https, newTlsAgent, serveTls } = require('../support/tls');

const { ca } = certificates;

/** A server that tells what it was asked. */
const serveMirror = (options) => serveTls((req, res) => {
  res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers }));
}, options);

const read = async (req) => JSON.parse(await bytesOf(await responseTo(req)));

describe('the https module', () => {
  it('has every export of node:https and nothing else', () => {
    expect(Object.keys(https).sort()).toEqual(Object.keys(nodeHttps).sort());
    for (const name of Object.keys(nodeHttps)) {
      expect([name, typeof https[name]]).toEqual([name, typeof nodeHttps[name]]);
    }
    for (const name of ['Agent', 'get', 'request']) expect(https[name].name).toBe(name);
    expect([https.createServer, https.Server]).toEqual([nodeHttps.createServer, nodeHttps.Server]);
  });

  itOurs('has requests that are those of ferrequest', () => {
    const req = https.request({ agent: { addRequest() {}, protocol: 'https:', defaultPort: 443 } });
    expect(req).toBeInstanceOf(http.ClientRequest);
    expect(req.constructor).toBe(http.ClientRequest);
    expect(req.constructor).not.toBe(nodeHttp.ClientRequest);
  });

  it('has a global agent that keeps connections alive', () => {
    expect(https.globalAgent).toBeInstanceOf(https.Agent);
    expect(https.globalAgent).toBeInstanceOf(nodeHttps.Agent);
    expect(https.globalAgent).toBeInstanceOf(nodeHttp.Agent);
    expect(https.globalAgent).toMatchObject({
      protocol: 'https:', defaultPort: 443, keepAlive: true, maxSockets: Infinity, maxFreeSockets: 256,
      scheduling: 'lifo', options: { keepAlive: true, scheduling: 'lifo', timeout: 5000, noDelay: true },
    });
  });

  it('takes a URL, a string, options, and options besides', async () => {
    const peer = await serveMirror();
    const url = `https://127.0.0.1:${peer.port}/path?query#fragment`;
    const options = { ca, agent: newTlsAgent(), method: 'PUT' };
    const wanted = { method: 'PUT', url: '/path?query' };
    expect(await read(https.request(url, options).end())).toMatchObject(wanted);
    expect(await read(https.request(new URL(url), options).end())).toMatchObject(wanted);
    expect(await read(https.request({ ...peer.address, path: '/path?query', ...options }).end())).toMatchObject(wanted);
    expect(await read(https.get(url, options))).toMatchObject(wanted);
    const callback = jest.fn();
    const mirrored = await read(https.get(url, { ...options, method: 'GET' }, callback));
    expect(mirrored).toMatchObject({ method: 'GET', headers: { host: `127.0.0.1:${peer.port}` } });
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('sends the credentials of a URL', async () => {
    const peer = await serveMirror();
    const { headers } = await read(https.get(`https://user:p%40ss@127.0.0.1:${peer.port}/`, { agent: newTlsAgent() }));
    expect(headers.authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`);
  });

  it('speaks to port 443 unless told otherwise, and does not name that in Host', () => {
    const added = [];
    const agent = { addRequest: (req, options) => added.push(options), protocol: 'https:', defaultPort: 443 };
    const req = https.request({ host: 'example.test', agent });
    expect(req.getHeader('host')).toBe('example.test');
    expect(https.request('https://example.test:443/', { agent }).getHeader('host')).toBe('example.test');
    expect(https.request('https://example.test:80/', { agent }).getHeader('host')).toBe('example.test:80');
    expect(added.map(({ port }) => Number(port))).toEqual([443, 443, 80]);
    expect(req.protocol).toBe('https:');
  });

  it('refuses what is not https', () => {
    const mismatch = (protocol, expected) => ({
      code: 'ERR_INVALID_PROTOCOL',
      name: 'TypeError',
      message: `Protocol "${protocol}" not supported. Expected "${expected}"`,
    });
    const failure = (make) => {
      try {
        make();
      } catch ({ code, name, message }) {
        return { code, name, message };
      }
      return undefined;
    };
    expect(failure(() => https.get('http://127.0.0.1/'))).toEqual(mismatch('http:', 'https:'));
    expect(failure(() => http.get('https://127.0.0.1/'))).toEqual(mismatch('https:', 'http:'));
    expect(failure(() => https.get({ agent: new http.Agent() }))).toEqual(mismatch('https:', 'http:'));
    expect(failure(() => http.get({ agent: new https.Agent() }))).toEqual(mismatch('http:', 'https:'));
    expect(failure(() => https.get('no URL'))).toMatchObject({ code: 'ERR_INVALID_URL' });
    expect(failure(() => https.get({ agent: {} }))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });

  it('makes http requests over TLS where protocol and agent say so', async () => {
    const peer = await serveMirror();
    const req = http.get({ ...peer.address, protocol: 'https:', agent: newTlsAgent() });
    expect(await read(req)).toMatchObject({ headers: { host: `127.0.0.1:${peer.port}` } });
    expect(req.socket.encrypted).toBe(true);
  });

  it('with agent: false uses a connection of its own, and closes it', async () => {
    const peer = await serveMirror();
    const req = https.get({ ...peer.address, ca, agent: false });
    const [socket] = await once(req, 'socket');
    const closed = once(socket, 'close');
    expect(await read(req)).toMatchObject({ headers: { connection: 'close' } });
    await closed;
    expect(req.agent).toBeInstanceOf(https.Agent);
    expect(req.agent).not.toBe(https.globalAgent);
  });

  it('lets the global agent be replaced', async () => {
    const peer = await serveMirror();
    const { globalAgent } = https;
    cleanUp(() => { https.globalAgent = globalAgent; });
    const agent = newTlsAgent({ keepAlive: true });
    https.globalAgent = agent;
    const req = https.get(peer.address);
    await read(req);
    expect([req.agent, https.globalAgent]).toEqual([agent, agent]);
  });

  itOurs('imports by default and by names in an ES module', async () => {
    const source = `
      import https, { Agent, get, globalAgent, request, createServer } from 'ferrequest/https';
      import { createRequire } from 'node:module';
      const required = createRequire(import.meta.url)('ferrequest/https');
      const named = { Agent, get, globalAgent, request, createServer };
      const wrong = ([name, value]) => value !== required[name] || value !== https[name];
      console.log(Object.entries(named).filter(wrong).length);`;
    const result = await runNode(['--input-type=module', '-e', source], { cwd: ROOT });
    expect(result).toMatchObject({ code: 0, stdout: '0\n', stderr: '' });
  });
});

describe('an agent of https', () => {
  it('works without new, and can be extended', async () => {
    const peer = await serveMirror();
    expect(https.Agent()).toBeInstanceOf(https.Agent);
    class Counting extends https.Agent {
      count = 0;

      createConnection(...args) {
        this.count++;
        return super.createConnection(...args);
      }
    }
    const agent = new Counting({ ca });
    await exchangeTls({ ...peer.address, agent });
    await exchangeTls({ ...peer.address, agent });
    expect(agent.count).toBe(2);
  });

  it('has the names of Node, in which every option of the connection has its place', () => {
    const agent = new https.Agent();
    const nodes = new nodeHttps.Agent();
    const options = {
      host: 'h', port: 1, localAddress: 'l', family: 4, ca: 'ca', cert: 'cert', clientCertEngine: 'engine',
      ciphers: 'c', key: 'key', pfx: 'pfx', rejectUnauthorized: false, servername: 's', minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      secureProtocol: 'TLS_method', crl: 'crl', honorCipherOrder: true, ecdhCurve: 'curve', dhparam: 'dh',
      secureOptions: 7, sessionIdContext: 'id', sigalgs: 'sig', privateKeyIdentifier: 'p', privateKeyEngine: 'e',
    };
    expect(agent.getName()).toBe(nodes.getName());
    expect(agent.getName(options)).toBe(nodes.getName(options));
    expect(agent.getName({ socketPath: '/s' })).toBe(nodes.getName({ socketPath: '/s' }));
    for (const name of Object.keys(options)) {
      const others = { ...options, [name]: undefined };
      expect([name, agent.getName(others)]).toEqual([name, nodes.getName(others)]);
      expect(agent.getName(others)).not.toBe(agent.getName(options));
    }
  });

  it('takes every option, and remembers a hundred sessions by default', () => {
    expect(new https.Agent()).toMatchObject({ maxCachedSessions: 100, defaultPort: 443, protocol: 'https:' });
    const agent = new https.Agent({ maxCachedSessions: 3, keepAlive: true, maxSockets: 2, ciphers: 'c' });
    expect(agent).toMatchObject({ maxCachedSessions: 3, keepAlive: true, maxSockets: 2, options: { ciphers: 'c' } });
    expect(agent.options.path).toBe(null);
  });
});

// Newer releases of Node do the same.
const itSeparates = isOracle && !nodeIsAtLeast(22) ? it.skip : it;

describe('requests with a checkServerIdentity of their own', () => {
  itSeparates('do not share a connection with those that have none', async () => {
    const peer = await serveMirror();
    const agent = newTlsAgent({ keepAlive: true });
    const checked = [];
    const checkServerIdentity = (host) => { checked.push(host); };
    const first = await exchangeTls({ ...peer.address, agent });
    const second = await exchangeTls({ ...peer.address, agent, checkServerIdentity });
    const third = await exchangeTls({ ...peer.address, agent });
    expect([second.socket === first.socket, third.socket === first.socket]).toEqual([false, true]);
    expect(checked).toEqual(['127.0.0.1']);
  });
});
