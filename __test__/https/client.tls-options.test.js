'use strict';

/** Each option of TLS has the effect that it has with node:https, in a request or in an agent. */

const { constants, createPrivateKey } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const tls = require('node:tls');
const { certify } = require('../support/authority');
const { cleanUp, isOracle, ROOT, runNode, unusedPort } = require('../support');
const { certificates, lookup } = require('../support/tls');
const { expectAsNode, hearSessions, observe, observeOnce, serveWitness } = require('../support/tls-observer');

const { ca, client, clientArchive, local, named } = certificates;

const MODULE = isOracle ? 'node:https' : path.join(ROOT, 'https.js');

/** Writes a text to a file, which is removed after the test. @returns {string} its path */
function fileWith(text) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  fs.writeFileSync(path.join(folder, 'file.pem'), text);
  return path.join(folder, 'file.pem');
}

const sealed = (passphrase) => createPrivateKey(client.key)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase });
const other = certify({ names: ['IP:127.0.0.1'] });

/** Tells what a server sees of its client. */
const seenByServer = (_path, socket) => JSON.stringify({
  servername: socket.servername,
  alpn: socket.alpnProtocol,
  authorized: socket.authorized,
  client: socket.getPeerCertificate()?.subject?.CN,
  cipher: socket.getCipher().name,
  protocol: socket.getProtocol(),
  resumed: socket.isSessionReused(),
});

/**
 * Starts a server and compares requests to it with options, in the request and then in the agent.
 * @param {object} [options] Options of TLS.
 * @param {object} [serverOptions]
 * @param {(req: import('node:http').ClientRequest, recorder: object) => void} [visit]
 * @returns {Promise<object>} What the request with the options showed.
 */
async function compare(options = {}, serverOptions = {}, visit = options.checkServerIdentity && hearSessions) {
  const peer = await serveWitness({ ...local, contentOf: seenByServer, ...serverOptions });
  peer.server.on('OCSPRequest', (_certificate, _issuer, callback) => callback(null, serverOptions.ocsp ?? null));
  const address = { host: '127.0.0.1', port: peer.port };
  const run = (requestOptions, agentOptions) => expectAsNode(async (module) => {
    const seen = await observeOnce(module, { ...address, visit, ...requestOptions }, agentOptions);
    const received = await peer.take();
    if (seen.secured === undefined && !seen.tls) expect(received).toBe('');
    return { ...seen, asked: received.replace(/Host: .*/, '') };
  });
  const { host, port, headers, socketPath, agent, ...ofAgent } = options;
  await run({ host: host ?? address.host, port: port ?? address.port, headers, socketPath, agent }, { ca, ...ofAgent });
  return run({ ca, ...options });
}

/** Makes tests of rows: what is shown, options of TLS, options of the server, code of the error. */
function itShows(rows) {
  it.each(rows.map(([what, options, serverOptions = {}, code = undefined]) => [what, options, serverOptions, code]))(
    '%s', async (_what, options, serverOptions, code) => {
      const seen = await compare(options, serverOptions);
      expect([code].flat()).toContain((seen.error ?? seen.thrown)?.code);
      if (seen.error === undefined && seen.thrown === undefined) expect(seen.status).toBe(200);
    });
}

describe('trust', () => {
  itShows([
    ['no authority', { ca: undefined }, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['an empty list of authorities', { ca: [] }, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['an authority as bytes', { ca: Buffer.from(ca) }],
    ['several authorities', { ca: [other.cert, ca] }],
    ['several authorities in one text', { ca: other.cert + ca }],
    ['another authority', { ca: other.cert }, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['an authority that is none', { ca: 'nonsense' }, {}, [undefined, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']],
    ['an authority of a wrong type', { ca: 5 }, {}, 'ERR_INVALID_ARG_TYPE'],
    ['the server itself as authority', { ca: local.cert }, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['the server itself as partial authority', { ca: local.cert, allowPartialTrustChain: true }, {},
      [undefined, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']],
    ['rejectUnauthorized: true', { ca: undefined, rejectUnauthorized: true }, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['rejectUnauthorized: false', { ca: undefined, rejectUnauthorized: false }],
    ['rejectUnauthorized: undefined', { ca: undefined, rejectUnauthorized: undefined }, {},
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['rejectUnauthorized: null', { ca: undefined, rejectUnauthorized: null }, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['rejectUnauthorized: 0', { ca: undefined, rejectUnauthorized: 0 }, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['a revocation list that is none', { crl: 'nonsense' }, {}, 'ERR_CRYPTO_OPERATION_FAILED'],
  ]);
});

describe('checkServerIdentity', () => {
  const refusal = (properties) => Object.assign(new Error('pinned'), properties);

  itShows([
    ['agrees', { checkServerIdentity: () => undefined }],
    ['agrees, with null', { checkServerIdentity: () => null }],
    ['refuses', { checkServerIdentity: () => refusal({ code: 'PINNED', host: 'h', extra: 1 }) }, {}, 'PINNED'],
    ['refuses, and any server is taken', {
      rejectUnauthorized: false, checkServerIdentity: () => refusal({ code: 'PINNED' }),
    }],
    ['is not asked where the chain is bad', {
      ca: undefined, checkServerIdentity: () => refusal({ code: 'PINNED' }),
    }, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['is Node\'s', { checkServerIdentity: tls.checkServerIdentity }],
  ]);

  it('gets the name and the certificate, once, before a byte of the request is sent', async () => {
    let events;
    const checkServerIdentity = (name, certificate) => {
      const { fingerprint256, issuerCertificate } = certificate;
      events.add(`socket check ${[name, fingerprint256, issuerCertificate?.subject.CN, Object.keys(certificate)]}`);
    };
    const visit = (req, recorder) => {
      events = recorder;
      hearSessions(req);
    };
    const options = { checkServerIdentity, servername: 'localhost', host: 'a.test', lookup };
    const { socketEvents } = await compare(options, {}, visit);
    const index = socketEvents.findIndex((event) => event.startsWith('socket check localhost,'));
    expect(socketEvents.slice(index - 1, index + 2)).toEqual([
      'socket secure', expect.stringContaining('ferrequest test authority'), 'socket secureConnect',
    ]);
    expect(socketEvents.filter((event) => event.startsWith('socket check'))).toHaveLength(1);
  });
});

describe('servername', () => {
  const names = { checkServerIdentity: () => undefined };

  itShows([
    ['is none for an address', names],
    ['may be empty', { servername: '', ...names }],
    ['may be empty, and the host is checked', { servername: '' }],
    ['may be empty, and the host is wrong', { servername: '', host: 'a.test', lookup }, {},
      'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['is the host', { host: 'localhost', lookup }],
    ['may be another', { servername: 'a.test', ...names }],
    ['may be another, which is checked', { servername: 'a.test' }, {}, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['may be an address, or not', { servername: '127.0.0.1' }, {}, [undefined, 'ERR_INVALID_ARG_VALUE']],
    ['may be an address of IPv6, or not', { servername: '::1' }, {},
      [undefined, 'ERR_INVALID_ARG_VALUE', 'ERR_TLS_CERT_ALTNAME_INVALID']],
    ['may be long', { servername: `${'a'.repeat(200)}.test`, ...names }],
    ['may be too long for SNI', { servername: `${'a.'.repeat(150)}test`, ...names }, {}, [undefined, 'EPROTO']],
    ['may have a NUL', { servername: 'localhost\0.evil.test' }, {}, ['ERR_TLS_CERT_ALTNAME_INVALID', undefined]],
    ['comes from the Host field', { headers: { Host: 'localhost:1234' }, ...names }],
    ['comes from the Host field, which is checked', { headers: { Host: 'a.test' } }, {},
      'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['comes from a Host field that is an address', { headers: { Host: '[::1]:1234' }, ...names }],
  ]);

  it('chooses the certificate', async () => {
    const server = {
      SNICallback: (name, callback) => callback(null, name === 'a.test' ? tls.createSecureContext(named) : undefined),
    };
    const seen = await compare({ host: 'a.test', lookup }, server);
    expect(JSON.parse(seen.body).servername).toBe('a.test');
  });

  it('may be refused by the server', async () => {
    const seen = await compare({ host: 'localhost', lookup }, {
      SNICallback: (_name, callback) => callback(new Error('no such name')),
    });
    expect(seen.error.code).toMatch(/^(ECONNRESET|EPROTO|ERR_SSL_\w+)$/);
  });
});

const MISMATCH = ['EPROTO', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
  'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'ERR_SSL_UNSUPPORTED_PROTOCOL', 'ECONNRESET'];

describe('versions and algorithms', () => {
  const of12 = { maxVersion: 'TLSv1.2' };
  const weak = { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' };

  itShows([
    ['TLS 1.3', { minVersion: 'TLSv1.3' }],
    ['TLS 1.2', of12],
    ['TLS 1.1', { ...weak, maxVersion: 'TLSv1.1' }, weak],
    ['TLS 1.0', { ...weak, maxVersion: 'TLSv1' }, weak],
    ['a minimum that the server has not', { minVersion: 'TLSv1.3' }, of12, MISMATCH],
    ['a maximum that the server has not', of12, { minVersion: 'TLSv1.3' }, MISMATCH],
    ['a minimum above the maximum', { minVersion: 'TLSv1.3', ...of12 }, {}, 'ERR_SSL_NO_PROTOCOLS_AVAILABLE'],
    ['ciphers of no version', { ...of12, ciphers: 'TLS_AES_128_GCM_SHA256' }, {}, 'ERR_SSL_NO_CIPHERS_AVAILABLE'],
    ['a version that does not exist', { minVersion: 'TLSv9' }, {}, 'ERR_TLS_INVALID_PROTOCOL_VERSION'],
    ['secureProtocol', { secureProtocol: 'TLSv1_2_method' }],
    ['a secureProtocol that does not exist', { secureProtocol: 'nonsense' }, {}, 'ERR_TLS_INVALID_PROTOCOL_METHOD'],
    ['a secureProtocol and a version', { secureProtocol: 'TLSv1_2_method', ...of12 }, {},
      'ERR_TLS_PROTOCOL_VERSION_CONFLICT'],
    ['a cipher of TLS 1.2', { ...of12, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }],
    ['ChaCha20', { ...of12, ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' }],
    ['a cipher in CBC mode', { ...of12, ciphers: 'ECDHE-ECDSA-AES128-SHA256' }, { ciphers: 'ALL' }],
    ['a suite of TLS 1.3', { ciphers: 'TLS_AES_128_GCM_SHA256' }],
    ['ChaCha20 in TLS 1.3', { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }],
    ['ciphers that the server has not', { ...of12, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
      { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }, MISMATCH],
    ['ciphers that do not exist', { ciphers: 'nonsense' }, {},
      ['ERR_SSL_NO_CIPHER_MATCH', 'ERR_OSSL_SSL_NO_CIPHER_MATCH']],
    ['signature algorithms', { sigalgs: 'ECDSA+SHA256' }],
    ['signature algorithms that the server has not', { sigalgs: 'RSA+SHA256' }, {}, MISMATCH],
    ['signature algorithms that do not exist', { sigalgs: 'nonsense' }, {}, ['ERR_CRYPTO_OPERATION_FAILED',
      'ERR_SSL_INVALID_CONFIG_VALUE', undefined]],
    ['a curve', { ecdhCurve: 'P-384' }],
    ['another curve', { ecdhCurve: 'X25519' }],
    ['any curve', { ecdhCurve: 'auto' }],
    ['a curve in TLS 1.2', { ...of12, ecdhCurve: 'P-521:P-256' }],
    ['a curve that the server has not', { ecdhCurve: 'P-384' }, { ecdhCurve: 'P-256' }, MISMATCH],
    ['a curve that does not exist', { ecdhCurve: 'nonsense' }, {}, 'ERR_CRYPTO_OPERATION_FAILED'],
    ['options of OpenSSL', { secureOptions: constants.SSL_OP_NO_TLSv1_3 }],
    ['the order of ciphers', { honorCipherOrder: true, ...of12 }],
    ['no tickets', { secureOptions: constants.SSL_OP_NO_TICKET }],
    ['a size of a Diffie-Hellman group', { minDHSize: 2048 }],
    ['a size of a Diffie-Hellman group that is none', { minDHSize: 'big' }, {},
      ['ERR_INVALID_ARG_TYPE', 'ERR_INTERNAL_ASSERTION', undefined]],
    ['a fragment size', { maxSendFragment: 512 }],
  ]);
});

describe("a client's certificate", () => {
  const demands = { requestCert: true, rejectUnauthorized: true, ca };
  const REFUSED = ['ECONNRESET', 'EPIPE', 'EPROTO', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'ERR_SSL_TLS_ALERT_CERTIFICATE_REQUIRED', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'];
  const of12 = { ...demands, maxVersion: 'TLSv1.2' };
  const stranger = certify({ subject: 'a stranger' });
  const strangerPair = { cert: stranger.cert, key: stranger.key };

  itShows([
    ['in TLS 1.3', client, demands],
    ['in TLS 1.2', client, of12],
    ['as bytes', { cert: Buffer.from(client.cert), key: Buffer.from(client.key) }, demands],
    ['in lists', { cert: [client.cert], key: [client.key] }, demands],
    ['with an encrypted key', { cert: client.cert, key: sealed('right'), passphrase: 'right' }, demands],
    ['with an encrypted key as an object', {
      cert: client.cert, key: [{ pem: sealed('right'), passphrase: 'right' }],
    }, demands],
    ['with a wrong passphrase', { cert: client.cert, key: sealed('right'), passphrase: 'wrong' }, demands,
      // One wrong key in 256 gives a right padding, behind which nothing is.
      ['ERR_OSSL_BAD_DECRYPT', 'ERR_OSSL_EVP_BAD_DECRYPT', 'ERR_OSSL_UNSUPPORTED']],
    ['with no passphrase', { cert: client.cert, key: sealed('right') }, demands,
      ['ERR_MISSING_PASSPHRASE', 'ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED', 'ERR_OSSL_BAD_DECRYPT',
        'ERR_OSSL_UNSUPPORTED']],
    ['as an archive', { pfx: clientArchive, passphrase: 'right' }, demands],
    ['as an archive in a list', { pfx: [{ buf: clientArchive, passphrase: 'right' }] }, demands],
    ['as an archive with a wrong passphrase', { pfx: clientArchive, passphrase: 'wrong' }, demands,
      ['ERR_CRYPTO_OPERATION_FAILED', undefined]],
    ['as an archive that is none', { pfx: 'nonsense' }, demands, ['ERR_CRYPTO_OPERATION_FAILED', undefined]],
    ['with the key of another', { cert: client.cert, key: named.key }, demands,
      ['ERR_OSSL_X509_KEY_VALUES_MISMATCH']],
    ['that is none', { cert: 'nonsense', key: 'nonsense' }, demands, ['ERR_OSSL_PEM_NO_START_LINE']],
    ['that is missing, in TLS 1.2', {}, of12, REFUSED],
    ['that is missing, in TLS 1.3', {}, demands, REFUSED],
    ['that nobody knows, in TLS 1.2', strangerPair, of12, REFUSED],
    ['that nobody knows, in TLS 1.3', strangerPair, demands, REFUSED],
    ['that may be missing', {}, { ...demands, rejectUnauthorized: false }],
    ['in a context', { secureContext: tls.createSecureContext({ ca, ...client }) }, demands],
    ['a context without an authority', { secureContext: tls.createSecureContext({ ...client }) }, demands,
      ['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']],
    ['a context that is none', { secureContext: { context: {} } }, demands, [undefined, 'ERR_TLS_INVALID_CONTEXT']],
  ]);
});

describe('application protocols', () => {
  itShows([
    ['in common', { ALPNProtocols: ['http/1.1'] }, { ALPNProtocols: ['http/1.1'] }],
    ['several', { ALPNProtocols: ['h2', 'http/1.1'] }, { ALPNProtocols: ['http/1.1'] }],
    ['that the server does not know', { ALPNProtocols: ['http/1.1'] }],
    ['none of the client', {}, { ALPNProtocols: ['http/1.1'] }],
    ['none', { ALPNProtocols: [] }, { ALPNProtocols: ['http/1.1'] }],
    ['as bytes', { ALPNProtocols: Buffer.from('\x08http/1.1') }, { ALPNProtocols: ['http/1.1'] }],
    ['not in common', { ALPNProtocols: ['spdy'] }, { ALPNProtocols: ['http/1.1'] },
      ['ECONNRESET', 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'EPROTO']],
    ['h2, which this client then speaks no more than Node\'s', { ALPNProtocols: ['h2'] }, { ALPNProtocols: ['h2'] }],
  ]);
});

describe('a pre-shared key', () => {
  const ciphers = 'PSK-AES128-GCM-SHA256';
  const pskCallback = (hint) => ({ psk: Buffer.alloc(16, 7), identity: `client of ${hint}` });
  const server = { maxVersion: 'TLSv1.2', ciphers, pskIdentityHint: 'hint', cert: undefined, key: undefined };
  const check = { checkServerIdentity: () => undefined };

  itShows([
    ['opens a connection', { ciphers, pskCallback, ...check }, { ...server, pskCallback: () => Buffer.alloc(16, 7) }],
    ['that is wrong', { ciphers, pskCallback, ...check }, { ...server, pskCallback: () => Buffer.alloc(16, 8) },
      ['EPROTO', 'ECONNRESET', 'ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC', 'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC',
        'ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR']],
    ['that nobody knows', { ciphers, pskCallback, ...check }, { ...server, pskCallback: () => null },
      ['EPROTO', 'ECONNRESET', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY']],
  ]);
});

describe('events of a socket', () => {
  /** Listens on the socket of a request, before it has connected. */
  const onSocket = (listen) => (req, recorder) => req.on('socket', (socket) => listen(socket, recorder));

  it.each([
    ['bytes', Buffer.from('a stapled response')],
    ['nothing', undefined],
  ])("'OCSPResponse' tells that the server has stapled %s", async (_what, ocsp) => {
    const visit = onSocket((socket, recorder) => {
      socket.on('OCSPResponse', (response) => recorder.add(`socket OCSP ${response}`));
    });
    const seen = await compare({ requestOCSP: true }, { ocsp }, visit);
    expect(seen.socketEvents).toContain(`socket OCSP ${ocsp ?? null}`);
  });

  it.each([['TLSv1.2'], ['TLSv1.3']])("'keylog' tells the secrets of %s", async (maxVersion) => {
    const visit = onSocket((socket, recorder) => {
      socket.on('keylog', (line) => recorder.add(`socket line ${String(line).split(' ')[0]}`));
    });
    const seen = await compare({ maxVersion }, {}, visit);
    expect(seen.socketEvents.filter((event) => event.startsWith('socket line ')).length)
      .toBe(maxVersion === 'TLSv1.2' ? 1 : 5);
  });

  it.each([['TLSv1.2', 1], ['TLSv1.3', 2]])("'session' tells the sessions of %s", async (maxVersion, count) => {
    const visit = onSocket((socket, recorder) => {
      socket.on('session', (session) => recorder.add(`socket bytes ${Buffer.isBuffer(session)}`));
    });
    const seen = await compare({ maxVersion }, {}, visit);
    expect(seen.socketEvents.filter((event) => event === 'socket bytes true')).toHaveLength(count);
  });
});

describe('a session', () => {
  /** Gets a session of a server by TLS alone. */
  async function sessionOf(port, options) {
    const socket = tls.connect({ ca, port, host: '127.0.0.1', ...options });
    cleanUp(() => socket.destroy());
    socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
    socket.resume();
    const [session] = await once(socket, 'session');
    return session;
  }

  it.each([
    ['of the server, TLS 1.2', 'TLSv1.2', {}, true],
    ['of the server, TLS 1.3', 'TLSv1.3', {}, true],
    ['of another name', 'TLSv1.3', { servername: 'localhost' }, undefined],
    ['of another version', 'TLSv1.2', {}, undefined, { minVersion: 'TLSv1.3' }],
    ['that is nonsense', 'TLSv1.2', {}, undefined, { session: Buffer.from('nonsense') }],
    ['that is text', 'TLSv1.2', {}, undefined, { session: 'nonsense' }],
    ['that is no bytes', 'TLSv1.2', {}, undefined, { session: 5 }],
  ])('%s', async (_what, maxVersion, from, resumed, options = {}) => {
    const peer = await serveWitness({ ...local, ...options.minVersion ? {} : { maxVersion }, contentOf: seenByServer });
    const session = await sessionOf(peer.port, { maxVersion, ...from });
    const seen = await expectAsNode(async (module) => {
      const observation = await observeOnce(module, {
        host: '127.0.0.1', port: peer.port, ca, session, ...options,
      }, { maxCachedSessions: 0 });
      await peer.take();
      return observation;
    });
    if (resumed !== undefined) expect(seen.tls.reused).toBe(resumed);
  });
});

describe('the way to the server', () => {
  it('a name that cannot be found', async () => {
    const failing = (_host, _options, callback) => callback(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
    expect((await compare({ host: 'a.test', lookup: failing })).error.code).toBe('ENOTFOUND');
  });

  it('a port on which nobody listens', async () => {
    expect((await compare({ port: await unusedPort() })).error.code).toBe('ECONNREFUSED');
  });

  it('addresses of which one does not answer', async () => {
    const both = (_host, options, callback) => {
      const addresses = [{ address: '::1', family: 6 }, { address: '127.0.0.1', family: 4 }];
      if (options.all) callback(null, addresses);
      else callback(null, addresses[1].address, 4);
    };
    const options = { host: 'localhost', lookup: both, autoSelectFamily: true };
    expect((await compare(options)).status).toBe(200);
  });

  it('addresses that are all wrong', async () => {
    const none = (_host, options, callback) => {
      const addresses = [{ address: '127.0.0.2', family: 4 }, { address: '127.0.0.3', family: 4 }];
      if (options.all) callback(null, addresses);
      else callback(null, addresses[0].address, 4);
    };
    const seen = await compare({ host: 'localhost', lookup: none, autoSelectFamily: true });
    expect(seen.error.code).toBe('ECONNREFUSED');
  });

  it.each([
    ['no agent', { agent: false }],
    ['a socket of the user', { agent: undefined }],
  ])('%s', async (_what, { agent }) => {
    const peer = await serveWitness({ ...local, contentOf: seenByServer });
    const options = { host: '127.0.0.1', port: peer.port, ca, agent };
    const seen = await expectAsNode(async (module) => {
      const createConnection = agent === undefined ? () => tls.connect({ ...options, socket: net.connect(peer.port) }) :
        undefined;
      const observation = await observe(module, { ...options, createConnection });
      await peer.take();
      return observation;
    });
    expect(seen.status).toBe(200);
  });

});

describe('in a process of its own', () => {
  /** Makes a request in a process whose module is given, and prints what becomes of it. Only its text gets there. */
  function main(https, { address, certificate, throws, trace }) {
    const options = { ...address, agent: new https.Agent({ ca: certificate }), enableTrace: trace };
    if (throws) options.checkServerIdentity = () => { throw Object.assign(new Error('thrown'), { code: 'THROWN' }); };
    const print = (...words) => process.stdout.write(`${words.join(' ')}\n`);
    process.on('warning', (warning) => print('warning', warning.message));
    const req = https.get(options, (res) => {
      const { authorized, authorizationError } = res.socket;
      print(res.statusCode, authorized, authorizationError?.code ?? authorizationError);
      res.resume();
    });
    req.on('error', (error) => print('error', error.code));
    req.on('close', () => print('closed'));
    process.on('uncaughtException', (error) => {
      print('uncaught', error.code, error.message);
      req.destroy();
    });
  }

  it.each([
    ['a check that throws', { throws: true, certificate: ca }, {}, /uncaught THROWN thrown/],
    ['NODE_TLS_REJECT_UNAUTHORIZED=0', {}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, /200 false UNABLE_TO_VERIFY/],
    ['NODE_TLS_REJECT_UNAUTHORIZED=1', {}, { NODE_TLS_REJECT_UNAUTHORIZED: '1' }, /error UNABLE_TO_VERIFY/],
    ['NODE_EXTRA_CA_CERTS', {}, { NODE_EXTRA_CA_CERTS: 'file' }, /200 true/],
    ['enableTrace', { trace: true, certificate: ca }, {}, /200 true/],
  ])('%s', async (_what, options, env, expected) => {
    const peer = await serveWitness({ ...local, contentOf: seenByServer });
    const environment = { ...env };
    if (env.NODE_EXTRA_CA_CERTS) environment.NODE_EXTRA_CA_CERTS = fileWith(ca);
    const results = [];
    for (const module of [MODULE, 'node:https']) {
      const args = JSON.stringify({ address: peer.address, ...options });
      const { code, stdout, stderr, timedOut } = await runNode(
        ['-e', `(${main})(require(${JSON.stringify(module)}), ${args})`], { env: environment });
      // A trace has random bytes in it; its kinds of messages are the same.
      const messages = stderr.match(/^ +\w+(?=, Length=\d+$)/gm) ?? [];
      results.push({ code, stdout, messages, timedOut, received: await peer.take() !== '' });
    }
    expect(results[0]).toEqual(results[1]);
    expect(results[0].stdout).toMatch(expected);
    expect(results[0].messages.length > 0).toBe(options.trace === true);
  });
});
