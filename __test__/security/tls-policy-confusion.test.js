'use strict';

/**
 * No request gets what another one has shown, or has been shown, in TLS: a client's certificate, an opened key, a
 * server whose identity has been checked (CVE-2026-123877, CVE-2026-56850, CVE-2026-58040, CVE-2026-48934; CWE-295).
 */

const { createPrivateKey } = require('node:crypto');
const { once } = require('node:events');
const tls = require('node:tls');
const { cleanUp, itOurs, until, untilIdle } = require('../support');
const { certificates, exchangeTls, https, lookup, newTlsAgent, serveTls } = require('../support/tls');

const { ca, client, named } = certificates;

/** Serves the name in the certificate of the client. */
const serveClients = () => serveTls((req, res) => res.end(req.socket.getPeerCertificate().subject?.CN ?? 'none'), {
  requestCert: true, rejectUnauthorized: false, ca,
});

/** Encrypts a key. */
const sealed = ({ key }, passphrase) => createPrivateKey(key)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase });

describe('a certificate of one request is not shown for another', () => {
  itOurs.each([
    ['secureContext', (material) => ({ secureContext: tls.createSecureContext({ ca, ...material }) })],
    ['keys as objects', ({ cert, key }) => ({ cert, key: [{ pem: key }] })],
    ['keys as bytes', ({ cert, key }) => ({ cert: Buffer.from(cert), key: Buffer.from(key) })],
    ['keys with a passphrase', (material) => ({
      cert: material.cert, key: [{ pem: sealed(material, 'p'), passphrase: 'p' }],
    })],
  ])('%s', async (_how, optionsOf) => {
    const peer = await serveClients();
    const agent = newTlsAgent({ keepAlive: true });
    const seen = [];
    for (const options of [client, named, client].map(optionsOf)) {
      seen.push(String((await exchangeTls({ ...peer.address, agent, ...options })).body));
      await untilIdle(agent);
    }
    expect(seen).toEqual(['a client', 'a.test', 'a client']);
  });

  itOurs('a wrong passphrase gets no connection that the right one has opened', async () => {
    const peer = await serveClients();
    const agent = newTlsAgent({ keepAlive: true });
    const options = { ...peer.address, agent, cert: client.cert, key: sealed(client, 'right') };
    expect(String((await exchangeTls({ ...options, passphrase: 'right' })).body)).toBe('a client');
    await untilIdle(agent);
    await expect(exchangeTls({ ...options, passphrase: 'wrong' })).rejects.toThrow();
  });
});

/** Makes checks of a server's identity, which count how often they are asked. */
function checks() {
  const asked = [];
  return {
    asked,
    accept(host) {
      asked.push(host);
    },
    refuse(host) {
      asked.push(host);
      return Object.assign(new Error('pinned'), { code: 'PINNED' });
    },
  };
}

describe.each([['connections', true], ['sessions only', false]])('an agent that keeps %s', (_what, keepAlive) => {
  const serveOk = () => serveTls((_req, res) => res.end('x'));

  itOurs('asks the check of a request although others have connected', async () => {
    const peer = await serveOk();
    const agent = newTlsAgent({ keepAlive });
    const { accept, asked, refuse } = checks();
    // The sessions of TLS 1.3 come after the handshake: two requests, so that there is one.
    for (let i = 0; i < 2; i++) await exchangeTls({ ...peer.address, agent });
    const options = { ...peer.address, agent };
    await expect(exchangeTls({ ...options, checkServerIdentity: refuse })).rejects.toMatchObject({ code: 'PINNED' });
    expect((await exchangeTls({ ...options, checkServerIdentity: accept })).res.statusCode).toBe(200);
    await expect(exchangeTls({ ...options, checkServerIdentity: refuse })).rejects.toMatchObject({ code: 'PINNED' });
    expect(asked).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1']);
  });

  itOurs('gives no connection or session of a lax request to a strict one', async () => {
    const peer = await serveOk();
    const agent = newTlsAgent({ keepAlive });
    const { accept } = checks();
    const options = { ...peer.address, agent, servername: 'wrong.test' };
    for (let i = 0; i < 2; i++) await exchangeTls({ ...options, checkServerIdentity: accept });
    await expect(exchangeTls(options)).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  itOurs('keeps nothing of requests with a check of their own, which none other may have', async () => {
    const peer = await serveOk();
    const agent = newTlsAgent({ keepAlive });
    for (let i = 0; i < 20; i++) {
      await exchangeTls({ ...peer.address, agent, checkServerIdentity: () => undefined });
      await exchangeTls({ ...peer.address, agent, checkServerIdentity: () => undefined });
    }
    await until(() => agent.totalSocketCount === 0);
    expect([Object.keys(agent.sockets), Object.keys(agent.freeSockets)]).toEqual([[], []]);
    expect(Object.keys(agent._sessionCache.map)).toEqual([]);
  });

  itOurs('asks the check of a request that Node\'s http module, and not https, has made', async () => {
    const peer = await serveOk();
    const agent = newTlsAgent({ keepAlive });
    const { asked, refuse } = checks();
    for (let i = 0; i < 2; i++) await exchangeTls({ ...peer.address, agent });
    const { http } = require('../support');
    const req = http.get({ ...peer.address, protocol: 'https:', agent, checkServerIdentity: refuse });
    const [error] = await once(req, 'error');
    expect([error.code, asked]).toEqual(['PINNED', ['127.0.0.1']]);
  });
});

describe.each([['TLSv1.2'], ['TLSv1.3']])('a session of %s', (maxVersion) => {
  /** Gets a session by TLS alone. */
  async function sessionOf(options) {
    const socket = tls.connect({ ca, lookup, servername: options.host, ...options });
    cleanUp(() => socket.destroy());
    socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'));
    const [session] = await once(socket, 'session');
    return session;
  }

  const serveNamed = () => serveTls((_req, res) => res.end('x'), { ...named, maxVersion });

  itOurs.each([
    ['of another host', { host: 'a.test' }],
    ['of a connection that was not checked', { host: 'other.test', rejectUnauthorized: false }],
  ])('%s does not open a host', async (_which, options) => {
    const { port } = await serveNamed();
    const session = await sessionOf({ port, ...options });
    await expect(exchangeTls({ host: 'other.test', port, lookup, session })).rejects
      .toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  itOurs('of another host does not spare a request its own check', async () => {
    const { port } = await serveNamed();
    const session = await sessionOf({ port, host: 'a.test' });
    const { asked, refuse } = checks();
    const options = { host: 'other.test', port, lookup, session, checkServerIdentity: refuse };
    await expect(exchangeTls(options)).rejects.toMatchObject({ code: 'PINNED' });
    expect(asked).toEqual(['other.test']);
  });

  itOurs.each([
    ['nonsense', () => Buffer.from('nonsense')],
    ['cut', (session) => session.subarray(0, session.length / 2)],
    ['text', (session) => session.toString('latin1')],
  ])('that is %s spares nothing', async (_what, change) => {
    const { port } = await serveNamed();
    const session = change(await sessionOf({ port, host: 'a.test' }));
    // Where Node does not bind sessions to hosts, it refuses text.
    await expect(exchangeTls({ host: 'other.test', port, lookup, session })).rejects
      .toMatchObject({ code: expect.stringMatching(/^ERR_(?:TLS_CERT_ALTNAME_INVALID|INVALID_ARG_TYPE)$/) });
  });

  itOurs('of the same host is resumed', async () => {
    const { port } = await serveNamed();
    const session = await sessionOf({ port, host: 'a.test' });
    const req = https.get({ host: 'a.test', port, lookup, session, agent: newTlsAgent() });
    const [res] = await once(req, 'response');
    expect(res.socket.isSessionReused()).toBe(true);
    res.resume();
  });
});
