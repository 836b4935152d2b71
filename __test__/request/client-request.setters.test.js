'use strict';

/** A class derived from ClientRequest may have accessors in the place of properties, which the constructor assigns. */

const nodeHttp = require('node:http');

const { http } = require('../support');

const agent = { addRequest() {}, defaultPort: 80, protocol: 'http:' };

/** Properties of Node's requests, those of their streams and of options that not every release knows aside. */
const names = Object.keys(new nodeHttp.ClientRequest({ agent, path: '/', timeout: 1 }))
  .filter((name) => !/^_(?:events|maxListeners|removed)/.test(name)).concat('path', '_last');

/**
 * Makes a request of a class that has accessors, and stops it when it asks for a connection.
 * @returns {[string, unknown][]} What the setters have been called with.
 */
function callsOfSetters({ ClientRequest }, ...arguments_) {
  const calls = [];
  class Derived extends ClientRequest {}
  for (const name of new Set(names)) {
    const kept = Symbol(name);
    Object.defineProperty(Derived.prototype, name, {
      get() {
        return this[kept];
      },
      set(value) {
        this[kept] = value;
        calls.push([name, typeof value === 'function' ? 'function' : value]);
      },
    });
  }
  new Derived(...arguments_).on('error', () => {});
  return calls;
}

const createConnection = () => {
  throw new Error('There is none');
};

it.each([
  ['with an agent', { agent, path: '/path', timeout: 1000, host: 'host.test' }],
  ['with an agent that keeps sockets', { agent: { ...agent, keepAlive: true }, method: 'post', headers: { a: '' } }],
  ['without an agent', { createConnection, socketPath: '/socket', method: 'HEAD', maxHeaderSize: 5000 }],
  ['with a list of fields', { agent, headers: ['a', 'b'], joinDuplicateHeaders: true, insecureHTTPParser: true }],
])('setters are called as by Node, in the same order, by a request %s', (_, options) => {
  const calls = callsOfSetters(http, options, () => {});
  expect(calls).toEqual(callsOfSetters(nodeHttp, options, () => {}));
  expect(calls).toContainEqual(['method', options.method?.toUpperCase() ?? 'GET']);
});
