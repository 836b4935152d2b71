'use strict';

/** The race of connections (RFC 8305): `autoSelectFamily: 'race'`. */

const { once } = require('node:events');
const net = require('node:net');
const http = require('../../index');
const {
  describeLinux, describeOurs, exchange, isOracle, newAgent, responseTo, bytesOf, serve, until, untilPoolIsEmpty,
} = require('../support');
const { SILENT, silence } = require('../support/silence');
const { describeTransports } = require('../support/transports');

const SERVER = '127.0.0.1';
const REFUSING = '127.0.0.8';
const OTHER_REFUSING = '127.0.0.7';

/** A lookup that gives these addresses in this order. */
const lookupOf = (...addresses) => (hostname, options, callback) => setImmediate(callback, null,
  addresses.map((address) => ({ address, family: net.isIP(address) })));

/** Notes the attempts to connect that a socket tells of. */
function noteAttempts(req) {
  const attempts = [];
  req.on('socket', (socket) => {
    socket.on('lookup', (error, address) => attempts.push(`found ${address}`));
    socket.on('connectionAttempt', (address) => attempts.push(`try ${address}`));
    socket.on('connectionAttemptTimeout', (address) => attempts.push(`timeout ${address}`));
    socket.on('connectionAttemptFailed', (address, port, family, error) => attempts.push(`${error.code} ${address}`));
    socket.on('connect', () => attempts.push('connect'));
  });
  return attempts;
}

describeTransports("autoSelectFamily: 'race'", (transport) => {
  let peer;
  const optionsOf = (agentOptions) => {
    const agent = transport.newAgent({ keepAlive: true, autoSelectFamily: 'race', ...agentOptions });
    return { ...peer.address, host: 'localhost', agent };
  };

  beforeEach(async () => {
    peer = await transport.serve((req, res) => res.end('answered'));
  });

  it('goes on to the next address as soon as one fails', async () => {
    const options = optionsOf({ lookup: lookupOf(REFUSING, SERVER), autoSelectFamilyAttemptTimeout: 60_000 });
    const req = http.get(options);
    const attempts = noteAttempts(req);
    expect(String(await bytesOf(await responseTo(req)))).toBe('answered');
    expect(attempts).toEqual([`found ${REFUSING}`, `try ${REFUSING}`, `found ${SERVER}`, `ECONNREFUSED ${REFUSING}`,
      `try ${SERVER}`, 'connect']);
    expect(req.socket.remoteAddress).toBe(SERVER);
    const attempted = [REFUSING, SERVER].map((address) => `${address}:${peer.port}`);
    expect(req.socket.autoSelectFamilyAttemptedAddresses).toEqual(attempted);
    await until(() => Object.values(options.agent.freeSockets).flat().length === 1);
    const again = await exchange(options);
    expect(again.req.reusedSocket).toBe(true);
    expect(peer.accepted.length).toBe(1);
  });

  it('fails with the errors of all addresses', async () => {
    const options = optionsOf({ lookup: lookupOf(REFUSING, OTHER_REFUSING) });
    const [error] = await once(http.get(options), 'error');
    expect(error).toMatchObject({ name: 'AggregateError', code: 'ECONNREFUSED' });
    expect(error.errors.map(({ code, syscall, address, port }) => [code, syscall, address, port])).toEqual([
      ['ECONNREFUSED', 'connect', REFUSING, peer.port], ['ECONNREFUSED', 'connect', OTHER_REFUSING, peer.port],
    ]);
    await untilPoolIsEmpty(options.agent);
  });

  it('fails with the error of the only address', async () => {
    const [error] = await once(http.get(optionsOf({ lookup: lookupOf(REFUSING) })), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: REFUSING, port: peer.port });
  });

  it('is called off with its request', async () => {
    const options = optionsOf({ lookup: lookupOf(REFUSING, SERVER) });
    const req = http.get(options);
    req.once('socket', (socket) => socket.once('connectionAttemptFailed', () => req.destroy(new Error('called off'))));
    const [error] = await once(req, 'error');
    expect(error.message).toBe('called off');
    await untilPoolIsEmpty(options.agent);
  });

  it('takes an address, and a name that has one', async () => {
    for (const options of [{ ...optionsOf(), host: SERVER }, optionsOf({ lookup: lookupOf(SERVER) })]) {
      expect(String((await exchange(options)).body)).toBe('answered');
    }
  });
}, ({ isLent }) => !isLent && !isOracle);

describeTransports('a silent address', (transport) => {
  describeLinux("in a race (autoSelectFamily: 'race')", () => {
    let peer;
    beforeEach(async () => {
      peer = await transport.serve((req, res) => res.end('answered'));
      await silence(peer.port);
    });

    it('does not hold the next up, and is closed when that has won', async () => {
      const lookup = lookupOf(SILENT, SERVER);
      const agent = transport.newAgent({ autoSelectFamily: 'race', lookup, autoSelectFamilyAttemptTimeout: 20 });
      const req = http.get({ ...peer.address, host: 'localhost', agent });
      const attempts = noteAttempts(req);
      expect(String(await bytesOf(await responseTo(req)))).toBe('answered');
      expect(attempts.slice(1)).toEqual([`try ${SILENT}`, `found ${SERVER}`, `try ${SERVER}`, 'connect']);
      await untilPoolIsEmpty(agent);
    });
  });
}, ({ isLent }) => !isLent && !isOracle);

describeOurs('a race', () => {
  it('interleaves the families, and that of the first address begins', async () => {
    const lookup = lookupOf('::1', '::2', REFUSING, OTHER_REFUSING);
    const port = (await serve(() => {})).port;
    const req = http.get({ host: 'name.test', port, lookup, autoSelectFamily: 'race', agent: newAgent() });
    await once(req, 'error');
    expect(req.socket.autoSelectFamilyAttemptedAddresses.map((text) => text.slice(0, text.lastIndexOf(':'))))
      .toEqual(['::1', REFUSING, '::2', OTHER_REFUSING]);
  });

  it.each([
    ['createConnection', { createConnection: (options) => net.createConnection(options) }],
    ['no agent', { agent: false }],
  ])('takes place with %s', async (_what, others) => {
    const peer = await serve((req, res) => res.end('answered'));
    const lookup = lookupOf(REFUSING, SERVER);
    const options = { host: 'name.test', port: peer.port, lookup, autoSelectFamily: 'race', ...others };
    const { req } = await exchange(options);
    expect(req.socket.autoSelectFamilyAttemptedAddresses.length).toBe(2);
  });

  it('is asked for by a request as well as by its agent, with a cache of look-ups', async () => {
    let asked = 0;
    const lookup = (...args) => {
      asked++;
      lookupOf(REFUSING, SERVER)(...args);
    };
    const peer = await serve((req, res) => res.end('answered'));
    const agent = newAgent({ dns: { cache: true } });
    const options = { host: 'name.test', port: peer.port, lookup, agent, autoSelectFamily: 'race' };
    await exchange(options);
    const { req } = await exchange(options);
    expect(req.socket.autoSelectFamilyAttemptedAddresses.length).toBe(2);
    expect(asked).toBe(1);
  });

  it('leaves the choice of one family, and of a local address, to Node', async () => {
    const peer = await serve((req, res) => res.end('answered'));
    for (const others of [{ family: 4 }, { localAddress: SERVER }]) {
      const options = { host: 'localhost', port: peer.port, agent: newAgent({ autoSelectFamily: 'race' }), ...others };
      expect(String((await exchange(options)).body)).toBe('answered');
    }
  });
});
