'use strict';

/**
 * Before Node 24.20, node:http emits 'finish', or calls the callback of end() without an error, for a body whose last
 * write has failed, and says `writableFinished`. Here only a body that has gone out is finished.
 */

const { Duplex } = require('node:stream');
const { http, itOurs } = require('../support');
const { describeTransports } = require('../support/transports');

/** Records what a request tells of its end, until it closes. */
function record(req) {
  const told = [];
  req.on('finish', () => told.push('finish'));
  req.on('error', ({ code }) => told.push(`error ${code}`));
  return new Promise((resolve) => {
    req.on('close', () => setImmediate(() => resolve({ told, writableFinished: req.writableFinished })));
  });
}

describeTransports('an upload that the peer resets', (transport) => {
  itOurs("has no 'finish', and the callback of end() gets the error", async () => {
    const peer = await transport.serveRaw((socket) => {
      let head = '';
      socket.on('data', (chunk) => {
        head = (head + chunk.toString('latin1')).slice(0, 1000);
        if (head.startsWith('POST')) socket.resetAndDestroy();
      });
    });
    const agent = await transport.agentTo(peer, {}, true);
    const size = 50 << 20;
    const req = http.request({ ...peer.address, agent, method: 'POST', headers: { 'Content-Length': size } });
    const closed = record(req);
    const errors = [];
    req.end(Buffer.alloc(size), (error) => errors.push(error));
    const { told, writableFinished } = await closed;
    expect(told).toEqual([expect.stringMatching(/^error E(CONNRESET|PIPE)$/)]);
    expect(errors.map((error) => error?.code)).toEqual([expect.stringMatching(/^E/)]);
    expect(writableFinished).toBe(false);
    // Once more, when all is over.
    await expect(new Promise((resolve) => { req.end(resolve); })).resolves.toBe(errors[0]);
  });
  // A TLSSocket cannot be reset.
}, ({ isTls }) => !isTls);

describe('a write that fails', () => {
  class Failing extends Duplex {
    _read() {}

    _write(chunk, encoding, callback) {
      callback(Object.assign(new Error('no'), { code: 'EWRITE' }));
    }
  }

  itOurs.each([
    ['in end()', (req, callback) => req.end('body', callback)],
    ['before end()', (req, callback) => { req.write('body'); req.end(callback); }],
    ['in a chunked body', (req, callback) => { req.write('a'); req.write('b'); req.end('c', callback); }],
    ['without a body', (req, callback) => { req.end(callback); }],
  ])("%s is no 'finish', and the callback of end() gets its error", async (_, send) => {
    const req = http.request({ method: 'POST', createConnection: () => new Failing() });
    const closed = record(req);
    const errors = [];
    send(req, (error) => errors.push(error?.code));
    const { told, writableFinished } = await closed;
    expect(told).toEqual(['error EWRITE']);
    expect(errors).toEqual([expect.stringMatching(/^E(WRITE|RR_STREAM_DESTROYED)$/)]);
    expect(writableFinished).toBe(false);
  });

  itOurs("is no 'finish' for listeners alone either", async () => {
    const req = http.request({ method: 'POST', createConnection: () => new Failing() });
    const closed = record(req);
    req.end('body');
    expect(await closed).toEqual({ told: ['error EWRITE'], writableFinished: false });
  });
});

describeTransports('a request that goes out', (transport) => {
  itOurs("has 'finish' once, and the callbacks of end() get no error", async () => {
    const peer = await transport.serve((req, res) => req.resume().on('end', () => res.end('x')));
    const agent = await transport.agentTo(peer);
    const req = http.request({ ...peer.address, agent, method: 'POST' });
    const closed = record(req);
    const errors = [];
    req.on('response', (res) => res.resume());
    req.end('body', (error) => errors.push(error ?? 'none'));
    expect(await closed).toEqual({ told: ['finish'], writableFinished: true });
    expect(errors).toEqual(['none']);
    await expect(new Promise((resolve) => { req.end(resolve); })).resolves.toMatchObject(
      { code: 'ERR_STREAM_ALREADY_FINISHED' });
  });
});
