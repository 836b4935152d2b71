'use strict';

/** The members of ClientRequest are in a module that the first request loads. */

const nodeHttp = require('node:http');

const { describeOurs, runNode } = require('../support');

/** Describes the members of a prototype, each by its kind. */
const describeMembers = (prototype) => Object.entries(Object.getOwnPropertyDescriptors(prototype))
  .map(([name, { value, enumerable }]) => [name, typeof value, value?.name, value?.length, enumerable]);

describeOurs('the members of ClientRequest', () => {
  beforeEach(() => jest.resetModules());

  it('are the same before the first request, and when it has loaded them', () => {
    const { ClientRequest } = require('../../lib/request/client-request');
    const before = describeMembers(ClientRequest.prototype).filter(([name]) => name !== 'constructor');
    const { members } = require('../../lib/request/members');
    // members.js adds a member that only some releases of Node need.
    const late = describeMembers(members).filter(([name]) => !['_send', 'writableFinished'].includes(name));
    expect(before.sort()).toEqual(late.sort());
    expect(before.length).toBeGreaterThan(20);
  });

  it('are no substitutes any more for a request', async () => {
    const { ClientRequest } = require('../../lib/request/client-request');
    const { end } = ClientRequest.prototype;
    const agent = { addRequest() {}, defaultPort: 80, protocol: 'http:' };
    const req = new ClientRequest({ agent, _defaultAgent: agent });
    const { members } = require('../../lib/request/members');
    expect(ClientRequest.prototype.end).toBe(members.end);
    expect(ClientRequest.prototype.end).not.toBe(end);
    req.on('error', () => {}).destroy();
  });

  it('can be used on an object that the constructor has not made', () => {
    const { ClientRequest } = require('../../lib/request/client-request');
    function Derived() {
      nodeHttp.OutgoingMessage.call(this);
    }
    Object.setPrototypeOf(Derived.prototype, ClientRequest.prototype);
    const req = new Derived();
    req.path = '/a';
    expect([req.path, req.attempts, req.timings]).toEqual(['/a', 1, undefined]);
    expect(() => { req.path = '/a b'; }).toThrow(expect.objectContaining({ code: 'ERR_UNESCAPED_CHARACTERS' }));
  });

  it('may be replaced before the first request, and are called then', async () => {
    const script = `
      const http = require('ferrequest');
      const { end, onSocket } = http.ClientRequest.prototype;
      const called = [];
      http.ClientRequest.prototype.end = function (...args) { called.push('end'); return end.apply(this, args); };
      http.ClientRequest.prototype.onSocket = function (...args) {
        called.push('onSocket');
        return onSocket.apply(this, args);
      };
      const server = require('node:http').createServer((_, res) => res.end('answer')).listen(0, '127.0.0.1', () => {
        http.get({ host: '127.0.0.1', port: server.address().port }, (res) => {
          res.setEncoding('utf8').on('data', (chunk) => called.push(chunk)).on('end', () => {
            console.log(called.join());
            http.globalAgent.destroy();
            server.close();
          });
        });
      });`;
    const { stdout, stderr } = await runNode(['-e', script]);
    expect({ stdout, stderr }).toEqual({ stdout: 'onSocket,end,answer\n', stderr: '' });
  });
});
