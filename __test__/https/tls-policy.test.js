'use strict';

/**
 * The names under which agents of https keep connections and TLS sessions: no two policies of TLS have one name, on
 * whatever Node (CVE-2026-123877, CVE-2026-56850). What Node's own name says is said as Node says it.
 */

const nodeHttps = require('node:https');
const net = require('node:net');
const { PolicyNames } = require('../../lib/https/tls-policy');
const { bytesOf, cleanUp, describeOurs, itOurs, responseTo, serve, turnOfEventLoop } = require('../support');
const { https } = require('../support/tls');

const one = () => null;
const another = () => null;

/** Options that make two connections unlike, by what is unlike. */
const PAIRS = {
  ca: [{ ca: 'x' }, { ca: 'y' }],
  cert: [{ cert: 'x' }, { cert: 'y' }],
  key: [{ key: 'x' }, { key: 'y' }],
  pfx: [{ pfx: 'x' }, { pfx: 'y' }],
  crl: [{ crl: 'x' }, { crl: 'y' }],
  ciphers: [{ ciphers: 'A:B' }, { ciphers: 'A:C' }],
  rejectUnauthorized: [{ rejectUnauthorized: true }, { rejectUnauthorized: false }],
  servername: [{ servername: 'a.test' }, { servername: 'b.test' }],
  minVersion: [{ minVersion: 'TLSv1.2' }, { minVersion: 'TLSv1.3' }],
  maxVersion: [{ maxVersion: 'TLSv1.2' }, { maxVersion: 'TLSv1.3' }],
  ecdhCurve: [{ ecdhCurve: 'P-256' }, { ecdhCurve: 'P-384:P-256' }],
  secureOptions: [{ secureOptions: 1 }, { secureOptions: 2 }],
  sigalgs: [{ sigalgs: 'RSA+SHA256' }, { sigalgs: 'ECDSA+SHA256' }],
  secureContext: [{ secureContext: { context: 1 } }, { secureContext: { context: 1 } }],
  'secureContext, or none': [{ secureContext: {} }, {}],
  allowPartialTrustChain: [{ allowPartialTrustChain: true }, { allowPartialTrustChain: false }],
  ALPNProtocols: [{ ALPNProtocols: ['h2'] }, { ALPNProtocols: ['http/1.1'] }],
  'ALPNProtocols, or none': [{ ALPNProtocols: ['http/1.1'] }, {}],
  'ALPNProtocols as bytes': [{ ALPNProtocols: Buffer.from([1, 0xff]) }, { ALPNProtocols: Buffer.from([1, 0xfe]) }],
  certificateCompression: [{ certificateCompression: ['zlib'] }, { certificateCompression: ['brotli'] }],
  minDHSize: [{ minDHSize: 1024 }, { minDHSize: 2048 }],
  pskCallback: [{ pskCallback: one }, { pskCallback: another }],
  requestOCSP: [{ requestOCSP: true }, { requestOCSP: false }],
  session: [{ session: Buffer.from('a') }, { session: Buffer.from('b') }],
  sessionTimeout: [{ sessionTimeout: 1 }, { sessionTimeout: 2 }],
  ticketKeys: [{ ticketKeys: Buffer.alloc(48, 1) }, { ticketKeys: Buffer.alloc(48, 2) }],
  'a passphrase of a key': [{ key: 'x', passphrase: '1' }, { key: 'x', passphrase: '2' }],
  'a passphrase of a pfx': [{ pfx: 'x', passphrase: '1' }, { pfx: 'x', passphrase: '2' }],
  'keys as objects': [{ key: [{ pem: 'x' }] }, { key: [{ pem: 'y' }] }],
  'passphrases in a list of keys': [{ key: [{ pem: 'x', passphrase: '1' }] }, { key: [{ pem: 'x', passphrase: '2' }] }],
  'pfx as objects': [{ pfx: [{ buf: 'x' }] }, { pfx: [{ buf: 'y' }] }],
  'passphrases in a list of pfx': [{ pfx: [{ buf: 'x', passphrase: '1' }] }, { pfx: [{ buf: 'x', passphrase: '2' }] }],
  'bytes that are no UTF-8': [{ ca: Buffer.of(0x30, 0xff) }, { ca: Buffer.of(0x30, 0xfe) }],
  'such bytes of a pfx': [{ pfx: Buffer.of(0x30, 0xff) }, { pfx: Buffer.of(0x30, 0xfe) }],
  'such bytes of a dhparam': [{ dhparam: Buffer.of(0xff) }, { dhparam: Buffer.of(0xfe) }],
  'such bytes in a list': [{ ca: ['x', Buffer.of(0xff)] }, { ca: ['x', Buffer.of(0xfe)] }],
  'bytes that are no Buffer, and their numbers': [{ key: Uint8Array.of(49, 50) }, { key: '49,50' }],
  'a list, and a text with a comma': [{ ca: ['x', 'y'] }, { ca: 'x,y' }],
  'options with a colon': [{ ciphers: 'A', key: 'B', pfx: 'C:' }, { ciphers: 'A:B', key: 'C' }],
};

/** Makes an agent whose connections are not encrypted, so that options need not be valid. */
function agentOverTcp({ port }) {
  const agent = new https.Agent({ keepAlive: true });
  agent.createConnection = () => net.connect(port, '127.0.0.1');
  cleanUp(() => agent.destroy());
  return agent;
}

/** Makes a request to its end, and tells whether its connection had served another. */
async function reuses(agent, options) {
  const req = https.get({ host: 'localhost', port: 443, agent, ...options });
  await bytesOf(await responseTo(req));
  await turnOfEventLoop();
  return req.reusedSocket;
}

describeOurs('requests with another policy of TLS', () => {
  it.each(Object.entries(PAIRS))('do not share a connection: %s', async (_what, [first, second]) => {
    const { address } = await serve((_req, res) => res.end());
    for (const [before, after] of [[first, second], [second, first]]) {
      const agent = agentOverTcp(address);
      expect([await reuses(agent, before), await reuses(agent, after)]).toEqual([false, false]);
      expect([await reuses(agent, before), await reuses(agent, after)]).toEqual([true, true]);
    }
  });

  it('have names in which no passphrase can be read, unless the running Node writes it there', () => {
    const options = { host: 'h', pfx: 'x', passphrase: 'secret phrase' };
    const { getName } = https.Agent.prototype;
    const isNodes = nodeHttps.Agent.prototype.getName.call(new nodeHttps.Agent(), options).includes('secret');
    expect(getName.call(new https.Agent(), options).includes('secret')).toBe(isNodes);
  });

  it('have the session of none other', async () => {
    const agent = new https.Agent({ keepAlive: true });
    const names = Object.values(PAIRS).flat().map((options) => agent.getName({ host: 'h', port: 1, ...options }));
    const plain = agent.getName({ host: 'h', port: 1 });
    names.forEach((name, index) => agent._cacheSession(name, Buffer.of(index)));
    expect(agent._getSession(plain)).toEqual(names.includes(plain) ? expect.any(Buffer) : undefined);
    for (const [first, second] of Object.values(PAIRS)) {
      expect(agent.getName({ host: 'h', ...first })).not.toBe(agent.getName({ host: 'h', ...second }));
    }
  });
});

describeOurs('options that are changed in place', () => {
  it.each([
    ['a Buffer', { key: Buffer.from('one') }, ({ key }) => key.write('two')],
    ['a view that is no Buffer', { key: new Uint16Array([1, 2]) }, ({ key }) => { key[0] = 3; }],
    ['a Buffer in a list', { ca: ['x', Buffer.from('one')] }, ({ ca }) => ca[1].write('two')],
    ['a Buffer of an object in a list', { pfx: [{ buf: Buffer.from('one') }] }, ({ pfx }) => pfx[0].buf.write('two')],
    ['a passphrase in a list', { key: [{ pem: 'x', passphrase: '1' }] }, ({ key }) => { key[0].passphrase = '2'; }],
  ])('make another name, also while the old one is in use: %s', async (_what, options, change) => {
    const held = [];
    const { address } = await serve((req, res) => {
      if (req.url === '/held') held.push(res);
      else res.end();
    });
    const agent = agentOverTcp(address);
    const under = responseTo(https.get({ host: 'localhost', port: 443, agent, ...options, path: '/held' }));
    expect([await reuses(agent, options), await reuses(agent, options)]).toEqual([false, true]);
    change(options);
    expect([await reuses(agent, options), await reuses(agent, options)]).toEqual([false, true]);
    while (held.length === 0) await turnOfEventLoop();
    held[0].end();
    await bytesOf(await under);
    await turnOfEventLoop();
    // Each connection leaves the row that it was entered in.
    agent.destroy();
    while (agent.totalSocketCount > 0) await turnOfEventLoop();
    expect([agent.sockets, agent.freeSockets].map((table) => Object.keys(table))).toEqual([[], []]);
  });
});

describeOurs('a name that lacks nothing', () => {
  const PLAIN = [
    {}, { ca: 'ca' }, { ca: Buffer.from('a certificate') }, { ca: ['one', Buffer.from('two')] },
    { key: 'k', cert: 'c' },
    { ciphers: 'A:B:!C', ecdhCurve: 'P-256:P-384', sigalgs: 'A:B' }, { rejectUnauthorized: false },
    { minVersion: 'x' }, { secureOptions: 4, honorCipherOrder: true }, { session: undefined, secureContext: null },
  ];

  it.each(PLAIN)('is Node\'s: %j', (options) => {
    const all = { host: 'h', port: 1, ...options };
    expect(new https.Agent().getName(all)).toBe(new nodeHttps.Agent().getName(all));
  });

  it('is found in a name that has everything, and then nothing is added', () => {
    const complete = new PolicyNames((options) => {
      const write = (value) => {
        if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${[...value]})`;
        if (Array.isArray(value)) return `[${value.map(write)}]`;
        if (typeof value === 'function') return '()';
        if (value && typeof value === 'object') return `{${Object.keys(value).map((key) => key + write(value[key]))}}`;
        return JSON.stringify(value);
      };
      return Object.keys(options).map((key) => `${key}=${write(options[key])}`).join();
    });
    for (const options of Object.values(PAIRS).flat()) expect(complete.restOf(options)).toBe('');
  });
});

itOurs('an agent that names origins in its own way is asked', async () => {
  const { address } = await serve((_req, res) => res.end());
  const agent = agentOverTcp(address);
  agent.getName = () => 'all the same';
  expect([await reuses(agent, { pfx: 'x' }), await reuses(agent, { pfx: 'y' })]).toEqual([false, true]);
  expect(Object.keys(agent.freeSockets)).toEqual(['all the same']);
});
