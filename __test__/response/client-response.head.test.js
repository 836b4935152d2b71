'use strict';

/** A response tells of itself: status, header, trailers. */

const { IncomingMessage } = require('node:http');
const { once } = require('node:events');
const { Readable } = require('node:stream');
const { bytesOf, exchange, http, itOurs, responseTo } = require('../support');
const { describeTransports } = require('../support/transports');

describeTransports('a response', (transport) => {
  it('is an IncomingMessage and a Readable', async () => {
    const peer = await transport.serve((req, res) => {
      expect(req).toBeInstanceOf(http.IncomingMessage);
      res.end('body');
    });
    const { res, req } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
    expect(res).toBeInstanceOf(IncomingMessage);
    expect(res).toBeInstanceOf(http.IncomingMessage);
    expect(res).toBeInstanceOf(Readable);
    expect(res.req).toBe(req);
    expect(req.res).toBe(res);
  });

  itOurs('is a ClientResponse, which a server\'s request is not', async () => {
    const peer = await transport.serve((req, res) => {
      expect(req).not.toBeInstanceOf(http.ClientResponse);
      res.end();
    });
    const { res } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
    expect(res).toBeInstanceOf(http.ClientResponse);
    expect(http.ClientResponse.name).toBe('ClientResponse');
    expect(Object.getPrototypeOf(http.ClientResponse.prototype)).toBe(IncomingMessage.prototype);
  });

  it.each([
    ['HTTP/1.1 200 OK', 200, 'OK', '1.1'],
    ['HTTP/1.1 404 Not Found at all', 404, 'Not Found at all', '1.1'],
    ['HTTP/1.1 200 ', 200, '', '1.1'],
    ['HTTP/1.1 200', 200, '', '1.1'],
    ['HTTP/1.0 200 OK', 200, 'OK', '1.0'],
    ['HTTP/1.1 599 Odd', 599, 'Odd', '1.1'],
    ['HTTP/1.1 999 caf\xe9', 999, 'caf\xe9', '1.1'],
  ])('with the status line %p has its parts', async (line, statusCode, statusMessage, httpVersion) => {
    const peer = await transport.serveAnswer(`${line}\r\nContent-Length: 0\r\n\r\n`);
    const { res } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
    const [httpVersionMajor, httpVersionMinor] = httpVersion.split('.').map(Number);
    expect(res).toMatchObject({
      statusCode, statusMessage, httpVersion, httpVersionMajor, httpVersionMinor, method: null, url: '', upgrade: false,
      aborted: false,
    });
  });

  it('has its header in every form', async () => {
    const peer = await transport.serveAnswer([
      'HTTP/1.1 200 OK', 'Content-Length: 0', 'X-Mixed-CASE:  spaced out  ', 'X-Empty:', 'X-Twice: 1', 'x-twice: 2',
      'Set-Cookie: a=1', 'Set-Cookie: b=2', 'Content-Type: text/plain', 'Content-Type: text/html', 'X-Latin: caf\xe9',
      '', '',
    ].join('\r\n'));
    const { res } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
    expect({ ...res.headers }).toEqual({
      'content-length': '0', 'x-mixed-case': 'spaced out', 'x-empty': '', 'x-twice': '1, 2',
      'set-cookie': ['a=1', 'b=2'], 'content-type': 'text/plain', 'x-latin': 'caf\xe9',
    });
    expect(res.rawHeaders).toEqual([
      'Content-Length', '0', 'X-Mixed-CASE', 'spaced out', 'X-Empty', '', 'X-Twice', '1', 'x-twice', '2',
      'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Content-Type', 'text/plain', 'Content-Type', 'text/html',
      'X-Latin', 'caf\xe9',
    ]);
    expect({ ...res.headersDistinct }).toMatchObject({
      'x-twice': ['1', '2'], 'content-type': ['text/plain', 'text/html'], 'set-cookie': ['a=1', 'b=2'],
    });
  });

  it('is not confused by a header named like a property of Object', async () => {
    const peer = await transport.serveAnswer(
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n__proto__: p\r\nconstructor: c\r\n\r\n');
    const { res } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
    expect(res.rawHeaders.slice(2)).toEqual(['__proto__', 'p', 'constructor', 'c']);
    expect(res.headers.constructor).toBe('c');
    expect(Object.getPrototypeOf(res.headers)).toEqual({});
  });

  it('may have hundreds of header fields, in several segments', async () => {
    const fields = Array.from({ length: 300 }, (unused, i) => `X-Field-${i}: value ${i}\r\n`);
    const peer = await transport.serveAnswer([
      'HTTP/1.1 200 OK\r\n', fields.slice(0, 7).join(''), fields.slice(7).join(''), 'Content-Length: 0\r\n\r\n',
    ]);
    const { res } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
    expect(res.rawHeaders).toHaveLength(602);
    expect(res.headers['x-field-299']).toBe('value 299');
  });

  it('has its trailers at its end', async () => {
    const peer = await transport.serveAnswer([
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Many\r\n\r\n4\r\nbody\r\n',
      '0\r\nX-Sum: abc\r\nX-Many: 1\r\nX-Many: 2\r\n\r\n',
    ]);
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    const res = await responseTo(req);
    expect({ ...res.trailers }).toEqual({});
    expect(res.rawTrailers).toEqual([]);
    let atEnd;
    res.on('end', () => { atEnd = { ...res.trailers }; });
    await bytesOf(res);
    expect(atEnd).toEqual({ 'x-sum': 'abc', 'x-many': '1, 2' });
    expect(res.rawTrailers).toEqual(['X-Sum', 'abc', 'X-Many', '1', 'X-Many', '2']);
    expect({ ...res.trailersDistinct }).toEqual({ 'x-sum': ['abc'], 'x-many': ['1', '2'] });
    expect(res.headers['x-sum']).toBeUndefined();
  });

  it("has the trailers of Node's own server", async () => {
    const peer = await transport.serve((req, res) => {
      res.writeHead(200, { Trailer: 'X-Sum' });
      res.write('body');
      res.addTrailers({ 'X-Sum': 'abc' });
      res.end();
    });
    const { res } = await exchange({ ...peer.address, agent: await transport.agentTo(peer) });
    expect({ ...res.trailers }).toEqual({ 'x-sum': 'abc' });
  });

  it.each([
    ['HTTP/1.1', '', true], ['HTTP/1.1', 'Connection: close\r\n', false],
    ['HTTP/1.1', 'Connection: keep-alive\r\n', true], ['HTTP/1.1', 'Connection: x, CLOSE\r\n', false],
    ['HTTP/1.0', '', false], ['HTTP/1.0', 'Connection: keep-alive\r\n', true],
  ])('of %s with %p keeps the connection: %p', async (version, field, keeps) => {
    const peer = await transport.serveAnswer(`${version} 200 OK\r\n${field}Content-Length: 2\r\n\r\nok`);
    const agent = await transport.agentTo(peer);
    await exchange({ ...peer.address, agent });
    const { req } = await exchange({ ...peer.address, agent });
    expect(req.reusedSocket).toBe(keeps);
    expect(peer.accepted).toHaveLength(keeps ? 1 : 2);
  });

  it('has a socket while it is read, with addresses and ports', async () => {
    const peer = await transport.serve((req, res) => res.end('body'));
    const res = await responseTo(http.get({ ...peer.address, agent: await transport.agentTo(peer) }));
    const { socket } = res;
    expect(socket).toBe(res.req.socket);
    expect(res.connection).toBe(socket);
    expect(socket).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: peer.port, localAddress: '127.0.0.1' });
    expect(socket.localPort).toBe(peer.accepted[0].remotePort);
    await bytesOf(res);
    expect(res.socket).toBe(null);
  });

  it('closes the connection when it is destroyed', async () => {
    const peer = await transport.serve((req, res) => res.write('never ends'));
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    req.on('error', () => {});
    const res = await responseTo(req);
    const closed = once(peer.accepted[0], 'close');
    expect(res.destroy()).toBe(res);
    await Promise.all([closed, once(req, 'close')]);
    expect(res.destroyed).toBe(true);
    expect(req.destroyed).toBe(true);
  });
});
