'use strict';

/** The socket of a request is a tls.TLSSocket, and each of its members gives what it gives with node:https. */

const { once } = require('node:events');
const tls = require('node:tls');
const { inspect, types: { isNativeError } } = require('node:util');
const { certificates, serveTls } = require('../support/tls');
const { describeError, expectAsNode, serveWitness } = require('../support/tls-observer');

const { ca, client, local } = certificates;

/** Calls a function and gives its result, or describes its error. */
function attempt(call) {
  try {
    return call();
  } catch (error) {
    return { thrown: describeError(error) };
  }
}

/** Describes a value of which only the kind and the size are the same each time. */
function shapeOf(value) {
  if (Buffer.isBuffer(value)) return `${value.length} bytes`;
  if (isNativeError(value)) return describeError(value);
  if (Array.isArray(value)) return value;
  return value === undefined ? 'undefined' : value;
}

/** Describes a session: its length depends on the ticket, which depends on the server only. */
const isBytes = (value) => (value === undefined ? undefined : Buffer.isBuffer(value) && value.length > 0);

/** Describes the certificates of a chain, each with the names of its properties. */
function chainOf(certificate) {
  const chain = [];
  for (let each = certificate; each && !chain.some(([print]) => print === each.fingerprint256);
    each = each.issuerCertificate) {
    chain.push([each.fingerprint256, Object.keys(each)]);
  }
  return chain;
}

/** Members of a socket that give one value as long as it is open. */
const MEMBERS = {
  class: (socket) => [socket.constructor.name, socket instanceof tls.TLSSocket, socket.constructor === tls.TLSSocket],
  tag: (socket) => Object.prototype.toString.call(socket),
  encrypted: (socket) => [socket.encrypted, Object.hasOwn(socket, 'encrypted')],
  authorized: (socket) => [socket.authorized, socket.authorizationError],
  names: (socket) => [socket.servername, socket.alpnProtocol],
  state: (socket) => [socket.secureConnecting, socket.connecting, socket.pending, socket.readyState],
  chain: (socket) => chainOf(socket.getPeerCertificate(true)),
  leaf: (socket) => chainOf(socket.getPeerCertificate()),
  x509: (socket) => socket.getPeerX509Certificate()?.fingerprint256,
  own: (socket) => socket.getCertificate()?.fingerprint256,
  ownX509: (socket) => socket.getX509Certificate()?.fingerprint256,
  cipher: (socket) => socket.getCipher(),
  protocol: (socket) => socket.getProtocol(),
  session: (socket) => isBytes(socket.getSession()),
  ticket: (socket) => isBytes(socket.getTLSTicket()),
  reused: (socket) => socket.isSessionReused(),
  finished: (socket) => shapeOf(socket.getFinished()),
  peerFinished: (socket) => shapeOf(socket.getPeerFinished()),
  // Before a handshake this crashes Node 24 and 26 themselves.
  ephemeral: (socket) => (socket.secureConnecting ? 'not asked' : socket.getEphemeralKeyInfo()),
  signatures: (socket) => socket.getSharedSigalgs(),
  material: (socket) => shapeOf(socket.exportKeyingMaterial(40, 'EXPORTER-test')),
  materialOfContext: (socket) => shapeOf(socket.exportKeyingMaterial(16, 'EXPORTER-test', Buffer.from('context'))),
  materialOfNothing: (socket) => attempt(() => socket.exportKeyingMaterial(0, 'EXPORTER-test')),
  fragment: (socket) => [512, 100, 16384, 99999].map((size) => attempt(() => socket.setMaxSendFragment(size))),
  address: (socket) => [socket.address().address, socket.address().family, socket.remoteAddress, socket.remoteFamily,
    socket.localAddress, typeof socket.localPort, socket.timeout, socket.allowHalfOpen],
  stream: (socket) => [socket.readable, socket.writable, socket.destroyed, socket.errored, socket.writableLength,
    socket.writableHighWaterMark, socket.readableHighWaterMark],
  quick: (socket) => [socket.setNoDelay(true) === socket, socket.setKeepAlive(true) === socket,
    socket.ref() === socket, socket.unref() === socket, socket.ref() === socket],
  looksFine: (socket) => inspect(socket).startsWith('<ref *1> TLSSocket {') ||
    inspect(socket).startsWith('TLSSocket {'),
};

/**
 * Members that change a connection, and are asked last. A late setServername makes Node abort, and a late setSession
 * leaves an error that the next call throws.
 */
const CHANGES = {
  trace: (socket) => typeof socket.enableTrace,
  wrongOptions: (socket) => attempt(() => socket.renegotiate(5, () => {})),
  noRenegotiation: (socket) => shapeOf(socket.disableRenegotiation()),
};

/** Asks a socket for all of its members. */
function describeAll(socket) {
  return Object.fromEntries(Object.entries(MEMBERS).map(([name, ask]) => [name, attempt(() => ask(socket))]));
}

/**
 * Makes a request and describes its socket: before it is connected, in 'secureConnect', in 'response', in the middle of
 * the body, behind its end.
 */
async function describeStages(module, { keepAlive, ...options }) {
  const agent = new module.Agent({ ca, keepAlive });
  const stages = {};
  await new Promise((resolve, reject) => {
    const req = module.get({ agent, ...options });
    req.on('error', reject);
    req.on('socket', (socket) => {
      stages.before = describeAll(socket);
      socket.on('secureConnect', () => { stages.secured = describeAll(socket); });
    });
    req.on('response', (res) => {
      const { socket } = res;
      stages.response = describeAll(socket);
      // The guard of idle streams hears unasked bytes in a push() of its own. Node adds `timeout` when one is set.
      const isOfBoth = (name) => name !== 'push' && (name !== 'timeout' || socket.timeout !== undefined);
      stages.keys = Object.keys(socket).filter(isOfBoth).sort();
      let length = 0;
      res.on('data', (chunk) => {
        length += chunk.length;
        if (length > 1e5) stages.middle ??= describeAll(socket);
      });
      res.on('end', () => {
        stages.end = describeAll(socket);
        stages.changes = Object.fromEntries(Object.entries(CHANGES).map(([name, ask]) => [name, ask(socket)]));
        socket.on('close', () => {
          // The members of a closed socket are asked too: none may crash.
          stages.closed = describeAll(socket);
          delete stages.closed.looksFine;
          resolve();
        });
        agent.destroy();
        if (!keepAlive) socket.destroy();
      });
    });
  });
  return { ...stages, length: undefined };
}

/** Serves a body long enough for a middle. */
const serveLong = (options) => serveTls((_req, res) => res.end(Buffer.alloc(1 << 20)), options);

describe.each([
  ['TLS 1.3', {}, {}],
  ['TLS 1.2', {}, { maxVersion: 'TLSv1.2' }],
  ['TLS 1.3 with a certificate of the client', client, { requestCert: true, ca }],
  ['TLS 1.2 with a certificate of the client', client, { requestCert: true, ca, maxVersion: 'TLSv1.2' }],
  ['TLS 1.3, unauthorized', { ca: [], rejectUnauthorized: false }, {}],
  ['TLS 1.2 with AES-CBC', { ciphers: 'ECDHE-ECDSA-AES128-SHA256' }, { ciphers: 'ALL', maxVersion: 'TLSv1.2' }],
  ['TLS 1.2 with protocols', { ALPNProtocols: ['http/1.1'] }, { ALPNProtocols: ['http/1.1'], maxVersion: 'TLSv1.2' }],
])('a socket of %s', (_what, options, serverOptions) => {
  it.each([[false], [true]])('gives what it gives with Node, at every stage (keepAlive: %s)', async (keepAlive) => {
    const peer = await serveLong(serverOptions);
    const stages = await expectAsNode((module) => describeStages(module, { ...peer.address, ...options, keepAlive }));
    expect(stages.secured.class).toEqual(['TLSSocket', true, true]);
    for (const stage of ['before', 'secured', 'response', 'middle', 'end', 'closed']) {
      expect(Object.keys(stages[stage]).length).toBeGreaterThan(25);
    }
  });

  it('exports the keying material that its peer has', async () => {
    const peer = await serveTls((req, res) => {
      res.end(req.socket.exportKeyingMaterial(32, 'EXPORTER-test', Buffer.from('both')));
    }, serverOptions);
    const isEqual = await expectAsNode(async (module) => {
      const agent = new module.Agent({ ca });
      const res = await new Promise((resolve, reject) => {
        module.get({ ...peer.address, agent, ...options }, resolve).on('error', reject);
      });
      const material = res.socket.exportKeyingMaterial(32, 'EXPORTER-test', Buffer.from('both'));
      return Buffer.concat(await res.toArray()).equals(material);
    });
    expect(isEqual).toBe(true);
  });

  it('has finished messages that its peer has', async () => {
    const peer = await serveTls((req, res) => {
      res.end(Buffer.concat([req.socket.getPeerFinished(), req.socket.getFinished()]));
    }, serverOptions);
    const isEqual = await expectAsNode(async (module) => {
      const agent = new module.Agent({ ca });
      const res = await new Promise((resolve, reject) => {
        module.get({ ...peer.address, agent, ...options }, resolve).on('error', reject);
      });
      const messages = Buffer.concat([res.socket.getFinished(), res.socket.getPeerFinished()]);
      return Buffer.concat(await res.toArray()).equals(messages);
    });
    expect(isEqual).toBe(true);
  });
});

describe('a socket', () => {
  it.each([['TLSv1.2'], ['TLSv1.3']])('counts the bytes that it reads and writes, of %s', async (maxVersion) => {
    const peer = await serveTls((_req, res) => res.end(Buffer.alloc(5e5)), { maxVersion });
    const { read, written } = await expectAsNode(async (module) => {
      const agent = new module.Agent({ ca });
      const res = await new Promise((resolve, reject) => {
        module.get({ ...peer.address, agent }, resolve).on('error', reject);
      });
      await res.toArray();
      const { bytesRead, bytesWritten } = res.socket;
      return { read: bytesRead > 5e5, written: bytesWritten };
    });
    expect([read, written > 50]).toEqual([true, true]);
  });

  it.each([
    ['setServername', (socket) => socket.setServername('localhost')],
    ['setServername with an address', (socket) => socket.setServername('')],
    ['setSession with nonsense', (socket) => socket.setSession(Buffer.from('nonsense'))],
    ['setMaxSendFragment', (socket) => shapeOf(socket.setMaxSendFragment(512))],
    ['disableRenegotiation', (socket) => shapeOf(socket.disableRenegotiation())],
    ['setKeyCert', (socket) => socket.setKeyCert?.(tls.createSecureContext(client))],
  ])('takes %s before it is connected', async (_what, change) => {
    const peer = await serveWitness({ ...local, contentOf: (_path, socket) => String(socket.servername) });
    const { status } = await expectAsNode(async (module) => {
      const agent = new module.Agent({ ca });
      const req = module.get({ ...peer.address, agent });
      const result = new Promise((resolve) => {
        req.on('socket', (socket) => resolve(attempt(() => shapeOf(change(socket))) === socket));
      });
      const res = await new Promise((resolve, reject) => { req.on('response', resolve).on('error', reject); });
      return { result: await result, status: res.statusCode, body: String(Buffer.concat(await res.toArray())) };
    });
    expect(status).toBe(200);
  });

  it('renegotiates in TLS 1.2', async () => {
    const peer = await serveTls((_req, res) => {
      res.write('first');
      peer.answer = () => res.end('last');
    }, { maxVersion: 'TLSv1.2' });
    const { outcome } = await expectAsNode(async (module) => {
      const agent = new module.Agent({ ca });
      const res = await new Promise((resolve, reject) => {
        module.get({ ...peer.address, agent }, resolve).on('error', reject);
      });
      const before = String(res.socket.getFinished()?.toString('hex'));
      const error = await new Promise((resolve) => {
        const accepted = res.socket.renegotiate({ rejectUnauthorized: false }, resolve);
        if (!accepted) resolve('refused');
      });
      const changed = String(res.socket.getFinished()?.toString('hex')) !== before;
      peer.answer();
      return { outcome: [describeError(error), changed], body: String(Buffer.concat(await res.toArray())) };
    });
    expect(outcome).toEqual([null, true]);
  });
});

describe('an idle connection', () => {
  it('is written as JSON, with its agent, as one of Node is', async () => {
    const peer = await serveTls((_req, res) => res.end());
    const { keys } = await expectAsNode(async (module) => {
      const agent = new module.Agent({ ca, keepAlive: true });
      const req = module.get({ ...peer.address, agent }, (res) => res.resume());
      await once(req, 'close');
      const { freeSockets } = JSON.parse(JSON.stringify(agent));
      agent.destroy();
      const [[socket]] = Object.values(freeSockets);
      return { keys: Object.keys(socket.ssl).filter((name) => name !== 'onread') };
    });
    expect(keys).toContain('_secureContext');
  });
});

describe('the sessions of an agent', () => {
  /** Asks for names one after another, and tells which connection has resumed a session. */
  async function series(module, port, agentOptions, names) {
    const agent = new module.Agent({ ca, ...agentOptions });
    const resumed = [];
    for (const servername of names) {
      const res = await new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', port, agent, servername, rejectUnauthorized: false };
        module.get(options, resolve).on('error', reject);
      });
      resumed.push(res.socket.isSessionReused());
      const closed = new Promise((resolve) => { res.socket.on('close', resolve); });
      await res.toArray();
      await closed;
    }
    const cached = Object.keys(agent._sessionCache?.map ?? {}).length;
    agent.destroy();
    return { resumed, cached };
  }

  const limits = [0, 1, 2, 100, undefined].flatMap((limit) => [['TLSv1.2', limit], ['TLSv1.3', limit]]);

  it.each(limits)('of %s are kept with maxCachedSessions: %s', async (maxVersion, maxCachedSessions) => {
    const peer = await serveWitness({ ...local, maxVersion });
    const names = ['a.test', 'a.test', 'b.test', 'a.test', 'b.test', 'c.test', 'a.test', 'c.test', 'b.test'];
    const options = maxCachedSessions === undefined ? {} : { maxCachedSessions };
    const { resumed } = await expectAsNode((module) => series(module, peer.port, options, names));
    expect(resumed[1]).toBe(maxCachedSessions !== 0);
  });
});
