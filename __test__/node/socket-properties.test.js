'use strict';

/** Sockets that look alike to V8. Code that meets many hidden classes is several times slower than with one. */

const { once } = require('node:events');
const v8 = require('node:v8');

const { http, newAgent, serve } = require('../support');
const { https, newTlsAgent, serveTls } = require('../support/tls');

v8.setFlagsFromString('--allow-natives-syntax');
// The syntax is V8's own, and only of code that is compiled from now on.
const haveOneHiddenClass = new Function('one', 'other', 'return %HaveSameMap(one, other);');

/** Has sockets serve several requests each, with the properties that this adds. */
async function socketsThatServed(client, address, agent) {
  const get = async (options) => {
    const req = client.get({ ...address, agent, ...options });
    const [res] = await once(req, 'response');
    res.resume();
    await once(res, 'close');
    return req.socket;
  };
  const sockets = [];
  for (const each of [{}, { timeout: 60_000 }, { method: 'POST' }]) {
    sockets.push(...await Promise.all([get(each), get(each), get(each)]));
  }
  const distinct = [...new Set(sockets)];
  expect(distinct).toHaveLength(3);
  return distinct;
}

it('sockets that have served requests have one hidden class', async () => {
  const { address } = await serve((req, res) => res.end('hello'));
  const [one, ...others] = await socketsThatServed(http, address, newAgent({ keepAlive: true }));
  expect(others.map((other) => haveOneHiddenClass(one, other))).toEqual([true, true]);
});

it('sockets with TLS that have served requests have one hidden class', async () => {
  const { address } = await serveTls((req, res) => res.end('hello'));
  const [one, ...others] = await socketsThatServed(https, address, newTlsAgent({ keepAlive: true }));
  expect(others.map((other) => haveOneHiddenClass(one, other))).toEqual([true, true]);
});
