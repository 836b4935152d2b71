'use strict';

/** Names that mean something to JavaScript objects are names like any other (CWE-1321). */

const nodeHttp = require('node:http');
const path = require('node:path');
const {
  ROOT, http, newAgent, serve, serveAnswer, exchange, untilIdle, responseTo, runScript, bytesOf, cleanUp, isOracle,
} = require('../support');
const { https, serveTls } = require('../support/tls');

/** Options that tls.connect() looks at in an object of its own, which inherits them. */
const NOT_OF_REQUESTS = ['family', 'host', 'localAddress', 'lookup', 'onread', 'socketPath'];

const NAMES = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', '__defineGetter__'];

/** True if Node's own getter is right, which ours inherits: before Node 20.20.2, 22.22.2 and 24.14.1 it throws. */
const headersDistinctInheritNothing =
  Object.getPrototypeOf(new nodeHttp.IncomingMessage().headersDistinct) === null;

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
    if (headersDistinctInheritNothing) expect(res.headersDistinct[key]).toEqual(['polluted']);
    expect(res.rawHeaders.slice(0, 2)).toEqual([name, 'polluted']);
    expect({}.polluted).toBeUndefined();
    expect(Object.prototype.toString.call({})).toBe('[object Object]');
  });
});

describe('the options of a request', () => {
  const itWhereOptionsAreOwn = isOracle && !nodeTakesOwnOptionsOnly() ? it.skip : it;

  /** Asks whether the running Node ignores what options inherit, as since Node 24.16. */
  function nodeTakesOwnOptionsOnly() {
    let found;
    const agent = { addRequest: (req, options) => { found = options; }, defaultPort: 80, protocol: 'http:' };
    nodeHttp.request({ agent });
    return Object.getPrototypeOf(found) === null;
  }

  itWhereOptionsAreOwn('parsed from JSON with __proto__ do not smuggle in others', async () => {
    const peer = await serve((req, res) => res.end(req.method));
    const options = JSON.parse(`{ "host": "127.0.0.1", "port": ${peer.port}, "__proto__": { "method": "DELETE" } }`);
    const { body } = await exchange({ ...options, agent: newAgent() });
    expect(body.toString()).toBe('GET');
  });

  /** Options, and values of them that make another request, or none, of one that has them. */
  const POLLUTION = {
    _defaultAgent: {}, agent: false, auth: 'a:b', createConnection: null, defaultPort: 1, family: 6,
    headers: { polluted: '1' }, host: 'polluted.test', hostname: 'polluted.test', httpValidation: 'none',
    insecureHTTPParser: 1, joinDuplicateHeaders: 1, localAddress: '127.0.0.9', lookup: null, maxHeaderSize: 1,
    method: 'DELETE', onread: {}, path: '/polluted', protocol: 'ftp:', proxyEnv: { http_proxy: 'http://[' },
    setDefaultHeaders: false, setHost: false, socketPath: '/polluted', uniqueHeaders: 1,
  };

  /** Makes each request while one more option is on Object.prototype; writes down what the server has seen. */
  async function pollute(http, { module, pollution, address, urls }) {
    const client = require(module);
    const seen = {};
    const onlyHere = (value) => value === null ? () => { throw new Error('called'); } : value;
    const bodyOf = (make) => new Promise((resolve) => {
      make().on('error', ({ message }) => resolve(message)).on('response', (res) => {
        let body = '';
        res.setEncoding('utf8').on('data', (chunk) => { body += chunk; });
        res.on('end', () => resolve(body)).on('error', ({ message }) => resolve(message));
      });
    });
    for (const [key, value] of Object.entries(pollution)) {
      for (const kind of urls) {
        // An agent first: a polluted environment would concern the agent itself.
        const polluted = () => {
          Object.prototype[key] = onlyHere(value);
          try {
            const agent = new client.Agent({ rejectUnauthorized: false });
            if (kind === 'url') return client.get(address.href, { agent });
            const { host, port } = address;
            return client.get(Object.hasOwn(address, key) ? { ...address, agent } : { host, port, agent });
          } finally {
            delete Object.prototype[key];
          }
        };
        seen[`${key}, ${kind}`] = await bodyOf(polluted).catch(({ message }) => message);
      }
    }
    console.log(JSON.stringify(seen));
  }

  itWhereOptionsAreOwn.each([['http', serve], ['https', serveTls]])('of %s are not taken from Object.prototype',
    async (name, serveOne) => {
      const peer = await serveOne((req, res) => {
        const { authorization, host = '', polluted } = req.headers;
        res.end([req.method, req.url, authorization, polluted, host.replace(/\d+$/, 'port')].join());
      });
      const href = `${name}://127.0.0.1:${peer.port}/`;
      const module = isOracle ? `node:${name}` : path.join(ROOT, name === 'https' ? 'https' : '');
      const names = Object.keys(POLLUTION).filter((key) => name === 'http' || !NOT_OF_REQUESTS.includes(key));
      const pollution = Object.fromEntries(names.map((key) => [key, POLLUTION[key]]));
      const { stdout, stderr } = await runScript(pollute, {
        args: { module, pollution, address: { host: '127.0.0.1', port: peer.port, href }, urls: ['url', 'options'] },
      });
      expect(stderr).toBe('');
      const seen = JSON.parse(stdout);
      expect(Object.keys(seen)).toHaveLength(2 * names.length);
      expect(seen).toEqual(Object.fromEntries(Object.keys(seen).map((key) => [key, 'GET,/,,,127.0.0.1:port'])));
    });

  itWhereOptionsAreOwn('inherit nothing where an agent or createConnection gets them', () => {
    const got = [];
    const agent = { addRequest: (req, options) => { got.push(options); }, defaultPort: 80, protocol: 'http:' };
    http.request({ agent });
    http.request('http://localhost/', { agent });
    http.request(new URL('http://localhost/'), { agent });
    https.request({ agent: { ...agent, protocol: 'https:' } });
    http.request({ createConnection: (options) => { got.push(options); } });
    http.request({ path: '/', createConnection: (options) => { got.push(options); } });
    expect(got.map((options) => Object.getPrototypeOf(options))).toEqual([null, null, null, null, null, null]);
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
