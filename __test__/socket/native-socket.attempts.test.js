'use strict';

/** Several addresses of one name, tried one after the other (autoSelectFamily), when some of them do not answer. */

const { once } = require('node:events');
const net = require('node:net');
const {
  bytesOf, cleanUp, describeLinux, http, newAgent, quiet, responseTo, serve, until, untilPoolIsEmpty,
} = require('../support');
const { SILENT, silence } = require('../support/silence');

const SERVER = '127.0.0.1';
const REFUSING = '127.0.0.8';

/** Notes the attempts to connect that a socket tells of. */
function noteAttempts(req) {
  const attempts = [];
  req.on('socket', (socket) => {
    socket.on('connectionAttempt', (address) => attempts.push(`try ${address}`));
    socket.on('connectionAttemptTimeout', (address) => attempts.push(`timeout ${address}`));
    socket.on('connectionAttemptFailed', (address, port, family, error) => attempts.push(`${error.code} ${address}`));
    socket.on('connect', () => attempts.push('connect'));
  });
  return attempts;
}

/** A lookup that answers after the socket was told of, with these addresses in this order. */
const lookupOf = (...addresses) => (hostname, options, callback) => setImmediate(callback, null,
  addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));

describeLinux('an address that does not answer', () => {
  let peer;
  let options;

  beforeEach(async () => {
    peer = await serve((req, res) => res.end('answered'));
    await silence(peer.port);
    options = { host: 'name.test', port: peer.port, autoSelectFamily: true, agent: newAgent({ keepAlive: true }) };
  });

  it('gives way to the next after autoSelectFamilyAttemptTimeout', async () => {
    const lookup = lookupOf(SILENT, SERVER);
    const began = performance.now();
    const req = http.get({ ...options, lookup, autoSelectFamilyAttemptTimeout: 60 });
    const attempts = noteAttempts(req);
    expect(String(await bytesOf(await responseTo(req)))).toBe('answered');
    expect(performance.now() - began).toBeGreaterThan(58);
    expect(attempts).toEqual([`try ${SILENT}`, `timeout ${SILENT}`, `try ${SERVER}`, 'connect']);
    expect(req.socket).toMatchObject({
      remoteAddress: SERVER, autoSelectFamilyAttemptedAddresses: [SILENT, SERVER].map((host) => `${host}:${peer.port}`),
    });
  });

  it('gives way after the default of net', async () => {
    const before = net.getDefaultAutoSelectFamilyAttemptTimeout();
    cleanUp(() => net.setDefaultAutoSelectFamilyAttemptTimeout(before));
    net.setDefaultAutoSelectFamilyAttemptTimeout(30);
    const req = http.get({ ...options, lookup: lookupOf(SILENT, SERVER) });
    const attempts = noteAttempts(req);
    await bytesOf(await responseTo(req));
    expect(attempts).toContain(`timeout ${SILENT}`);
  });

  it('is one of the errors if the others fail too', async () => {
    const lookup = lookupOf(SILENT, REFUSING);
    const req = http.get({ ...options, lookup, autoSelectFamilyAttemptTimeout: 30 });
    const attempts = noteAttempts(req);
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ name: 'AggregateError', code: 'ETIMEDOUT' });
    expect(error.errors.map(({ code, syscall, address, port, message }) => ({ code, syscall, address, port, message })))
      .toEqual([
        { code: 'ETIMEDOUT', syscall: 'connect', address: SILENT, port: peer.port,
          message: `connect ETIMEDOUT ${SILENT}:${peer.port}` },
        { code: 'ECONNREFUSED', syscall: 'connect', address: REFUSING, port: peer.port,
          message: `connect ECONNREFUSED ${REFUSING}:${peer.port}` },
      ]);
    expect(attempts).toEqual([`try ${SILENT}`, `timeout ${SILENT}`, `try ${REFUSING}`, `ECONNREFUSED ${REFUSING}`]);
    await untilPoolIsEmpty(options.agent);
  });

  it('is waited for if it is the last, until the request is called off', async () => {
    const req = http.get({ ...options, lookup: lookupOf(REFUSING, SILENT), timeout: 50 });
    const attempts = noteAttempts(req);
    await once(req, 'timeout');
    expect(attempts).toEqual([`try ${REFUSING}`, `ECONNREFUSED ${REFUSING}`, `try ${SILENT}`]);
    expect(req.socket.connecting).toBe(true);
    const failed = once(req, 'error');
    req.destroy();
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });
    await untilPoolIsEmpty(options.agent);
  });

  it('is the only one tried with autoSelectFamily: false', async () => {
    const asked = [];
    const req = http.get({
      ...options, autoSelectFamily: false, timeout: 50,
      lookup(hostname, { all }, callback) {
        asked.push(all);
        setImmediate(callback, null, SILENT, 4);
      },
    });
    await once(req, 'timeout');
    expect([asked, req.socket.connecting]).toEqual([[undefined], true]);
    req.on('error', () => {});
    req.destroy();
  });

  it('is not followed by another when the request is called off meanwhile', async () => {
    const req = http.get({ ...options, lookup: lookupOf(SILENT, SERVER), autoSelectFamilyAttemptTimeout: 30 });
    const attempts = noteAttempts(req);
    req.on('error', () => {});
    await until(() => attempts.length > 0);
    req.destroy();
    await quiet(60);
    expect(attempts).toEqual([`try ${SILENT}`, `ECANCELED ${SILENT}`]);
    expect(peer.accepted).toHaveLength(0);
  });

  it('keeps a signal waiting no longer than it wants', async () => {
    const req = http.get({ ...options, host: SILENT, signal: AbortSignal.timeout(40) });
    const [error] = await once(req, 'error');
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: { name: 'TimeoutError' } });
    await untilPoolIsEmpty(options.agent);
  });

  it('is what a body waits for: it is sent where the connection is made', async () => {
    const received = [];
    peer.server.removeAllListeners('request');
    peer.server.on('request', async (req, res) => {
      received.push(String(await bytesOf(req)));
      res.end();
    });
    const req = http.request({
      ...options, lookup: lookupOf(SILENT, SERVER), method: 'POST', autoSelectFamilyAttemptTimeout: 30,
    });
    req.write('written before ');
    req.end('and ended before');
    expect((await responseTo(req)).statusCode).toBe(200);
    expect(received).toEqual(['written before and ended before']);
  });
});

describe('addresses of both families', () => {
  it('take turns, the family of the first one first', async () => {
    const port = await new Promise((resolve) => {
      const server = net.createServer().listen(0, () => {
        const { port: free } = server.address();
        server.close(() => resolve(free));
      });
    });
    const req = http.get({
      host: 'name.test', port, agent: newAgent(),
      lookup: lookupOf('127.0.0.2', '127.0.0.3', '127.0.0.4', '::1', '::ffff:127.0.0.5'),
    });
    const attempts = noteAttempts(req);
    await once(req, 'error');
    expect(attempts.filter((attempt) => attempt.startsWith('try')).map((attempt) => attempt.slice(4)))
      .toEqual(['127.0.0.2', '::1', '127.0.0.3', '::ffff:127.0.0.5', '127.0.0.4']);
  });
});
