'use strict';

/** The forms in which a request may be asked for: strings, URL objects, options, callbacks. */

const { once } = require('node:events');
const url = require('node:url');
const { bytesOf, http, newAgent, serve } = require('../support');

/** A server that tells what it was asked. */
function serveMirror(options) {
  return serve((req, res) => {
    res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers }));
  }, options);
}

async function answerTo(req) {
  const [res] = await once(req, 'response');
  return JSON.parse(await bytesOf(res));
}

describe('request()', () => {
  const extra = { method: 'PUT', headers: { 'x-extra': 'yes' } };

  it.each([
    ['(string)', (href) => [href], { method: 'GET', url: '/path?query' }],
    ['(string, options)', (href) => [href, extra],
      { method: 'PUT', url: '/path?query', headers: { 'x-extra': 'yes' } }],
    ['(URL)', (href) => [new URL(href)], { method: 'GET', url: '/path?query' }],
    ['(URL, options)', (href) => [new URL(href), extra], { method: 'PUT', headers: { 'x-extra': 'yes' } }],
    ['(options)', (href, address) => [{ ...address, path: '/path?query', ...extra }],
      { method: 'PUT', url: '/path?query' }],
    ['(a parsed legacy URL)', (href) => [url.parse(href)], { method: 'GET', url: '/path?query' }],
    ['(options without a prototype)', (href, address) => [Object.assign(Object.create(null), address)], { url: '/' }],
    ['(string, null)', (href) => [href, null], { method: 'GET', url: '/path?query' }],
  ])('%s is understood', async (_, argsOf, expected) => {
    const peer = await serveMirror();
    const args = argsOf(`http://127.0.0.1:${peer.port}/path?query#fragment`, peer.address);
    const req = http.request(...args);
    expect(req).toBeInstanceOf(http.ClientRequest);
    const answer = answerTo(req);
    req.end();
    expect(await answer).toMatchObject(expected);
  });

  it.each([
    ['(string, callback)', (href) => [href]],
    ['(string, options, callback)', (href) => [href, {}]],
    ['(URL, callback)', (href) => [new URL(href)]],
    ['(URL, options, callback)', (href) => [new URL(href), {}]],
    ['(options, callback)', (href, address) => [address]],
  ])("%s takes a listener of 'response'", async (_, argsOf) => {
    const peer = await serveMirror();
    const res = await new Promise((resolve, reject) => {
      const req = http.request(...argsOf(`http://127.0.0.1:${peer.port}/`, peer.address), resolve);
      expect(req.listenerCount('response')).toBe(1);
      req.on('error', reject).end();
    });
    expect(res.statusCode).toBe(200);
    await bytesOf(res);
    expect(res.req.listenerCount('response')).toBe(0);
  });

  it('prefers the options to the URL', async () => {
    const peer = await serveMirror();
    const req = http.request('http://unknown.test:1/from-url', { ...peer.address, hostname: '127.0.0.1', path: '/own' });
    const answer = answerTo(req);
    req.end();
    expect(await answer).toMatchObject({ url: '/own' });
  });

  it('takes credentials out of the URL, percent-decoded', async () => {
    const peer = await serveMirror();
    const req = http.request(`http://us%40er:p%3Ass@127.0.0.1:${peer.port}/`);
    const answer = answerTo(req);
    req.end();
    const { headers } = await answer;
    expect(headers.authorization).toBe(`Basic ${Buffer.from('us@er:p:ss').toString('base64')}`);
  });

  it('leaves the options as they were, and does not look at them again', async () => {
    const peer = await serveMirror();
    const options = { ...peer.address, path: '/before', headers: { 'x-a': '1' }, agent: newAgent() };
    const copy = { ...options, headers: { ...options.headers } };
    const req = http.request(options);
    const answer = answerTo(req);
    expect(options).toEqual(copy);
    options.path = '/after';
    options.port = 1;
    options.headers['x-a'] = '2';
    req.end();
    expect(await answer).toMatchObject({ url: '/before', headers: { 'x-a': '1' } });
  });

  it('throws for what is no URL', () => {
    expect(() => http.request('no url')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_URL' }));
    expect(() => http.request('https://127.0.0.1/')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_PROTOCOL' }));
  });
});

describe('get()', () => {
  it.each([
    ['(string)', (href) => [href]],
    ['(string, options, callback)', (href) => [href, {}, () => {}]],
    ['(URL, callback)', (href) => [new URL(href), () => {}]],
    ['(options, callback)', (href, address) => [address, () => {}]],
  ])('%s ends the request by itself', async (_, argsOf) => {
    const peer = await serveMirror();
    const req = http.get(...argsOf(`http://127.0.0.1:${peer.port}/`, peer.address));
    expect(req).toBeInstanceOf(http.ClientRequest);
    expect(req.writableEnded).toBe(true);
    expect(await answerTo(req)).toMatchObject({ method: 'GET', url: '/' });
  });

  it('keeps a method that the options name', async () => {
    const peer = await serveMirror();
    expect(await answerTo(http.get({ ...peer.address, method: 'DELETE' }))).toMatchObject({ method: 'DELETE' });
  });
});

describe('new ClientRequest()', () => {
  it('does what request() does', async () => {
    const peer = await serveMirror();
    const req = new http.ClientRequest(`http://127.0.0.1:${peer.port}/constructed`, { method: 'POST' });
    const answer = answerTo(req);
    req.end();
    expect(await answer).toMatchObject({ method: 'POST', url: '/constructed' });
  });
});
