'use strict';

/** A certificate of a server is read once, as long as the server shows the same one. */

const { X509Certificate } = require('node:crypto');
const { describeOurs } = require('../support');
const certificates = require('../support/certificates');
const { LARGEST, certificateOf } = require('../../lib/socket/known-certificates');

/** @returns {import('node:tls').PeerCertificate} As Node reads it. */
function read({ cert }) {
  return new X509Certificate(cert).toLegacyObject();
}

/** Asks for the certificate of a server that shows this one. Gives it, and whether it has been read. */
function ask(server, shown) {
  let isRead = false;
  const { raw } = new X509Certificate(shown.cert);
  const certificate = certificateOf(server, (der) => raw.equals(der), () => {
    isRead = true;
    return read(shown);
  });
  return { subject: certificate.subject.CN, isRead };
}

describeOurs('the certificate of a server', () => {
  it('is read once while the server shows the same', () => {
    expect([1, 2, 3].map(() => ask('one', certificates.local).isRead)).toEqual([true, false, false]);
  });

  it('is read anew when the server shows another', () => {
    ask('two', certificates.local);
    expect(ask('two', certificates.named)).toEqual({ subject: 'a.test', isRead: true });
    expect(ask('two', certificates.named)).toEqual({ subject: 'a.test', isRead: false });
    expect(ask('two', certificates.local)).toEqual({ subject: 'localhost', isRead: true });
  });

  it('is remembered for each server by itself', () => {
    ask('three', certificates.local);
    expect(ask('four', certificates.local).isRead).toBe(true);
  });

  it('is another object for each who asks, down to its bytes', () => {
    const asked = () => certificateOf('six', () => true, () => read(certificates.local));
    for (let i = 0; i < 3; i++) {
      const certificate = asked();
      expect(certificate).toEqual(read(certificates.local));
      certificate.subject.CN = 'another';
      certificate.subjectaltname = 'DNS:another';
      certificate.raw.fill(0);
      certificate.pubkey.fill(0);
      certificate.infoAccess = { another: [] };
    }
  });

  it('that is read with its chain is not remembered', () => {
    const detailed = () => {
      const certificate = read(certificates.local);
      certificate.issuerCertificate = certificate;
      return certificate;
    };
    expect(certificateOf('seven', () => true, detailed).subject.CN).toBe('localhost');
    expect(ask('seven', certificates.local).isRead).toBe(true);
  });

  it('that shows none is not remembered', () => {
    const none = certificateOf('five', () => true, () => ({}));
    expect(none).toEqual({});
    expect(ask('five', certificates.local).isRead).toBe(true);
    expect(certificateOf('five', () => false, () => undefined)).toBe(undefined);
    expect(ask('five', certificates.local).isRead).toBe(true);
  });

  it('that was asked for longest ago is forgotten first', () => {
    ask('oldest', certificates.local);
    for (let i = 1; i < LARGEST; i++) ask(`server ${i}`, certificates.local);
    expect(ask('oldest', certificates.local).isRead).toBe(false);
    ask('one more', certificates.local);
    expect(ask('oldest', certificates.local).isRead).toBe(false);
    expect(ask('server 1', certificates.local).isRead).toBe(true);
  });
});
