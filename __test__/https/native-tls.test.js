'use strict';

/** TLS of an agent's connections runs on the I/O thread where all of it is Node's own; docs/https.md has the list. */

const { once } = require('node:events');
const tls = require('node:tls');

const certificates = require('../support/certificates');
const { describeNative, exchange, http, pseudoRandomBytes, socketPath, untilIdle } = require('../support');
const { https, exchangeTls, newTlsAgent, serveTls } = require('../support/tls');

/** Gives the connections that have been made since, by the thread of their TLS. */
function watchStats() {
  const before = http.stats();
  return () => {
    const now = http.stats();
    return { native: now.tlsNative - before.tlsNative, ofNode: now.tlsOfNode - before.tlsOfNode };
  };
}

const NATIVE = { native: 1, ofNode: 0 };
const OF_NODE = { native: 0, ofNode: 1 };

describeNative('TLS runs on the I/O thread', () => {
  it.each([
    ['with a certificate authority', {}],
    ['without a check of the peer', { ca: undefined, rejectUnauthorized: false }],
    ['with a certificate of the client', { ...certificates.local }],
    ['with versions, ciphers and curves', {
      minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', ecdhCurve: 'auto',
    }],
    ['with a check of its own', { checkServerIdentity: () => undefined }],
    ['with protocols for ALPN', { ALPNProtocols: ['http/1.1'] }],
    ['without an agent to keep it', { agent: false, ca: certificates.ca }],
  ])('%s', async (title, options) => {
    const peer = await serveTls((req, res) => res.end('body'));
    const seen = watchStats();
    const { body, socket } = await exchangeTls({ ...peer.address, ...options });
    expect(String(body)).toBe('body');
    expect(socket).toBeInstanceOf(tls.TLSSocket);
    expect(seen()).toEqual(NATIVE);
  });

  it('for several addresses of a name, of which the first refuses', async () => {
    const peer = await serveTls((req, res) => res.end('body'));
    const seen = watchStats();
    const lookup = (name, options, callback) => {
      const all = [{ address: '127.0.0.2', family: 4 }, { address: '127.0.0.1', family: 4 }];
      process.nextTick(() => (options.all ? callback(null, all) : callback(null, all[1].address, 4)));
    };
    const options = { port: peer.port, host: 'localhost', lookup, autoSelectFamily: true };
    expect(String((await exchangeTls(options)).body)).toBe('body');
    expect(seen()).toEqual(NATIVE);
  });
});

describeNative('TLS stays with Node', () => {
  it.each([
    ['a context of the user', { secureContext: tls.createSecureContext({ ca: certificates.ca }) }],
    ['a question for OCSP', { requestOCSP: true }],
    ['a shared secret', { pskCallback: () => null }],
  ])('with %s', async (title, options) => {
    const peer = await serveTls((req, res) => res.end('body'));
    const seen = watchStats();
    const { body } = await exchangeTls({ ...peer.address, ...options });
    expect(String(body)).toBe('body');
    expect(seen()).toEqual(OF_NODE);
  });

  it('on a Unix domain socket', async () => {
    const path = socketPath();
    await serveTls((req, res) => res.end('body'), { listen: { path } });
    const seen = watchStats();
    const { body } = await exchangeTls({ socketPath: path, servername: 'localhost' });
    expect(String(body)).toBe('body');
    expect(seen()).toEqual(OF_NODE);
  });

  it.each([
    ['tls.connect', tls],
    ['tls.createSecureContext', tls],
    ['tls.checkServerIdentity', tls],
    ['tls.TLSSocket.prototype._start', tls.TLSSocket.prototype],
    ['tls.TLSSocket.prototype._wrapHandle', tls.TLSSocket.prototype],
    ['tls.TLSSocket.prototype.getPeerCertificate', tls.TLSSocket.prototype],
  ])('while a library has replaced %s', async (title, owner) => {
    const name = title.split('.').at(-1);
    const peer = await serveTls((req, res) => res.end('body'));
    const { [name]: original } = owner;
    let calls = 0;
    const seen = watchStats();
    owner[name] = function replaced(...args) {
      calls++;
      return original.apply(this, args);
    };
    try {
      expect(String((await exchangeTls(peer.address)).body)).toBe('body');
    } finally {
      owner[name] = original;
    }
    expect(calls).toBeGreaterThan(0);
    expect(seen()).toEqual(OF_NODE);
    await exchangeTls(peer.address);
    expect(seen()).toEqual({ native: 1, ofNode: 1 });
  });

  it('on a connection that a user asks an agent for', async () => {
    const peer = await serveTls((req, res) => res.end('body'));
    const seen = watchStats();
    const socket = newTlsAgent().createConnection({
      ...peer.address, servername: 'localhost', ca: certificates.ca,
    });
    await once(socket, 'secureConnect');
    socket.destroy();
    expect(seen()).toEqual(OF_NODE);
  });
});

describeNative('a connection with TLS that the peer has closed while it was idle', () => {
  /** Makes an idle connection, and has the peer close it while JavaScript does not look. */
  async function closeIdle(peer, agent, change) {
    await exchangeTls({ ...peer.address, agent });
    await untilIdle(agent);
    const [[socket]] = Object.values(agent.freeSockets);
    change?.();
    const closed = once(peer.accepted.at(-1), 'close');
    peer.accepted.at(-1).destroy();
    return { socket, closed };
  }

  it('is made anew underneath the next request, which the peer gets once, and tells nothing', async () => {
    const bodies = [];
    const peer = await serveTls(async (req, res) => {
      bodies.push(String(Buffer.concat(await req.toArray())));
      res.end(`body ${bodies.length}`);
    });
    const agent = newTlsAgent({ keepAlive: true });
    const { staleReplaced } = http.stats();
    const { socket } = await closeIdle(peer, agent);
    const told = [];
    for (const name of ['connect', 'secureConnect', 'ready', 'lookup']) socket.on(name, () => told.push(name));
    const { body, req } = await exchangeTls({ ...peer.address, agent, method: 'POST', body: 'once' });
    expect(String(body)).toBe('body 2');
    expect(req.socket).toBe(socket);
    expect(socket.authorized).toBe(true);
    expect(bodies).toEqual(['', 'once']);
    expect(told).toEqual([]);
    expect(http.stats().staleReplaced).toBe(staleReplaced + 1);
    // And again.
    await untilIdle(agent);
    peer.accepted.at(-1).destroy();
    expect(String((await exchangeTls({ ...peer.address, agent })).body)).toBe('body 3');
  });

  it('is verified anew: another server there gets no byte of the request', async () => {
    let requests = 0;
    const peer = await serveTls((req, res) => {
      requests++;
      res.end('body');
    }, { sessionTimeout: 1 });
    const agent = newTlsAgent({ keepAlive: true, maxCachedSessions: 0 });
    // Another certificate, and other keys for tickets: no session of before is good there.
    const { closed } = await closeIdle(peer, agent, () => {
      peer.server.setSecureContext(certificates.named);
      peer.server.setTicketKeys(Buffer.alloc(48, 7));
    });
    const { code } = await exchangeTls({ ...peer.address, agent, method: 'POST', body: 'x' }).catch((error) => error);
    expect(code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(requests).toBe(1);
    await closed;
  });
});

describe('a large body', () => {
  it.each([512, 3000, 9000, 16384])('in records of at most %i bytes comes as it was sent', async (size) => {
    const body = pseudoRandomBytes(1_500_000);
    const peer = await serveTls((req, res) => {
      req.socket.setMaxSendFragment(size);
      res.end(body);
    });
    const agent = newTlsAgent({ keepAlive: true });
    for (let i = 0; i < 5; i++) {
      const received = await exchangeTls({ ...peer.address, agent });
      expect(received.body.equals(body)).toBe(true);
    }
  });
});

describeNative('an exchange by http.request and an agent of https', () => {
  it('has TLS on the I/O thread as well', async () => {
    const peer = await serveTls((req, res) => res.end('body'));
    const seen = watchStats();
    const agent = new https.Agent({ ca: certificates.ca });
    expect(String((await exchange({ ...peer.address, protocol: 'https:', agent })).body)).toBe('body');
    expect(seen()).toEqual(NATIVE);
  });
});
