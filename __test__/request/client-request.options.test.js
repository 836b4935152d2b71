'use strict';

/** The options of the connection decide where a request goes, and by which way. */

const dns = require('node:dns');
const net = require('node:net');
const os = require('node:os');
const { once } = require('node:events');
const { Duplex } = require('node:stream');
const {
  bytesOf, cleanUp, exchange, http, newAgent, runScript, serve, serveAnswer, unusedPort,
  itOurs,
} = require('../support');
const { describeTransports } = require('../support/transports');

const hasIPv6 = Object.values(os.networkInterfaces()).flat().some(({ address }) => address === '::1');
const itIPv6 = hasIPv6 ? it : it.skip;
const itLinux = process.platform === 'linux' ? it : it.skip;

/** A server that tells from where it was asked, and what. */
function serveMirror(listen) {
  return serve((req, res) => {
    const { remoteAddress, remotePort } = req.socket;
    res.end(JSON.stringify({ remoteAddress, remotePort, url: req.url, method: req.method, headers: req.headers }));
  }, { listen });
}

async function mirrored(options) {
  const { res, body } = await exchange({ agent: newAgent(), ...options });
  return { ...JSON.parse(body), res };
}

describe('the options of a request', () => {
  it('hostname goes before host', async () => {
    const peer = await serveMirror();
    const { headers } = await mirrored({ host: 'unknown.test', hostname: '127.0.0.1', port: peer.port });
    expect(headers.host).toBe(`127.0.0.1:${peer.port}`);
  });

  it('port may be a string', async () => {
    const peer = await serveMirror();
    expect((await mirrored({ host: '127.0.0.1', port: String(peer.port) })).url).toBe('/');
  });

  it('defaultPort is used without port', async () => {
    const peer = await serveMirror();
    expect((await mirrored({ host: '127.0.0.1', defaultPort: peer.port })).headers.host).toBe('127.0.0.1');
  });

  it('host is localhost if not given', async () => {
    const peer = await serveMirror({ port: 0, host: 'localhost' });
    expect((await mirrored({ port: peer.port })).headers.host).toBe(`localhost:${peer.port}`);
  });

  itIPv6('host may be an IPv6 address', async () => {
    const peer = await serveMirror({ port: 0, host: '::1' });
    const { remoteAddress, headers } = await mirrored({ host: '::1', port: peer.port });
    expect(remoteAddress).toBe('::1');
    expect(headers.host).toBe(`[::1]:${peer.port}`);
    const [res] = await once(http.get(`http://[::1]:${peer.port}/v6`), 'response');
    expect(JSON.parse(await bytesOf(res)).url).toBe('/v6');
  });

  itLinux('localAddress is where the connection comes from', async () => {
    const peer = await serveMirror();
    const { remoteAddress } = await mirrored({ ...peer.address, localAddress: '127.0.0.2' });
    expect(remoteAddress).toBe('127.0.0.2');
  });

  it('localPort is the port the connection comes from', async () => {
    const peer = await serveMirror();
    const localPort = await unusedPort();
    expect((await mirrored({ ...peer.address, localPort })).remotePort).toBe(localPort);
  });

  it('lookup resolves the host name, once, with the options of the request', async () => {
    const peer = await serveMirror();
    const calls = [];
    const { headers } = await mirrored({
      host: 'name.test',
      port: peer.port,
      family: 4,
      lookup(hostname, options, callback) {
        calls.push([hostname, options.family]);
        if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
        else callback(null, '127.0.0.1', 4);
      },
    });
    expect(calls).toEqual([['name.test', 4]]);
    expect(headers.host).toBe(`name.test:${peer.port}`);
  });

  it('lookup may answer later', async () => {
    const peer = await serveMirror();
    const lookup = (hostname, options, callback) => setImmediate(() => {
      if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
      else callback(null, '127.0.0.1', 4);
    });
    expect((await mirrored({ host: 'name.test', port: peer.port, lookup })).url).toBe('/');
  });

  it('lookup is not asked about an address', async () => {
    const peer = await serveMirror();
    const lookup = jest.fn();
    await mirrored({ ...peer.address, lookup });
    expect(lookup).not.toHaveBeenCalled();
  });

  it('without lookup, dns.lookup is read when the request is made', async () => {
    const peer = await serveMirror();
    const { lookup } = dns;
    cleanUp(() => { dns.lookup = lookup; });
    const asked = [];
    dns.lookup = (hostname, options, callback) => {
      asked.push(hostname);
      if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
      else callback(null, '127.0.0.1', 4);
    };
    await mirrored({ host: 'patched.test', port: peer.port });
    expect(asked).toEqual(['patched.test']);
  });

  it('an error of lookup is the error of the request', async () => {
    const failure = Object.assign(new Error('no such name'), { code: 'ENOTFOUND', hostname: 'name.test' });
    const lookup = (hostname, options, callback) => process.nextTick(callback, failure);
    const req = http.get({ host: 'name.test', port: 1, lookup, agent: newAgent() });
    const [error] = await once(req, 'error');
    expect(error).toBe(failure);
  });

  it('of several addresses, one that answers is used, with autoSelectFamily', async () => {
    const peer = await serveMirror();
    const lookup = (hostname, options, callback) => {
      expect(options.all).toBe(true);
      callback(null, [{ address: '::1', family: 6 }, { address: '127.0.0.1', family: 4 }]);
    };
    const { remoteAddress } = await mirrored({ host: 'both.test', port: peer.port, lookup, autoSelectFamily: true });
    expect(remoteAddress).toBe('127.0.0.1');
  });

  it('createConnection makes the connection, without an agent', async () => {
    const peer = await serveMirror();
    let options;
    const { res, headers } = await mirrored({
      ...peer.address,
      agent: undefined,
      path: '/created',
      createConnection(given) {
        options = given;
        return net.connect(given.port, given.host);
      },
    });
    expect(options).toMatchObject({ host: '127.0.0.1', port: peer.port });
    expect(headers.connection).toBe('close');
    expect(res.req.agent).toBeUndefined();
  });

  it('createConnection may call back instead', async () => {
    const peer = await serveMirror();
    const createConnection = (given, callback) => {
      const socket = net.connect(peer.port, '127.0.0.1', () => callback(null, socket));
    };
    expect((await mirrored({ ...peer.address, agent: undefined, createConnection })).url).toBe('/');
  });

  it('createConnection may give any Duplex', async () => {
    const stream = new Duplex({
      read() {},
      write(chunk, encoding, callback) {
        if (chunk.toString('latin1').endsWith('\r\n\r\n')) {
          this.push('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nduplex');
        }
        callback();
      },
    });
    const { body } = await exchange({ host: 'anywhere', agent: undefined, createConnection: () => stream });
    expect(body.toString()).toBe('duplex');
  });

  it('an error of createConnection is the error of the request', async () => {
    const failure = new Error('cannot connect');
    for (const createConnection of [
      (options, callback) => { callback(failure); },
      () => { throw failure; },
    ]) {
      const [error] = await once(http.get({ host: 'x', createConnection }), 'error');
      expect(error).toBe(failure);
    }
  });

  it.each([['method in lower case', 'patch', 'PATCH'], ['any token', 'X-Odd!', undefined]])(
    'method may be %s', async (_, method, seen) => {
      const peer = await serveAnswer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      await exchange({ ...peer.address, method });
      expect(peer.heads[0].split(' ')[0]).toBe(seen ?? method.toUpperCase());
    });
});

describe('the options that concern the response', () => {
  it('maxHeaderSize allows a larger header', async () => {
    const value = 'v'.repeat(40000);
    const peer = await serveAnswer(`HTTP/1.1 200 OK\r\nX-Large: ${value}\r\nContent-Length: 0\r\n\r\n`);
    const { res } = await exchange({ ...peer.address, maxHeaderSize: 65536 });
    expect(res.headers['x-large']).toBe(value);
    for (const maxHeaderSize of [undefined, 1000]) {
      await expect(exchange({ ...peer.address, maxHeaderSize })).rejects.toMatchObject({ code: 'HPE_HEADER_OVERFLOW' });
    }
  });

  it('maxHeadersCount bounds the headers that are kept', async () => {
    const many = Array.from({ length: 2500 }, (unused, i) => `X-${i}: ${i}\r\n`).join('');
    const peer = await serveAnswer(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${many}\r\n`);
    const countWith = async (count) => {
      const req = http.get({ ...peer.address, maxHeaderSize: 100000 });
      if (count !== undefined) req.maxHeadersCount = count;
      const [res] = await once(req, 'response');
      await bytesOf(res);
      return Object.keys(res.headers).length;
    };
    expect(await countWith(0)).toBe(2501);
    expect(await countWith(10)).toBe(10);
    expect(await countWith(undefined)).toBe(1000);
  });

  // Before Node 22.22 the list goes up to a whole number of lists of its parser.
  itOurs('maxHeadersCount bounds rawHeaders and the trailers too', async () => {
    const fields = (name) => Array.from({ length: 60 }, (unused, i) => `${name}-${i}: ${i}\r\n`).join('');
    const peer = await serveAnswer(
      `HTTP/1.1 200 OK\r\n${fields('x')}Transfer-Encoding: chunked\r\n\r\n0\r\n${fields('t')}\r\n`);
    const sizesWith = async (count) => {
      const req = http.get(peer.address);
      req.maxHeadersCount = count;
      const [res] = await once(req, 'response');
      await bytesOf(res);
      return [
        res.rawHeaders.length, Object.keys(res.headers).length, res.rawTrailers.length,
        Object.keys(res.trailers).length,
      ];
    };
    expect(await sizesWith(0)).toEqual([122, 61, 120, 60]);
    expect(await sizesWith(1)).toEqual([2, 1, 2, 1]);
    expect(await sizesWith(41)).toEqual([82, 41, 82, 41]);
    expect(await sizesWith(61)).toEqual([122, 61, 120, 60]);
  });

  it('joinDuplicateHeaders joins what would otherwise be dropped', async () => {
    const peer = await serveAnswer(
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAge: 1\r\nAge: 2\r\nX: a\r\nX: b\r\nSet-Cookie: c\r\n\r\n');
    const plain = await exchange(peer.address);
    expect(plain.res.headers).toMatchObject({ age: '1', x: 'a, b', 'set-cookie': ['c'] });
    const joined = await exchange({ ...peer.address, joinDuplicateHeaders: true });
    expect(joined.res.headers).toMatchObject({ age: '1, 2', x: 'a, b', 'set-cookie': ['c'] });
  });

  it('insecureHTTPParser takes what is otherwise an error', async () => {
    const peer = await serveAnswer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Bad: a\x01b\r\n\r\nok');
    await expect(exchange(peer.address)).rejects.toMatchObject({ code: 'HPE_INVALID_HEADER_TOKEN' });
    const { res, body } = await exchange({ ...peer.address, insecureHTTPParser: true });
    expect(res.headers['x-bad']).toBe('a\x01b');
    expect(body.toString()).toBe('ok');
  });

  it.each([
    [true, '', '--insecure-http-parser'], [true, '', '--insecure_http_parser'], [true, '--insecure-http-parser', ''],
    [false, '', '--insecure-http-parser --no-insecure-http-parser'], [false, '', ''],
    [false, '--insecure-http-parser', '--no-insecure-http-parser'],
    [true, '--no-insecure-http-parser', '--insecure-http-parser'],
  ])('insecureHTTPParser is %p by default with NODE_OPTIONS=%j and node %s', async (isInsecure, options, argv) => {
    const peer = await serveAnswer('HTTP/1.1 200 OK\nContent-Length: 2\n\nok');
    const ask = (module, address) => {
      module.get(address, (res) => process.stdout.write(String(res.resume().statusCode)))
        .on('error', (error) => process.stdout.write(error.code));
    };
    const { stdout, stderr } = await runScript(ask, {
      args: { ...peer.address, agent: false },
      execArgv: argv.split(' ').filter(Boolean),
      env: { NODE_OPTIONS: options },
    });
    expect(stdout).toBe(isInsecure ? '200' : 'HPE_CR_EXPECTED');
    expect(stderr.includes('Using insecure HTTP parsing')).toBe(isInsecure);
  });
});

describeTransports('maxHeaderSize', (transport) => {
  it.each([2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 100, 2 ** 53 - 1])('may be %i', async (maxHeaderSize) => {
    const value = 'v'.repeat(40000);
    const peer = await transport.serveAnswer(`HTTP/1.1 200 OK\r\nX-Large: ${value}\r\nContent-Length: 4\r\n\r\nbody`);
    const agent = await transport.agentTo(peer, { keepAlive: true });
    const { res, body } = await exchange({ ...peer.address, agent, maxHeaderSize });
    expect([res.headers['x-large'].length, String(body)]).toEqual([40000, 'body']);
  });
});
