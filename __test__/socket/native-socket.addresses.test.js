'use strict';

/** Names and addresses: what a lookup is asked and may answer, IPv6 in its spellings, where a connection comes from. */

const { once } = require('node:events');
const dns = require('node:dns');
const nodeHttp = require('node:http');
const os = require('node:os');
const {
  bytesOf, exchange, http, newAgent, poolOf, responseTo, serve, unusedPort, until, untilPoolIsEmpty,
} = require('../support');

const interfaces = Object.entries(os.networkInterfaces())
  .flatMap(([name, list]) => list.map((entry) => ({ name, ...entry })));
const itIPv6 = interfaces.some(({ address }) => address === '::1') ? it : it.skip;
const linkLocal = interfaces.find(({ address, family }) => family === 'IPv6' && address.startsWith('fe80:'));
const itLinkLocal = linkLocal && process.platform === 'linux' ? it : it.skip;
const itLinux = process.platform === 'linux' ? it : it.skip;

/** A server that tells from where it was asked, and for which Host. */
const serveMirror = (listen) => serve((req, res) => {
  const { remoteAddress, remotePort, remoteFamily } = req.socket;
  res.end(JSON.stringify({ remoteAddress, remotePort, remoteFamily, host: req.headers.host }));
}, { listen });

async function mirrored(options) {
  const { req, body } = await exchange({ agent: newAgent(), ...options });
  return { ...JSON.parse(body), req };
}

/** Gives a list where one is wanted, and else its first address. */
function answerWith(...addresses) {
  return (hostname, options, callback) => {
    const list = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    if (options.all) callback(null, list);
    else callback(null, list[0].address, list[0].family);
  };
}

/** Properties that errors have here besides, of which none is enumerable: docs/timings.md. */
const DETAILS = ['phase', 'host', 'port', 'method', 'path', 'reusedSocket', 'attempts', 'timings'];

/**
 * Collects all that an error says as Node's does: class, own properties, those of the errors in it, and where its stack
 * begins. An AggregateError of Node's has no message.
 */
function describeError(error) {
  if (typeof error !== 'object') return error;
  const own = Object.fromEntries(Object.getOwnPropertyNames(error)
    .filter((name) => name !== 'stack' && !(error.errors && name === 'message'))
    .map((name) => [name, Object.getOwnPropertyDescriptor(error, name)])
    .filter(([name, { enumerable }]) => enumerable || !DETAILS.includes(name))
    // Errors of early releases have a toString() each.
    .filter(([, { value }]) => typeof value !== 'function'));
  if (error.errors) own.errors.value = error.errors.map(describeError);
  const [head] = error.stack.split(error.errors ? ':' : '\n', 1);
  // Jest renders the stacks of Node's own errors without their codes.
  return { prototype: Object.getPrototypeOf(error).constructor.name, own, head: head.replace(` [${error.code}]`, '') };
}

/** Collects what becomes of a request: what it throws, or its error, and the arguments of 'lookup' of its socket. */
async function failureOf(module, options) {
  const lookups = [];
  let req;
  try {
    req = module.get({ agent: new module.Agent(), ...options });
  } catch (error) {
    return { threw: describeError(error) };
  }
  req.on('socket', (socket) => socket.on('lookup', (error, ...rest) => lookups.push([error?.code ?? error, ...rest])));
  const closed = new Promise((resolve) => { req.on('close', resolve); });
  const error = await new Promise((resolve) => { req.on('error', resolve); });
  await closed;
  return { error: describeError(error), lookups };
}

describe('a lookup', () => {
  it.each([
    ['by default', {}],
    ['with family 4', { family: 4 }],
    ['with family 6', { family: 6 }],
    ['with hints', { hints: dns.ADDRCONFIG | dns.ALL }],
    ['with autoSelectFamily: false', { autoSelectFamily: false }],
    ['with all of them', { family: 4, hints: 0, autoSelectFamily: true }],
  ])('is asked %s what Node asks', async (_how, options) => {
    const asked = async (module) => {
      let given;
      const lookup = (hostname, lookupOptions, callback) => {
        given = [hostname, { ...lookupOptions }, Object.keys(lookupOptions)];
        callback(new Error('enough'));
      };
      await failureOf(module, { host: 'name.test', port: 1, lookup, ...options });
      return given;
    };
    const given = await asked(http);
    expect(given).toEqual(await asked(nodeHttp));
    expect(given[0]).toBe('name.test');
  });

  it.each([
    ['one address and its family', (options, callback) => {
      if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
      else callback(null, '127.0.0.1', 4);
    }],
    ['several', (options, callback) => {
      if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }, { address: '127.0.0.2', family: 4 }]);
      else callback(null, '127.0.0.1', 4);
    }],
    ['a family by name, as os.networkInterfaces() has it', (options, callback) => {
      if (options.all) callback(null, [{ address: '127.0.0.1', family: 'IPv4' }]);
      else callback(null, '127.0.0.1', 'IPv4');
    }],
  ])('may answer with %s, at once or later', async (_what, answer) => {
    const peer = await serveMirror();
    for (const autoSelectFamily of [true, false]) {
      for (const when of [(call) => call(), process.nextTick, setImmediate]) {
        const lookup = (hostname, options, callback) => { when(() => answer(options, callback)); };
        const attempt = (module) => new Promise((resolve) => {
          const req = module.get({ host: 'name.test', port: peer.port, lookup, autoSelectFamily, agent: false });
          req.on('response', (res) => res.resume().on('end', () => resolve(res.statusCode)));
          req.on('error', (error) => resolve(error.code));
        });
        expect(await attempt(http)).toBe(await attempt(nodeHttp));
      }
    }
  });

  it.each([
    ['an empty list', [null, []], true],
    ['nothing', [null], false],
    ['an address that is none', [null, [{ address: 'nowhere', family: 4 }]], true],
    ['a family that does not exist', [null, '127.0.0.1', 7], false],
    ['a number', [null, 5], false],
    ['an error without properties', [new Error('plain')], true],
    ['an error that is none', ['a string'], true],
  ])('that answers with %s makes the request fail as in Node', async (_what, answer, autoSelectFamily) => {
    const lookup = (hostname, options, callback) => { callback(...answer); };
    const options = { host: 'name.test', port: 1, lookup, autoSelectFamily };
    const failure = await failureOf(http, options);
    expect(failure).toEqual(await failureOf(nodeHttp, options));
  });

  it('that throws makes request() throw, and leaves nothing in the agent', () => {
    const mine = new Error('thrown');
    const agent = newAgent();
    expect(() => http.get({ host: 'name.test', agent, lookup() { throw mine; } })).toThrow(mine);
    expect(poolOf(agent)).toEqual({ sockets: 0, freeSockets: 0, requests: 0 });
  });

  it("tells its answer by the socket's 'lookup' event", async () => {
    const peer = await serveMirror();
    const req = http.get({ host: 'name.test', port: peer.port, lookup: answerWith('127.0.0.1'), agent: newAgent() });
    const [socket] = await once(req, 'socket');
    const seen = [];
    socket.on('lookup', (...args) => seen.push(args));
    await bytesOf(await responseTo(req));
    // It came at once, before anybody could listen.
    expect(seen.length).toBeLessThanOrEqual(1);
    const later = (...args) => { setImmediate(answerWith('127.0.0.1'), ...args); };
    const second = http.get({ host: 'name.test', port: peer.port, lookup: later, agent: newAgent() });
    second.on('socket', (other) => other.on('lookup', (...args) => seen.push(args)));
    await bytesOf(await responseTo(second));
    expect(seen.at(-1)).toEqual([null, '127.0.0.1', 4, 'name.test']);
  });

  it('without an answer can be waited for no longer', async () => {
    const agent = newAgent();
    const req = http.get({ host: 'name.test', lookup() {}, agent, timeout: 30 });
    await once(req, 'timeout');
    expect(req.socket.connecting).toBe(true);
    const failed = once(req, 'error');
    req.destroy();
    expect((await failed)[0].code).toBe('ECONNRESET');
    await untilPoolIsEmpty(agent);
  });
});

describe('what cannot be connected to', () => {
  it.each([
    ['hints that are none', { hints: 99999 }],
    ['a family that is none', { family: 5 }],
    ['a lookup that is no function', { lookup: 5 }],
    ['a port below 0', { port: -1 }],
    ['a port above 65535', { port: 65536 }],
    ['a port that is no number', { port: 'abc' }],
    ['a host that is no string', { host: 5 }],
    ['a localAddress that is none', { host: '127.0.0.1', localAddress: 'nope' }],
    ['a localPort that is no number', { host: '127.0.0.1', localPort: 'abc' }],
    ['a localPort above 65535', { host: '127.0.0.1', localPort: 70000 }],
    ['a localAddress that is not ours', { host: '127.0.0.1', localAddress: '203.0.113.9' }],
    ['a localAddress of the other family', { host: '127.0.0.1', localAddress: '::1' }],
    ['a localAddress of the other family again', { host: '::1', localAddress: '127.0.0.1' }],
    ['autoSelectFamily that is no boolean', { autoSelectFamily: 'yes' }],
    ['an attempt timeout that is no number', { autoSelectFamilyAttemptTimeout: 'long' }],
    ['an attempt timeout below 1', { autoSelectFamilyAttemptTimeout: 0 }],
    ['a host in brackets', { host: '[::1]', lookup: (hostname, options, callback) => callback(new Error(hostname)) }],
    ['an address where nobody listens', { host: '127.0.0.1' }],
    ['an IPv4 address with family 6', { host: '127.0.0.1', family: 6 }],
    ['any address where nobody listens', { host: '0.0.0.0' }],
    ['the address of everybody', { host: '255.255.255.255' }],
    ['an IPv6 address where nobody listens', { host: '::1' }],
    ['an IPv6 address with a zone', { host: '::1%lo' }],
    ['an IPv4 address in IPv6', { host: '::ffff:127.0.0.1' }],
    ['two addresses where nobody listens', { lookup: answerWith('127.0.0.1', '::1') }],
    ['an address that the kernel refuses, and another', { lookup: answerWith('255.255.255.255', '127.0.0.1') }],
    ['a Unix domain socket that is not there', { socketPath: '/nonexistent/ferrequest.sock' }],
  ])('%s gives the error of Node, to the letter', async (_what, options) => {
    const port = await unusedPort();
    const given = { host: 'name.test', port, ...options };
    const failure = await failureOf(http, given);
    expect(failure).toEqual(await failureOf(nodeHttp, given));
    expect(failure.threw ?? failure.error).toBeDefined();
  });

  it('a localPort in use gives the error of Node', async () => {
    const [taken, peer] = [await serve(), await serveMirror()];
    const options = { ...peer.address, localAddress: '127.0.0.1', localPort: taken.port };
    expect(await failureOf(http, options)).toEqual(await failureOf(nodeHttp, options));
  });

  it('a localPort before an address where nobody listens is in the error', async () => {
    const [port, localPort] = [await unusedPort(), await unusedPort()];
    const options = { host: '127.0.0.1', port, localAddress: '127.0.0.1', localPort };
    const failure = await failureOf(http, options);
    expect(failure).toEqual(await failureOf(nodeHttp, options));
    expect(failure.error.own).toMatchObject({ localAddress: { value: '127.0.0.1' }, localPort: { value: localPort } });
  });
});

describe('IPv6', () => {
  itIPv6('addresses come with brackets in a URL and without in options, and have them in Host', async () => {
    const peer = await serveMirror({ port: 0, host: '::1' });
    const host = `[::1]:${peer.port}`;
    for (const request of [() => http.get(`http://[::1]:${peer.port}/`), () => http.get({ host: '::1', port: peer.port }),
      () => http.get(new URL(`http://[0:0::1]:${peer.port}/`)), () => http.get({ hostname: '::1', port: peer.port })]) {
      const req = request();
      const told = JSON.parse(await bytesOf(await responseTo(req)));
      expect(told).toMatchObject({ remoteAddress: '::1', remoteFamily: 'IPv6', host });
    }
  });

  itIPv6('sockets know their addresses', async () => {
    const peer = await serveMirror({ port: 0, host: '::1' });
    const req = http.get({ host: '::1', port: peer.port, agent: newAgent() });
    await responseTo(req);
    const { localAddress, localFamily, remoteAddress, remoteFamily, remotePort } = req.socket;
    expect({ localAddress, localFamily, remoteAddress, remoteFamily, remotePort }).toEqual({
      localAddress: '::1', localFamily: 'IPv6', remoteAddress: '::1', remoteFamily: 'IPv6', remotePort: peer.port,
    });
    expect(req.socket.address()).toEqual({ address: '::1', family: 'IPv6', port: req.socket.localPort });
  });

  itLinkLocal('addresses have zones', async () => {
    const host = `${linkLocal.address}%${linkLocal.name}`;
    const peer = await serveMirror({ port: 0, host });
    const { remoteAddress, req } = await mirrored({ host, port: peer.port });
    expect(remoteAddress.split('%')[0]).toBe(linkLocal.address);
    expect(req.getHeader('host')).toBe(`[${host}]:${peer.port}`);
  });

  itIPv6('and IPv4 addresses of a server on both are told apart', async () => {
    const peer = await serveMirror({ port: 0, host: '::' });
    expect(await mirrored({ host: '127.0.0.1', port: peer.port })).toMatchObject({ remoteAddress: '::ffff:127.0.0.1' });
    expect(await mirrored({ host: '::ffff:127.0.0.1', port: peer.port })).toMatchObject({ remoteFamily: 'IPv6' });
    expect(await mirrored({ host: '::1', port: peer.port })).toMatchObject({ remoteAddress: '::1' });
  });

  itIPv6('may be asked for by family', async () => {
    const peer = await serveMirror({ port: 0, host: '::' });
    const asked = [];
    const lookup = (hostname, options, callback) => {
      asked.push(options.family);
      answerWith(options.family === 6 ? '::1' : '127.0.0.1')(hostname, options, callback);
    };
    const told = [];
    for (const family of [4, 6]) {
      told.push((await mirrored({ host: 'name.test', port: peer.port, family, lookup })).remoteAddress);
    }
    expect([asked, told]).toEqual([[4, 6], ['::ffff:127.0.0.1', '::1']]);
  });
});

describe('where a connection comes from', () => {
  itLinux('localAddress and localPort say', async () => {
    const peer = await serveMirror();
    const localPort = await unusedPort();
    const told = await mirrored({ ...peer.address, localAddress: '127.0.0.3', localPort });
    expect(told).toMatchObject({ remoteAddress: '127.0.0.3', remotePort: localPort });
    expect(told.req.socket).toMatchObject({ localAddress: '127.0.0.3', localPort });
  });

  itLinux('divides the connections of an agent', async () => {
    const peer = await serveMirror();
    const agent = newAgent({ keepAlive: true });
    const seen = [];
    for (const localAddress of ['127.0.0.3', undefined, '127.0.0.3']) {
      const { remoteAddress, req } = await mirrored({ ...peer.address, agent, localAddress });
      seen.push([remoteAddress, req.reusedSocket]);
      await until(() => poolOf(agent).sockets === 0);
    }
    expect(seen).toEqual([['127.0.0.3', false], ['127.0.0.1', false], ['127.0.0.3', true]]);
  });

  itIPv6('localAddress may be an IPv6 address', async () => {
    const peer = await serveMirror({ port: 0, host: '::1' });
    const told = await mirrored({ host: '::1', port: peer.port, localAddress: '::1' });
    expect(told).toMatchObject({ remoteAddress: '::1' });
  });
});
