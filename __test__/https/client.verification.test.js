'use strict';

/** Certificates tell client and server who is at the other end; others are refused, each with its error. */

const { once } = require('node:events');
const fs = require('node:fs');
const nodeHttps = require('node:https');
const path = require('node:path');
const tls = require('node:tls');
const { cleanUp, exchange, newAgent, runScript, serve, serveRaw, until, untilIdle } = require('../support');
const { certificates, exchangeTls, https, lookup, newTlsAgent, serveTls } = require('../support/tls');

const { ca, client, expired, local, named } = certificates;

/** An agent that trusts nobody but whom the system trusts. */
const newStrangerAgent = (options) => newTlsAgent({ ca: undefined, ...options });

/**
 * Makes a request that must fail, sees that it fails once, and that its agent is as good as new.
 * @param {object} options
 * @returns {Promise<Error>}
 */
async function failureOf(options) {
  const agent = options.agent ?? newTlsAgent({ keepAlive: true });
  const req = https.get({ agent, ...options });
  const events = [];
  let failure;
  req.on('error', (error) => {
    failure = error;
    events.push('error');
  });
  req.on('response', () => events.push('response'));
  await new Promise((resolve) => { req.on('close', resolve); });
  expect(events).toEqual(['error']);
  expect(req.destroyed).toBe(true);
  await untilIdle(agent);
  expect(agent.totalSocketCount).toBe(0);
  return failure;
}

const serveOk = (options) => serveTls((req, res) => {
  const { subject } = req.socket.getPeerCertificate();
  res.end(JSON.stringify({ authorized: req.socket.authorized, client: subject?.CN }));
}, options);

describe("a server's certificate", () => {
  it('that nobody known has signed is refused', async () => {
    const peer = await serveOk();
    expect(await failureOf({ ...peer.address, agent: newStrangerAgent() })).toMatchObject({
      name: 'Error', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', message: expect.stringMatching(/^unable to verify/),
    });
  });

  it('that it has signed itself is refused', async () => {
    const peer = await serveOk(require('../support/certificate'));
    const error = await failureOf({ ...peer.address, agent: newStrangerAgent() });
    expect(error.code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
  });

  it('that it has signed itself is taken if it is trusted', async () => {
    const certificate = require('../support/certificate');
    const peer = await serveOk(certificate);
    const { socket } = await exchangeTls({ ...peer.address, agent: newTlsAgent({ ca: certificate.cert }) });
    expect([socket.authorized, socket.authorizationError]).toEqual([true, null]);
  });

  it('that is out of date is refused', async () => {
    const peer = await serveOk(expired);
    expect(await failureOf(peer.address)).toMatchObject({
      code: 'CERT_HAS_EXPIRED', message: 'certificate has expired',
    });
  });

  it('that is of another name is refused, and the error says which', async () => {
    const peer = await serveOk(named);
    const error = await failureOf({ ...peer.address, servername: 'other.test' });
    expect(error).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID', host: 'other.test', cert: { subject: { CN: 'a.test' } },
      reason: "Host: other.test. is not in the cert's altnames: DNS:a.test, DNS:*.b.test",
    });
    const byAddress = await failureOf(peer.address);
    expect(byAddress).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID', host: '127.0.0.1', reason: "IP: 127.0.0.1 is not in the cert's list: ",
    });
  });

  it.each(['a.test', 'x.b.test'])('with the name %s is taken', async (servername) => {
    const peer = await serveOk(named);
    const { res } = await exchangeTls({ ...peer.address, servername });
    expect(res.statusCode).toBe(200);
  });

  it('is not looked at with rejectUnauthorized: false, and the socket says why it would not do', async () => {
    for (const [certificate, reason] of [[expired, 'CERT_HAS_EXPIRED'], [local, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']]) {
      const peer = await serveOk(certificate);
      const agent = newStrangerAgent({ rejectUnauthorized: false });
      const { res, socket } = await exchangeTls({ ...peer.address, agent });
      expect([res.statusCode, socket.authorized, socket.authorizationError]).toEqual([200, false, reason]);
    }
  });

  it('is refused for a request without an agent, and with agent: false', async () => {
    const peer = await serveOk();
    for (const agent of [false, undefined]) {
      const error = await new Promise((resolve) => { https.get({ ...peer.address, agent }).on('error', resolve); });
      expect(error.code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    }
  });

  it('is known to the response and to the request', async () => {
    const peer = await serveOk();
    const { req, socket } = await exchangeTls(peer.address);
    expect(socket.getPeerCertificate().subject.CN).toBe('localhost');
    expect(socket.getPeerX509Certificate().issuer).toBe('CN=ferrequest test authority');
    expect(socket.encrypted).toBe(true);
    expect(req.socket).toBeInstanceOf(tls.TLSSocket);
  });

  it.each(['NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_EXTRA_CA_CERTS'])('is judged by %s', async (name) => {
    const peer = await serveOk();
    const file = path.join(fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'ferrequest-')), 'ca.pem');
    cleanUp(() => fs.rmSync(path.dirname(file), { recursive: true, force: true }));
    fs.writeFileSync(file, ca);
    const main = (_http, { address, module }) => {
      const outcome = (text) => process.stdout.write(`${text} `);
      require(module).get({ ...address, agent: false }, (res) => {
        outcome(res.statusCode);
        res.resume();
      }).on('error', ({ code }) => outcome(code));
    };
    const module = process.env.ORACLE === 'node' ? 'node:https' : path.resolve(__dirname, '../../https');
    const args = { address: peer.address, module };
    const value = name === 'NODE_EXTRA_CA_CERTS' ? file : '0';
    const [without, given] = [
      await runScript(main, { args }), await runScript(main, { args, env: { [name]: value, NODE_NO_WARNINGS: '1' } })];
    expect([without.stdout, given.stdout]).toEqual(['UNABLE_TO_VERIFY_LEAF_SIGNATURE ', '200 ']);
  });
});

describe('an address or a name that is spelled in another way', () => {
  const HOSTS = [
    '127.0.0.1', '127.1', '0x7f.1', '2130706433', '0177.0.0.1', '127.0.0.01', '127.0.0.1.', ' 127.0.0.1', '127.0.0.2',
    '::ffff:127.0.0.1', '::ffff:7f00:1', '[::ffff:7f00:1]', '::1', '[::1]', '0:0:0:0:0:0:0:1', '::0001', '::1%lo',
    'localhost', 'LOCALHOST', 'localhost.', '.localhost', 'a.localhost', 'ｌocalhost', 'local\u00ADhost', 'ⓛocalhost',
  ];
  /** Tells what becomes of a request to a server whose certificate is that of localhost and 127.0.0.1. */
  async function outcomeOf(client, options) {
    try {
      const req = client.get({ ...options, agent: false });
      const [res] = await once(req, 'response');
      await once(res.resume(), 'end');
      return res.statusCode;
    } catch ({ code }) {
      return code;
    }
  }

  it.each(HOSTS)('%j is taken or refused as by node:https', async (host) => {
    const certificate = require('../support/certificate');
    const peer = await serveOk(certificate);
    const options = { port: peer.port, host, servername: '', ca: certificate.cert, lookup };
    const named = { ...options, servername: undefined };
    for (const asked of [options, named]) {
      expect(await outcomeOf(https, asked)).toEqual(await outcomeOf(nodeHttps, asked));
    }
  });
});

describe('checkServerIdentity', () => {
  it('is called with the name and the certificate, and may agree', async () => {
    const peer = await serveOk(named);
    const checkServerIdentity = jest.fn();
    const { res } = await exchangeTls({ ...peer.address, servername: 'other.test', checkServerIdentity });
    expect(res.statusCode).toBe(200);
    expect(checkServerIdentity.mock.calls).toEqual([['other.test', expect.objectContaining({
      subject: expect.objectContaining({ CN: 'a.test' }), fingerprint256: expect.any(String),
    })]]);
  });

  it('may refuse: its error is that of the request', async () => {
    const peer = await serveOk();
    const mine = Object.assign(new Error('not you'), { code: 'EMINE' });
    expect(await failureOf({ ...peer.address, checkServerIdentity: () => mine })).toBe(mine);
  });

  it('of an agent is for all its requests', async () => {
    const peer = await serveOk(named);
    const checkServerIdentity = jest.fn();
    const agent = newTlsAgent({ checkServerIdentity, keepAlive: true });
    for (let i = 0; i < 2; i++) expect((await exchangeTls({ ...peer.address, agent })).res.statusCode).toBe(200);
    expect(checkServerIdentity.mock.calls.map(([name]) => name)).toEqual(['127.0.0.1']);
  });

  it('is not asked about a certificate that is refused already', async () => {
    const peer = await serveOk();
    const checkServerIdentity = jest.fn();
    const error = await failureOf({ ...peer.address, agent: newStrangerAgent(), checkServerIdentity });
    expect(error.code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(checkServerIdentity).not.toHaveBeenCalled();
  });
});

describe("a client's certificate", () => {
  const demanding = { requestCert: true, rejectUnauthorized: true, ca };

  it('is sent from the options of the request or of the agent', async () => {
    const peer = await serveOk(demanding);
    const { key, cert } = client;
    const answers = [
      await exchangeTls({ ...peer.address, key, cert }),
      await exchangeTls({ ...peer.address, agent: newTlsAgent({ key, cert }) }),
    ];
    for (const { body } of answers) expect(JSON.parse(body)).toEqual({ authorized: true, client: 'a client' });
  });

  it('may have a key with a passphrase, and come as a secure context', async () => {
    const peer = await serveOk(demanding);
    const { createPrivateKey } = require('node:crypto');
    const key = createPrivateKey(client.key).export({
      type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret',
    });
    const secureContext = tls.createSecureContext({ ...client, ca });
    for (const options of [{ key, cert: client.cert, passphrase: 'secret' }, { secureContext }]) {
      const { body } = await exchangeTls({ ...peer.address, ...options });
      expect(JSON.parse(body)).toEqual({ authorized: true, client: 'a client' });
    }
  });

  it('with a wrong passphrase, or that is none, makes request() throw or fail', async () => {
    const peer = await serveOk(demanding);
    const attempt = async (options) => {
      try {
        return (await exchangeTls({ ...peer.address, ...options })).res.statusCode;
      } catch (error) {
        return error.code;
      }
    };
    expect(await attempt({ cert: 'nonsense', key: client.key })).toMatch(/^ERR_OSSL_/);
    expect(await attempt({ cert: client.cert, key: local.key })).toMatch(/^ERR_OSSL_X509_KEY_VALUES_MISMATCH$/);
  });

  it('that is missing is the end of the connection', async () => {
    const peer = await serveOk({ ...demanding, maxVersion: 'TLSv1.2' });
    const error = await failureOf(peer.address);
    expect(error.code).toMatch(/^(ERR_SSL_.*_ALERT_HANDSHAKE_FAILURE|ECONNRESET|EPROTO)$/);
  });

  it('that is missing in TLS 1.3 is an alert that may come after the request was sent', async () => {
    const peer = await serveOk({ ...demanding, minVersion: 'TLSv1.3' });
    const error = await failureOf(peer.address);
    expect(error.code).toMatch(/^(ERR_SSL_TLS(V13)?_ALERT_CERTIFICATE_REQUIRED|ECONNRESET|EPIPE)$/);
  });

  it('may be asked for and not demanded', async () => {
    const peer = await serveOk({ requestCert: true, rejectUnauthorized: false, ca });
    const { body } = await exchangeTls(peer.address);
    expect(JSON.parse(body)).toEqual({ authorized: false });
  });

  it('makes connections of its own: nobody else gets them', async () => {
    const peer = await serveOk({ requestCert: true, rejectUnauthorized: false, ca });
    const agent = newTlsAgent({ keepAlive: true });
    const clientOf = async (options) => {
      const { body } = await exchangeTls({ ...peer.address, agent, ...options });
      return JSON.parse(body).client;
    };
    expect([await clientOf(client), await clientOf({}), await clientOf(client), await clientOf({})])
      .toEqual(['a client', undefined, 'a client', undefined]);
    expect(peer.accepted).toHaveLength(2);
  });
});

describe('the versions and ciphers of TLS', () => {
  it.each([['TLSv1.2'], ['TLSv1.3']])('%s may be asked for', async (version) => {
    const peer = await serveOk();
    const { socket } = await exchangeTls({ ...peer.address, minVersion: version, maxVersion: version });
    expect(socket.getProtocol()).toBe(version);
  });

  it('that the two do not share are an error', async () => {
    const peer = await serveOk({ minVersion: 'TLSv1.3' });
    const error = await failureOf({ ...peer.address, maxVersion: 'TLSv1.2' });
    expect(error).toMatchObject({ code: 'EPROTO', syscall: 'write', message: expect.stringMatching(/protocol version/) });
  });

  it('that nobody knows are an error before anything is sent', async () => {
    const peer = await serveOk();
    await expect(exchangeTls({ ...peer.address, minVersion: 'TLSv9' })).rejects
      .toMatchObject({ code: 'ERR_TLS_INVALID_PROTOCOL_VERSION' });
    await expect(exchangeTls({ ...peer.address, ciphers: 'no-such-cipher' })).rejects
      .toMatchObject({ code: expect.stringMatching(/^ERR_(SSL|OSSL_SSL|OSSL)?_?NO_CIPHER_MATCH$/) });
    expect(peer.sockets.size).toBe(0);
  });

  it('may be chosen', async () => {
    const peer = await serveOk({ maxVersion: 'TLSv1.2' });
    const { socket } = await exchangeTls({ ...peer.address, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' });
    expect(socket.getCipher().standardName).toBe('TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
  });
});

describe('a peer that does not speak TLS', () => {
  it('is an error with the code of the library', async () => {
    const peer = await serve((req, res) => res.end());
    const error = await failureOf(peer.address);
    expect(error.code).toMatch(/^(EPROTO|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG)$/);
  });

  it('that closes during the handshake is an ECONNRESET that says where', async () => {
    const peer = await serveRaw((socket) => socket.once('data', () => socket.end()));
    const error = await failureOf({ ...peer.address, path: '/asked' });
    expect(error).toMatchObject({
      code: 'ECONNRESET', host: '127.0.0.1', port: peer.port,
      message: 'Client network socket disconnected before secure TLS connection was established',
    });
    expect('localAddress' in error && 'path' in error).toBe(true);
  });

  it('that resets the connection during the handshake is an ECONNRESET', async () => {
    const peer = await serveRaw((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect(await failureOf(peer.address)).toMatchObject({ code: 'ECONNRESET' });
  });

  it('is an error of the server when it is the client', async () => {
    const peer = await serveOk();
    const failed = new Promise((resolve) => { peer.server.once('tlsClientError', resolve); });
    await expect(exchange({ ...peer.address, agent: newAgent() })).rejects.toMatchObject({ code: expect.any(String) });
    expect((await failed).code).toBe('ERR_SSL_HTTP_REQUEST');
  });

  it('that is silent leaves the request waiting, and its timeout runs', async () => {
    const peer = await serveRaw((socket) => socket.resume().on('end', () => socket.end()));
    const req = https.get({ ...peer.address, agent: newTlsAgent(), timeout: 50 });
    const error = new Promise((resolve) => { req.on('error', resolve); });
    await new Promise((resolve) => { req.on('timeout', resolve); });
    expect(req.socket.secureConnecting).toBe(true);
    req.destroy();
    expect(await error).toMatchObject({ code: 'ECONNRESET' });
    await until(() => peer.sockets.size === 0);
  });
});

describe('a user who asks for the chain of certificates', () => {
  /** Starts a server that sends the certificate of its authority too. */
  const serveChain = () => serveTls((req, res) => res.end(), { ...local, cert: local.cert + ca });

  /** Gives the subject of the authority that each of these sees above the certificate of the server. */
  async function authoritiesSeen(options, listen, agent) {
    const peer = await serveChain();
    const seen = [];
    const see = (certificate) => seen.push(certificate.issuerCertificate?.subject.CN);
    const req = https.get({ ...peer.address, agent, ...options(see) });
    req.once('socket', (socket) => listen(socket, () => see(socket.getPeerCertificate(true))));
    const [res] = await once(req, 'response');
    see(res.socket.getPeerCertificate(true));
    res.resume();
    await once(res, 'close');
    return seen;
  }

  const inSecureConnect = (socket, ask) => socket.on('secureConnect', ask);

  it.each([
    ['in a check of the identity', (see) => ({
      checkServerIdentity(host, certificate) {
        see(certificate);
        return tls.checkServerIdentity(host, certificate);
      },
    }), () => {}, 2],
    ["in 'secure', before Node's listener", () => ({}), (socket, ask) => socket.prependListener('secure', ask), 2],
    ["in an emit() of its own, before 'secure'", () => ({}), (socket, ask) => {
      const { emit } = socket;
      socket.emit = (name, ...arguments_) => {
        if (name === 'secure') ask();
        return emit.call(socket, name, ...arguments_);
      };
    }, 2],
    ["in 'secureConnect'", () => ({}), inSecureConnect, 2],
    ["in 'secureConnect' of a server with another name",
      () => ({ servername: 'other.test', rejectUnauthorized: false }), inSecureConnect, 2],
    ["behind a check that is Node's", () => ({ checkServerIdentity: tls.checkServerIdentity }), () => {}, 1],
  ])('sees it %s', async (title, options, listen, times) => {
    const seen = await authoritiesSeen(options, listen, newTlsAgent());
    expect(seen).toEqual(Array(times).fill('ferrequest test authority'));
  });

  it("sees it in 'secureConnect' of a server that nobody vouches for", async () => {
    const agent = newStrangerAgent({ rejectUnauthorized: false });
    const seen = await authoritiesSeen(() => ({}), inSecureConnect, agent);
    expect(seen).toEqual(Array(2).fill('ferrequest test authority'));
  });

  it('sees it in the error of a server with another name', async () => {
    const peer = await serveChain();
    const { cert } = await failureOf({ ...peer.address, servername: 'other.test' });
    expect(cert.subject.CN).toBe('localhost');
    expect(cert.issuerCertificate.subject.CN).toBe('ferrequest test authority');
  });
});
