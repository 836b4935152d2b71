'use strict';

/** Node's check of a server's identity may read a certificate that an earlier connection has shown; users never do. */

const { once } = require('node:events');
const certificates = require('../support/certificates');
const { exchangeTls, https, lookup, newTlsAgent, serveTls } = require('../support/tls');

/** Options of requests each of which makes a connection and shakes hands in full. */
const anew = () => ({ agent: newTlsAgent({ keepAlive: false, maxCachedSessions: 0 }) });

it('a server that shows the certificate of another host, after its own, is refused', async () => {
  const peer = await serveTls((req, res) => res.end('body'));
  const options = { ...anew(), lookup, host: 'localhost', port: peer.port };
  for (let i = 0; i < 2; i++) expect((await exchangeTls(options)).socket.authorized).toBe(true);
  peer.server.setSecureContext(certificates.named);
  for (let i = 0; i < 2; i++) {
    await expect(exchangeTls(options)).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID', host: 'localhost', cert: { subject: { CN: 'a.test' } },
    });
  }
  peer.server.setSecureContext(certificates.local);
  expect(String((await exchangeTls(options)).body)).toBe('body');
});

it('the error of a certificate that is known has the chain of the certificate', async () => {
  const peer = await serveTls((req, res) => res.end('body'), certificates.named);
  const options = { ...anew(), lookup, host: 'c.test', port: peer.port };
  for (let i = 0; i < 2; i++) {
    const error = await exchangeTls(options).catch((reason) => reason);
    expect(error.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(error.cert.issuerCertificate.subject.CN).toBe('ferrequest test authority');
  }
});

it('a user who changes the certificate of one connection changes no other', async () => {
  const peer = await serveTls((req, res) => res.end('body'));
  for (let i = 0; i < 3; i++) {
    const subjects = [];
    const req = https.request({ ...anew(), ...peer.address }, (res) => res.resume());
    req.on('socket', (socket) => {
      socket.on('secureConnect', () => {
        const certificate = socket.getPeerCertificate(true);
        subjects.push(certificate.subject.CN);
        certificate.subject.CN = 'another';
        certificate.subjectaltname = 'DNS:another';
      });
    });
    req.end();
    await once(req, 'close');
    expect(subjects).toEqual(['localhost']);
  }
});

it('a user who changes the certificate that a check was given changes no other check', async () => {
  const peer = await serveTls((req, res) => res.end('body'));
  const given = [];
  const checkServerIdentity = (host, certificate) => {
    given.push(certificate.subject.CN);
    certificate.subject.CN = 'another';
    certificate.subjectaltname = 'DNS:another';
  };
  const options = { ...anew(), ...peer.address };
  await exchangeTls(options);
  await exchangeTls({ ...options, checkServerIdentity });
  await exchangeTls({ ...options, checkServerIdentity });
  expect((await exchangeTls(options)).socket.authorized).toBe(true);
  expect(given).toEqual(['localhost', 'localhost']);
});
