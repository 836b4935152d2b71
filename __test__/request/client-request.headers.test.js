'use strict';

/** The header of a request: mutable until its first byte goes out, and exactly what is then on the wire. */

const nodeHttp = require('node:http');

const {
  cleanUp, exchange, http, itMends, MODULE_PATH, newAgent, quiet, responseTo, runNode, serve, serveWire, until,
  untilIdle,
} = require('../support');

/** True if the running Node adds fields to a request that wants none; its releases learned the option one by one. */
const nodeAddsDefaults = (() => {
  const agent = { addRequest() {}, defaultPort: 80, protocol: 'http:' };
  const req = nodeHttp.request({ agent, setDefaultHeaders: false });
  req.flushHeaders();
  return req._header !== 'GET / HTTP/1.1\r\n\r\n';
})();

/** A request to a peer that keeps the bytes, ended; gives the lines of its header. */
async function linesOf(options, prepare = (req) => req.end()) {
  const peer = await serveWire((text) => /\r\n\r\n/.test(text));
  const req = http.request({ ...peer.address, agent: newAgent({ keepAlive: true }), ...options });
  const response = responseTo(req);
  prepare(req);
  (await response).resume();
  const head = peer.wire().split('\r\n\r\n')[0];
  return { lines: head.split('\r\n'), host: `127.0.0.1:${peer.port}` };
}

describe('the header of a request that is in progress', () => {
  it('is not sent before the first chunk or the end, though the socket is connected', async () => {
    const peer = await serveWire();
    const req = http.request(peer.address);
    const response = responseTo(req);
    await until(() => peer.sockets.size === 1 && req.socket && !req.socket.connecting);
    await quiet();
    expect(peer.wire()).toBe('');
    expect(req.headersSent).toBe(false);
    req.setHeader('X-Late', 'in time');
    req.end();
    (await response).resume();
    expect(peer.wire()).toContain('X-Late: in time\r\n');
    expect(req.headersSent).toBe(true);
  });

  it('can be set, read and removed with setHeader, getHeader and removeHeader', async () => {
    const { lines } = await linesOf({ headers: { 'X-First': '1', 'X-Second': '2' } }, (req) => {
      expect(req.getHeader('x-first')).toBe('1');
      expect(req.hasHeader('X-SECOND')).toBe(true);
      req.setHeader('x-first', ['a', 'b']);
      req.setHeader('X-Number', 5);
      req.removeHeader('X-Second');
      expect(req.getHeader('X-First')).toEqual(['a', 'b']);
      expect(req.getHeader('X-Number')).toBe(5);
      expect(req.getHeader('x-second')).toBeUndefined();
      expect(req.hasHeader('x-second')).toBe(false);
      expect(req.getHeaderNames()).toEqual(['x-first', 'host', 'x-number']);
      expect(req.getRawHeaderNames()).toEqual(['x-first', 'Host', 'X-Number']);
      expect({ ...req.getHeaders() }).toMatchObject({ 'x-first': ['a', 'b'], 'x-number': 5 });
      req.end();
    });
    expect(lines).toEqual(expect.arrayContaining(['x-first: a', 'x-first: b', 'X-Number: 5']));
    expect(lines.join('\n')).not.toMatch(/x-second/i);
  });

  it('takes appendHeader and setHeaders', async () => {
    const { lines } = await linesOf({}, (req) => {
      req.appendHeader('X-Many', 'one');
      req.appendHeader('X-Many', ['two', 'three']);
      req.setHeaders(new Map([['X-Map', 'yes']]));
      req.setHeaders(new Headers({ 'X-Headers': 'too' }));
      req.end();
    });
    expect(lines).toEqual(expect.arrayContaining([
      'X-Many: one', 'X-Many: two', 'X-Many: three', 'X-Map: yes', 'x-headers: too',
    ]));
  });

  it("can still be changed in the 'socket' event", async () => {
    const { lines } = await linesOf({}, (req) => req.once('socket', () => {
      req.setHeader('X-Socket', 'assigned');
      req.end();
    }));
    expect(lines).toContain('X-Socket: assigned');
  });

  it.each([
    ['the first chunk', (req) => req.write('x')],
    ['the end', (req) => req.end()],
    ['flushHeaders()', (req) => req.flushHeaders()],
  ])('is fixed after %s, even while the socket is not there yet', async (_, fix) => {
    const peer = await serve((req, res) => {
      req.resume();
      res.end();
    });
    const req = http.request({ ...peer.address, method: 'POST', headers: { 'X-Fixed': 'yes' } });
    const response = responseTo(req);
    fix(req);
    expect(req.headersSent).toBe(true);
    const headersSent = expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' });
    expect(() => req.setHeader('X-Fixed', 'no')).toThrow(headersSent);
    expect(() => req.appendHeader('X-Fixed', 'no')).toThrow(headersSent);
    expect(() => req.removeHeader('X-Fixed')).toThrow(headersSent);
    expect(req.getHeader('X-Fixed')).toBe('yes');
    req.end();
    (await response).resume();
  });

  it('goes out at once with flushHeaders(), before any body', async () => {
    const peer = await serveWire();
    const req = http.request({ ...peer.address, method: 'PUT', headers: { 'Content-Length': 4 } });
    req.flushHeaders();
    (await responseTo(req)).resume();
    expect(peer.wire()).toBe(
      `PUT / HTTP/1.1\r\nContent-Length: 4\r\nHost: 127.0.0.1:${peer.port}\r\nConnection: keep-alive\r\n\r\n`);
    req.end('body');
    await until(() => peer.wire().endsWith('body'));
  });
});

describe('the bytes of a header', () => {
  it.each([
    ['a GET', { path: '/a?b=c' }, ['GET /a?b=c HTTP/1.1', 'Host: %', 'Connection: keep-alive']],
    ['a GET of an agent without keep-alive', { agent: new http.Agent() },
      ['GET / HTTP/1.1', 'Host: %', 'Connection: close']],
    ['a request without agent', { agent: false }, ['GET / HTTP/1.1', 'Host: %', 'Connection: close']],
    ['a method in lower case', { method: 'delete' }, ['DELETE / HTTP/1.1', 'Host: %', 'Connection: keep-alive']],
    ['a header of one\'s own before Host', { headers: { 'x-a': 'b', HOST: 'other' } },
      ['GET / HTTP/1.1', 'x-a: b', 'HOST: other', 'Connection: keep-alive']],
    ['Connection: close', { headers: { connection: 'close' } }, ['GET / HTTP/1.1', 'connection: close', 'Host: %']],
    ['credentials', { auth: 'user:pass' },
      ['GET / HTTP/1.1', 'Host: %', 'Authorization: Basic dXNlcjpwYXNz', 'Connection: keep-alive']],
    ['setHost: false', { setHost: false }, ['GET / HTTP/1.1', 'Connection: keep-alive']],
    ['several cookies', { headers: { Cookie: ['a=1', 'b=2'] } },
      ['GET / HTTP/1.1', 'Cookie: a=1; b=2', 'Host: %', 'Connection: keep-alive']],
    ['several values', { headers: { 'X-A': ['1', '2'] } },
      ['GET / HTTP/1.1', 'X-A: 1', 'X-A: 2', 'Host: %', 'Connection: keep-alive']],
    ['uniqueHeaders', { headers: { 'X-A': ['1', '2'] }, uniqueHeaders: ['x-a'] },
      ['GET / HTTP/1.1', 'X-A: 1; 2', 'Host: %', 'Connection: keep-alive']],
    ['raw pairs, to which nothing but Connection is added', { headers: ['X-A', '1', 'x-a', '2', 'Host', 'h'] },
      ['GET / HTTP/1.1', 'X-A: 1', 'x-a: 2', 'Host: h', 'Connection: keep-alive']],
    ['raw pairs with a field twice that may be there once',
      { headers: ['Host', 'h', 'Content-Length', '0', 'Host', 'i', 'Content-Length', '0'] },
      ['GET / HTTP/1.1', 'Host: h', 'Content-Length: 0', 'Host: i', 'Content-Length: 0', 'Connection: keep-alive']],
    ['the default port of the protocol', { defaultPort: 'the port' },
      ['GET / HTTP/1.1', 'Host: 127.0.0.1', 'Connection: keep-alive']],
    ['Latin-1 in a value', { headers: { 'X-A': 'caf\xe9' } },
      ['GET / HTTP/1.1', 'X-A: caf\xe9', 'Host: %', 'Connection: keep-alive']],
  ])('are exact for %s', async (_, options, expected) => {
    const peer = await serveWire();
    if (options.defaultPort) options = { defaultPort: peer.port };
    await exchange({ ...peer.address, agent: newAgent({ keepAlive: true }), ...options });
    const host = `127.0.0.1:${peer.port}`;
    expect(peer.wire()).toBe(`${expected.join('\r\n').replace('%', host)}\r\n\r\n`);
  });

  it.each([
    ['a POST ended with its body', 'POST', (req) => req.end('body'),
      ['Host: %', 'Connection: keep-alive', 'Content-Length: 4']],
    ['a POST without a body', 'POST', (req) => req.end(), ['Host: %', 'Connection: keep-alive', 'Content-Length: 0']],
    ['a POST that is streamed', 'POST', (req) => { req.write('bo'); req.end('dy'); },
      ['Host: %', 'Connection: keep-alive', 'Transfer-Encoding: chunked']],
    ['a PATCH with Content-Length', 'PATCH', (req) => req.setHeader('Content-Length', 4).end('body'),
      ['Host: %', 'Content-Length: 4', 'Connection: keep-alive']],
    ['a GET with Transfer-Encoding', 'GET', (req) => req.setHeader('Transfer-Encoding', 'chunked').end('body'),
      ['Host: %', 'Transfer-Encoding: chunked', 'Connection: keep-alive']],
  ])('tell the framing of %s', async (_, method, send, expected) => {
    const { lines, host } = await linesOf({ method }, send);
    expect(lines).toEqual([`${method} / HTTP/1.1`, ...expected.map((line) => line.replace('%', host))]);
  });

  it('go out in the order given, in the spelling given, hundreds of them', async () => {
    const headers = Object.fromEntries(Array.from({ length: 500 }, (unused, i) => [`X-Header-${i}`, `value ${i}`]));
    const { lines } = await linesOf({ headers });
    expect(lines.slice(1, 501)).toEqual(Object.entries(headers).map(([name, value]) => `${name}: ${value}`));
  });

  it('write an IPv6 address in brackets', () => {
    const req = http.request({ host: '::1', port: 8, agent: false });
    req.on('error', () => {});
    expect(req.getHeader('host')).toBe('[::1]:8');
    req.destroy();
  });

  itMends(nodeAddsDefaults)('leave out what Node adds with setDefaultHeaders: false', async () => {
    const { lines } = await linesOf({ setDefaultHeaders: false, headers: { 'X-Own': '1' } });
    expect(lines).toEqual(['GET / HTTP/1.1', 'X-Own: 1']);
  });
});

it('a request without Connection leaves its connection to the next one (46331)', async () => {
  const peer = await serveWire();
  const agent = newAgent({ keepAlive: true });
  for (const reused of [false, true]) {
    const req = http.request({ ...peer.address, agent });
    req.removeHeader('Connection');
    const response = responseTo(req);
    req.end();
    (await response).resume();
    await untilIdle(agent);
    expect(req.reusedSocket).toBe(reused);
  }
  expect(peer.wire()).not.toMatch(/^connection:/im);
});

describe('a setHeader that a library has put in the place of Node\'s', () => {
  /** Patches a prototype, makes requests to one origin, and tells of which fields the patch has heard. */
  const main = (client, { before, name }) => {
    const nodeHttp = require('node:http');
    const heard = [];
    const patch = (prototype) => {
      const { setHeader } = prototype;
      prototype.setHeader = function patched(...args) {
        heard.push(args.join());
        return setHeader.apply(this, args);
      };
    };
    const ours = before ? undefined : client();
    if (name === 'OutgoingMessage') patch(nodeHttp.OutgoingMessage.prototype);
    else patch(ours.ClientRequest.prototype);
    const { request } = ours ?? client();
    const agent = { addRequest() {}, defaultPort: 80, protocol: 'http:' };
    for (let i = 0; i < 3; i++) request({ host: 'origin.test', agent });
    console.log(JSON.stringify(heard));
  };

  it.each([
    ['OutgoingMessage', true], ['OutgoingMessage', false], ['ClientRequest', false],
  ])('sees Host of each request: %s.prototype, before ferrequest is loaded: %s', async (name, before) => {
    const source = `(${main})(() => require(${JSON.stringify(MODULE_PATH)}), ${JSON.stringify({ before, name })})`;
    const { stdout, stderr } = await runNode(['-e', source]);
    expect([stdout.trim(), stderr]).toEqual([JSON.stringify(Array(3).fill('Host,origin.test')), '']);
  });

  it('sees Host also after requests that it has not seen', () => {
    const agent = { addRequest() {}, defaultPort: 80, protocol: 'http:' };
    const make = () => http.request({ host: 'origin.test', agent });
    for (let i = 0; i < 3; i++) make();
    const setHeader = jest.spyOn(nodeHttp.OutgoingMessage.prototype, 'setHeader');
    cleanUp(() => setHeader.mockRestore());
    for (let i = 0; i < 3; i++) make();
    expect(setHeader.mock.calls).toEqual(Array(3).fill(['Host', 'origin.test']));
  });
});

describe('the properties of a request', () => {
  it('tell its method, path, host and protocol', () => {
    const req = http.request({ host: '127.0.0.1', port: 9, path: '/p?q', method: 'put', agent: newAgent() });
    req.on('error', () => {});
    expect(req).toMatchObject({
      method: 'PUT', path: '/p?q', host: '127.0.0.1', protocol: 'http:', maxHeadersCount: null, reusedSocket: false,
      aborted: false, destroyed: false, headersSent: false, writableEnded: false, writableFinished: false,
      finished: false, sendDate: false, useChunkedEncodingByDefault: true, res: null,
    });
    req.destroy();
  });

  it('let the path be changed until the header is made', async () => {
    const { lines } = await linesOf({ path: '/first' }, (req) => {
      req.path = '/second';
      req.end();
    });
    expect(lines[0]).toBe('GET /second HTTP/1.1');
  });
});
