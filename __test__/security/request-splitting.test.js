'use strict';

/** A stranger's text that a user passes on may not put a line of its own into a request (CWE-113). */

const nodeHttp = require('node:http');
const {
  http, newAgent, serveWire, cleanUp, untilIdle, untilPoolIsEmpty, exchange, responseTo, bytesOf, isOracle,
  itOurs,
} = require('../support');

const EVIL = 'x\r\nInjected: yes\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n';

/** All ways in which a string of the user gets into a request; each is given the base options and the evil string. */
const DOORS = {
  'the method': (base, evil) => http.request({ ...base, method: evil }),
  'the path': (base, evil) => http.request({ ...base, path: `/${evil}` }),
  'a header name': (base, evil) => http.request({ ...base, headers: { [evil]: 'x' } }),
  'a header value': (base, evil) => http.request({ ...base, headers: { X: evil } }),
  'one of several header values': (base, evil) => http.request({ ...base, headers: { X: ['a', evil] } }),
  'a header name in an array': (base, evil) => http.request({ ...base, headers: [evil, 'x'] }),
  'a header value in an array': (base, evil) => http.request({ ...base, headers: ['X', evil] }),
  'the host': (base, evil) => http.request({ ...base, host: `127.0.0.1${evil}` }),
  'the Host header': (base, evil) => http.request({ ...base, headers: { Host: evil } }),
  'a cookie': (base, evil) => http.request({ ...base, headers: { Cookie: ['a=b', evil] } }),
  'setHeader()': (base, evil) => http.request(base).setHeader('X', evil),
  'setHeader() with a list': (base, evil) => http.request(base).setHeader('X', ['a', evil]),
  'appendHeader()': (base, evil) => http.request(base).appendHeader('X', evil),
  'setHeaders()': (base, evil) => http.request(base).setHeaders(new Map([['X', evil]])),
  'addTrailers()': (base, evil) => http.request(base).addTrailers({ X: evil }),
  'addTrailers() with an array': (base, evil) => http.request(base).addTrailers([['X', evil]]),
};

// Before Node 24.15 its client looks at the path only when the request is made, and at the method in no version later.
const nodeGuardsPath = Object.hasOwn(nodeHttp.ClientRequest.prototype, 'path');
if (!isOracle || nodeGuardsPath) {
  DOORS['the path that is set later'] = (base, evil) => { http.request(base).path = `/${evil}`; };
}
if (!isOracle) {
  DOORS['the method that is set later'] = (base, evil) => {
    Object.assign(http.request(base), { method: evil }).end();
  };
}

/** @returns options of requests that are destroyed after the test */
function baseFor(peer, agent) {
  cleanUp(() => agent.destroy());
  return { ...peer.address, method: 'POST', agent };
}

describe.each([
  ['CR LF', EVIL],
  ['LF alone', EVIL.replaceAll('\r', '')],
  ['CR alone', EVIL.replaceAll('\n', '')],
  // Written as Latin-1 these would lose their upper byte and be CR LF.
  ['characters that end in the bytes of CR LF', EVIL.replaceAll('\r', '\u010d').replaceAll('\n', '\u010a')],
  ['NUL', 'x\0y'],
])('%s', (_what, evil) => {
  it.each(Object.keys(DOORS))('does not get into a request by %s', async (door) => {
    const peer = await serveWire();
    const agent = newAgent({ maxSockets: 1 });
    const made = [];
    const { addRequest } = agent;
    agent.addRequest = function remembering(req, ...rest) {
      made.push(req);
      req.on('error', () => {});
      return addRequest.call(this, req, ...rest);
    };
    expect(() => DOORS[door](baseFor(peer, agent), evil)).toThrow(expect.objectContaining({
      code: expect.stringMatching(/^ERR_(INVALID_HTTP_TOKEN|UNESCAPED_CHARACTERS|INVALID_CHAR)$/),
    }));
    for (const req of made) req.destroy();
    await untilIdle(agent);
    expect(peer.wire()).toBe('');
  });
});

describe('a space', () => {
  it.each(
    ['the method', 'the path', 'a header name', 'a header name in an array'],
  )('does not get into %s', async (door) => {
    const agent = newAgent();
    const base = baseFor(await serveWire(), agent);
    expect(() => DOORS[door](base, 'a b')).toThrow();
    await untilPoolIsEmpty(agent);
  });
});

it('line ends in a URL are dropped, as URLs say', async () => {
  const peer = await serveWire();
  const req = http.get(`http://127.0.0.1:${peer.port}/a\r\nb\tc?d\r\n=e f`, { agent: newAgent() });
  await bytesOf(await responseTo(req));
  expect(peer.wire().split('\r\n')[0]).toBe('GET /abc?d=e%20f HTTP/1.1');
});

it('line ends in credentials are encoded', async () => {
  const peer = await serveWire();
  await exchange({ ...peer.address, agent: newAgent(), auth: EVIL });
  expect(peer.wire()).toContain(`\r\nAuthorization: Basic ${Buffer.from(EVIL).toString('base64')}\r\n`);
  expect(peer.wire()).not.toContain('Injected');
});

it('what looks like framing in a chunk stays in the chunk', async () => {
  const parts = ['0\r\n\r\n', 'GET /smuggled HTTP/1.1\r\n\r\n', '5\r\n'];
  const peer = await serveWire((text) => text.endsWith('\r\n3\r\n5\r\n\r\n0\r\n\r\n'));
  const req = http.request({ ...peer.address, agent: newAgent(), method: 'POST' });
  for (const part of parts) req.write(part);
  req.end();
  await bytesOf(await responseTo(req));
  const body = peer.wire().slice(peer.wire().indexOf('\r\n\r\n') + 4);
  expect(body).toBe(`${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`);
});

(isOracle && !nodeGuardsPath ? it.skip : it)('a path set after the request was made is looked at too', () => {
  const agent = newAgent();
  agent.addRequest = () => {};
  const req = http.request({ port: 1, agent });
  expect(() => { req.path = `/${EVIL}`; }).toThrow(expect.objectContaining({ code: 'ERR_UNESCAPED_CHARACTERS' }));
  expect(req.path).toBe('/');
});

itOurs('a path that is an object is asked for its text once', async () => {
  const peer = await serveWire();
  let asked = 0;
  const path = { toString: () => asked++ === 0 ? '/first' : `/${EVIL}` };
  const { req } = await exchange({ ...peer.address, agent: newAgent(), path });
  expect(peer.wire()).toMatch(/^GET \/first HTTP\/1.1\r\n/);
  expect(peer.wire()).not.toContain('Injected');
  expect(req.path).toBe('/first');
});
