'use strict';

/**
 * A user hears of a refusal before anything is sent in the turn of the request, as from node:http: an
 * error that a test emits in the next turn comes behind it.
 */

const { once } = require('node:events');
const os = require('node:os');
const { http, newAgent, responseTo, serveRaw } = require('../support');

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

  it('is told of each attempt within the turn, where another one follows', async () => {
    const lookup = (host, options, callback) => {
      setImmediate(callback, null, [REFUSED, REFUSED].map((address, i) => ({ address, family: i ? 4 : 6 })));
    };
    const events = await eventsOf({ lookup });
    expect(events.filter((event) => event === 'attempt').length).toBe(2);
    expect(events.at(-1)).toBe('later');
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
