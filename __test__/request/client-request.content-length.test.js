'use strict';

/** The length of a body is not checked against Content-Length, unless strictContentLength is on. */

const { http, newAgent, responseTo, serveWire, until } = require('../support');

const BODY = 'HTTP/1.1 200 OK';

async function start({ length, strict, isWhole }) {
  const peer = await serveWire(isWhole);
  const headers = length === undefined ? {} : { 'Content-Length': length };
  const req = http.request({ ...peer.address, method: 'POST', agent: newAgent(), headers });
  req.on('error', () => {});
  if (strict !== undefined) req.strictContentLength = strict;
  const sent = () => peer.wire().slice(peer.wire().indexOf('\r\n\r\n') + 4);
  return { peer, req, sent };
}

describe('without strictContentLength', () => {
  it('is off', async () => {
    const { req } = await start({});
    expect(req.strictContentLength).toBe(false);
    req.destroy();
  });

  it.each([[undefined], [false]])('more than Content-Length is sent as it is (%p)', async (strict) => {
    const { req, sent } = await start({ length: 4, strict, isWhole: (text) => text.endsWith(BODY) });
    req.write(BODY.slice(0, 6));
    req.end(BODY.slice(6));
    (await responseTo(req)).resume();
    expect(sent()).toBe(BODY);
  });

  it('less than Content-Length is sent as it is, and the request finishes', async () => {
    const { req, sent } = await start({ length: 1000, isWhole: (text) => text.endsWith(BODY) });
    const response = responseTo(req);
    await new Promise((resolve) => { req.end(BODY, resolve); });
    await until(() => sent() === BODY);
    expect(req.writableFinished).toBe(true);
    (await response).resume();
  });
});

describe('with strictContentLength', () => {
  const mismatch = expect.objectContaining({ code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH' });

  it('a body of the right length is sent', async () => {
    const { req, sent } = await start({ length: BODY.length, strict: true, isWhole: (text) => text.endsWith(BODY) });
    req.write(BODY.slice(0, 5));
    req.end(BODY.slice(5));
    (await responseTo(req)).resume();
    expect(sent()).toBe(BODY);
  });

  it('a length counts bytes, not characters', async () => {
    const { req, sent } = await start({ length: 3, strict: true, isWhole: (text) => text.endsWith('\xe2\x82\xac') });
    req.end('\u20ac');
    (await responseTo(req)).resume();
    expect(sent()).toBe('\xe2\x82\xac');
  });

  it('write() throws when it would be too much', async () => {
    const { req } = await start({ length: 4, strict: true });
    req.write('123');
    expect(() => req.write('45')).toThrow(mismatch);
    req.destroy();
  });

  it('end() throws when there is too much', async () => {
    const { req } = await start({ length: 4, strict: true });
    expect(() => req.end('12345')).toThrow(mismatch);
    req.destroy();
  });

  it('end() throws when there is too little', async () => {
    const { req } = await start({ length: 4, strict: true });
    req.write('123');
    expect(() => req.end()).toThrow(mismatch);
    req.destroy();
  });

  it('a body in chunks is not concerned', async () => {
    const { req, sent } = await start({ strict: true });
    req.write('123');
    req.end('45');
    (await responseTo(req)).resume();
    expect(sent()).toBe('3\r\n123\r\n2\r\n45\r\n0\r\n\r\n');
  });
});
