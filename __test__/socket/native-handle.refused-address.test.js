'use strict';

/**
 * A user hears of a refusal before anything is sent in the turn of the request, as from node:http: an
 * error that a test emits in the next turn comes behind it.
 */

const { once } = require('node:events');
const net = require('node:net');
const os = require('node:os');
const { http, itNative, newAgent, responseTo, serveRaw, untilPoolIsEmpty } = require('../support');

/** Broadcast needs an option that TCP sockets do not have. */
const REFUSED = '255.255.255.255';

const [own] = Object.values(os.networkInterfaces()).flat().filter(({ internal, scopeid }) => !internal && !scopeid);

/** Makes a request, and notes what it emits before the end of the ticks behind the first attempt to connect. */
async function eventsOf(options) {
  const events = [];
  const req = http.get({ host: 'x.test', port: 80, agent: newAgent(), ...options });
  const note = (name) => (error) => events.push(error ? `${name} ${error.message}` : name);
  req.on('error', note('error'));
  req.on('socket', (socket) => {
    let isFirst = true;
    socket.on('connectionAttempt', () => {
      events.push('attempt');
      // Behind the ticks that the attempt itself makes due.
      if (isFirst) process.nextTick(() => process.nextTick(() => process.nextTick(note('later'))));
      isFirst = false;
    });
    socket.on('connectionAttemptFailed', (address, port, family, error) => note('failed')(error));
  });
  await new Promise((resolve) => { req.on('close', resolve); });
  return events;
}

describe('an address that the kernel refuses', () => {
  const error = `connect ENETUNREACH ${REFUSED}:80 - Local (0.0.0.0:0)`;

  it.each([
    ['that a lookup gives', {
      autoSelectFamily: false, lookup: (host, options, callback) => setImmediate(callback, null, REFUSED, 4),
    }],
    ['that is the only one of a name', {
      lookup: (host, options, callback) => setImmediate(callback, null, [{ address: REFUSED, family: 4 }]),
    }],
  ])('%s is told within the turn', async (_what, options) => {
    expect(await eventsOf(options)).toEqual(['attempt', `error ${error}`, 'later']);
  });

  it('is told by a socket of libuv as by node:http', async () => {
    const lookup = (host, options, callback) => setImmediate(callback, null, REFUSED, 4);
    const createConnection = (options) => net.connect({ ...options, autoSelectFamily: false, lookup });
    const [told] = await once(http.get({ host: 'x.test', createConnection }), 'error');
    expect(told.message).toBe(error);
  });

  it('is told of each attempt within the turn, where another one follows', async () => {
    const lookup = (host, options, callback) => {
      setImmediate(callback, null, [REFUSED, REFUSED].map((address, i) => ({ address, family: i ? 4 : 6 })));
    };
    const events = await eventsOf({ lookup });
    expect(events.filter((event) => event === 'attempt').length).toBe(2);
    expect(events.at(-1)).toBe('later');
  });
});

describe('a connection that fails while the request is being made', () => {
  const answerWith = (...addresses) => (host, options, callback) => {
    if (options.all) callback(null, addresses.map((address) => ({ address, family: 4 })));
    else callback(null, addresses[0], 4);
  };
  const localAddress = '203.0.113.9';

  // Before Node 24.14, a lookup that answers at once makes the error of a socket of libuv an uncaught one.
  itNative.each([
    ['to the one address of a name', { lookup: answerWith(REFUSED) }, 'ENETUNREACH'],
    ['to each of its addresses', { lookup: answerWith(REFUSED, REFUSED) }, 'ENETUNREACH'],
    ['to the first of them', { lookup: answerWith(REFUSED), autoSelectFamily: false }, 'ENETUNREACH'],
    ['to an address', { host: REFUSED }, 'ENETUNREACH'],
    ['from an address that is not ours', { lookup: answerWith('127.0.0.1'), localAddress }, 'EADDRNOTAVAIL'],
  ])('%s is told to its listeners (61658)', async (_what, options, code) => {
    const agent = newAgent({ keepAlive: true });
    for (const given of [agent, false]) {
      const errors = [];
      const req = http.get({ host: 'x.test', port: 80, agent: given, ...options });
      req.on('error', (error) => errors.push(error.code));
      await new Promise((resolve) => { req.on('close', resolve); });
      expect(errors).toEqual([code]);
    }
    await untilPoolIsEmpty(agent);
  });
});

(own ? it : it.skip)('an address that is no loopback address is connected to, and its refusal told later', async () => {
  const peer = await serveRaw((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  }, { port: 0, host: own.address });
  const agent = newAgent({ keepAlive: true });
  for (let i = 0; i < 3; i++) {
    const res = await responseTo(http.get({ ...peer.address, agent }));
    expect(res.socket.remoteAddress).toBe(own.address);
    expect(res.socket.localAddress).toBe(own.address);
    await new Promise((resolve) => { res.resume().on('close', resolve); });
  }
  await peer.close();
  const [error] = await once(http.get({ ...peer.address, agent: newAgent() }), 'error');
  expect(error.message).toBe(`connect ECONNREFUSED ${own.address}:${peer.port}`);
});
