'use strict';

/**
 * A server whose certificate is not good gets no byte of a request (CWE-295), and the request ends as one of node:https
 * does: same outcome, same error, same events.
 */

const { http, isNative } = require('../support');
const { certify, revoke } = require('../support/authority');
const { lookup } = require('../support/tls');
const { expectAsNode, hearSessions, observeOnce, serveWitness } = require('../support/tls-observer');

const root = certify({ subject: 'a root', isAuthority: true });
const otherRoot = certify({ subject: 'another root', isAuthority: true });
const forgedRoot = certify({ subject: 'a root', isAuthority: true, owner: 'a forger' });
const middle = certify({ subject: 'a middle', isAuthority: true, issuer: root });
const expiredMiddle = certify({ subject: 'an old middle', isAuthority: true, issuer: root, from: -3, to: -2 });
const leafAsMiddle = certify({ subject: 'a leaf', issuer: root, names: ['DNS:a.test'] });
const shortMiddle = certify({ subject: 'a short middle', isAuthority: true, issuer: root, pathLength: 0 });
const belowShort = certify({ subject: 'below', isAuthority: true, issuer: shortMiddle });
const bound = certify({
  subject: 'a bound middle', isAuthority: true, issuer: root, permitted: ['DNS:ok.test'], excluded: ['DNS:no.ok.test'],
});

/** Makes the certificate of a server, with those that it sends along. */
function server(options, ...chain) {
  const { cert, key, ...others } = certify({ issuer: chain[0] ?? root, names: ['DNS:a.test'], ...options });
  return { ...others, key, cert: [cert, ...chain.map((each) => each.cert)].join('') };
}

const SELF = certify({ names: ['DNS:a.test'] });
const REVOKED = server({ subject: 'a revoked server' });
const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';

/** Code of all that OpenSSL finds wrong and Node has no name for. The message tells. */
const UNNAMED = 'UNSPECIFIED';

/**
 * Certificates: what is wrong, the server, the code of the error (a list: releases of OpenSSL have different codes, or
 * none), and options of the request beside `host`, which is a.test.
 */
const CERTIFICATES = [
  ['nothing is wrong with', server(), undefined],
  ['a middle authority has signed', server({}, middle), undefined],
  ['two middle authorities have signed', server({}, middle, root), undefined],
  ['is expired', server({ from: -2, to: -1 }), 'CERT_HAS_EXPIRED'],
  ['is not valid yet', server({ from: 1, to: 2 }), 'CERT_NOT_YET_VALID'],
  ['has signed itself', SELF, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['has signed itself and is trusted', SELF, undefined, { ca: SELF.cert }],
  ['comes with a root nobody trusts', server({}, otherRoot), 'SELF_SIGNED_CERT_IN_CHAIN'],
  ['a root nobody trusts has signed', server({ issuer: otherRoot }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['a root of a trusted name, and another key, has signed', server({ issuer: forgedRoot }), 'CERT_SIGNATURE_FAILURE'],
  ['lacks the middle authority', server({ issuer: middle }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['has an expired middle authority', server({}, expiredMiddle), 'CERT_HAS_EXPIRED'],
  ['a certificate that is no authority has signed', server({}, leafAsMiddle), ['INVALID_PURPOSE', 'INVALID_CA']],
  ['has too long a chain', server({}, belowShort, shortMiddle), 'PATH_LENGTH_EXCEEDED'],
  ['has a damaged signature', server({ damaged: true }), 'CERT_SIGNATURE_FAILURE'],
  ['is for clients', server({ purposes: ['clientAuth'] }), 'INVALID_PURPOSE'],
  ['is for code', server({ purposes: ['codeSigning'] }), 'INVALID_PURPOSE'],
  ['is for servers and clients', server({ purposes: ['serverAuth', 'clientAuth'] }), undefined],
  ['has a critical extension nobody knows', server({ unknown: true }), UNNAMED],
  ['its authority may sign', server({ names: ['DNS:ok.test'] }, bound), undefined, { host: 'ok.test' }],
  ['its authority may not sign', server({}, bound), UNNAMED],
  ['is excluded by its authority', server({ names: ['DNS:x.no.ok.test'] }, bound), UNNAMED,
    { host: 'x.no.ok.test' }],
  ['is signed over SHA-1', server({ digest: 'sha1' }), [UNNAMED, undefined]],
  ['has an RSA key of 1024 bits', server({ kind: 'rsa1024' }), [UNNAMED, undefined]],
  ['has an RSA key', server({ kind: 'rsa' }), undefined],
  ['has an ECDSA key of P-384', server({ kind: 'p384' }), undefined],
  ['has an Ed25519 key', server({ kind: 'ed25519' }), undefined],

  ['is revoked', REVOKED, 'CERT_REVOKED', { crl: revoke(root, [REVOKED]) }],
  ['is not revoked', REVOKED, undefined, { crl: revoke(root, [SELF]) }],
  ['is revoked, as a list of several says', REVOKED, 'CERT_REVOKED',
    { crl: [revoke(otherRoot, []), revoke(root, [REVOKED])] }],
  ['has no revocation list of its authority', REVOKED, 'UNABLE_TO_GET_CRL', { crl: revoke(otherRoot, []) }],
  ['has an expired revocation list', REVOKED, 'CRL_HAS_EXPIRED', { crl: revoke(root, [], { from: -2, to: -1 }) }],
  ['has a revocation list of the future', REVOKED, 'CRL_NOT_YET_VALID', { crl: revoke(root, [], { from: 1, to: 2 }) }],
  ['has a revocation list that a forger has signed', REVOKED, 'CRL_SIGNATURE_FAILURE', { crl: revoke(forgedRoot, []) }],

  ['is for another host', server({ names: ['DNS:b.test'] }), WRONG_NAME],
  ['has a name in other case', server({ names: ['DNS:A.Test'] }), undefined],
  ['has a wildcard', server({ names: ['DNS:*.a.test'] }), undefined, { host: 'x.a.test' }],
  ['has a wildcard, two levels up', server({ names: ['DNS:*.a.test'] }), WRONG_NAME, { host: 'y.x.a.test' }],
  ['has a wildcard, for the bare domain', server({ names: ['DNS:*.a.test'] }), WRONG_NAME],
  ['has a wildcard of the top', server({ names: ['DNS:*.test'] }), WRONG_NAME],
  ['has only a wildcard', server({ names: ['DNS:*'] }), WRONG_NAME],
  ['has a wildcard in a label', server({ names: ['DNS:w*.a.test'] }), undefined, { host: 'www.a.test' }],
  ['has a wildcard in a label that differs', server({ names: ['DNS:w*.a.test'] }), WRONG_NAME, { host: 'xyz.a.test' }],
  ['has a wildcard in a label of IDN', server({ names: ['DNS:xn--*.a.test'] }), WRONG_NAME, { host: 'xn--b.a.test' }],
  ['has two wildcards', server({ names: ['DNS:*.*.test'] }), WRONG_NAME, { host: 'x.a.test' }],
  ['has an internationalized name', server({ names: ['DNS:xn--bcher-kva.test'] }), undefined,
    { host: 'xn--bcher-kva.test' }],
  ['has an internationalized name, asked for as such', server({ names: ['DNS:xn--bcher-kva.test'] }),
    [undefined, WRONG_NAME], { host: 'bücher.test' }],
  ['has a raw internationalized name', server({ names: ['DNS:b\u00fccher.test'] }), [undefined, WRONG_NAME],
    { host: 'bücher.test' }],
  ['has a common name only', server({ subject: 'a.test', names: [] }), undefined],
  ['has another common name only', server({ subject: 'b.test', names: [] }), WRONG_NAME],
  ['has a common name beside names', server({ subject: 'a.test', names: ['DNS:b.test'] }), WRONG_NAME],
  ['has a common name beside an address', server({ subject: 'a.test', names: ['IP:127.0.0.1'] }),
    [undefined, WRONG_NAME]],
  ['has a common name beside a mail address', server({ subject: 'a.test', names: ['email:a@a.test'] }),
    [undefined, WRONG_NAME]],
  ['has a URI for a name', server({ names: ['URI:https://a.test/'] }), WRONG_NAME],
  ['has a NUL in its name', server({ names: ['DNS:a.test\0.evil.test'] }), WRONG_NAME],
  ['has a NUL at the end of its name', server({ names: ['DNS:a.test\0'] }), WRONG_NAME],
  ['has a NUL in its common name', server({ subject: 'a.test\0.evil.test', names: [] }), WRONG_NAME],
  ['has a comma and a second name in its name', server({ names: ['DNS:b.test, DNS:a.test'] }), WRONG_NAME],
  ['has a line break in its name', server({ names: ['DNS:b.test\nDNS:a.test'] }), WRONG_NAME],
  ['has a name of a thousand bytes', server({ names: [`DNS:${'a'.repeat(1000)}.test`] }), WRONG_NAME],
  ['has a hundred names', server({ names: [...Array(100).keys(), 'a.test'].map((name) => `DNS:${name}`) }), undefined],
  ['has its host with a trailing dot', server(), undefined, { host: 'a.test.' }],
  ['has a trailing dot itself', server({ names: ['DNS:a.test.'] }), [undefined, WRONG_NAME]],

  ['has its address', server({ names: ['IP:127.0.0.1'] }), undefined, { host: '127.0.0.1' }],
  ['has another address', server({ names: ['IP:127.0.0.2'] }), WRONG_NAME, { host: '127.0.0.1' }],
  ['has its address as a name', server({ names: ['DNS:127.0.0.1'] }), WRONG_NAME, { host: '127.0.0.1' }],
  ['has its address as a common name', server({ subject: '127.0.0.1', names: [] }), WRONG_NAME, { host: '127.0.0.1' }],
  ['has a wildcard of addresses', server({ names: ['DNS:*.0.0.1'] }), WRONG_NAME, { host: '127.0.0.1' }],
];

/** Options of a server that sends whatever certificate it is given. */
const lax = (certificate) => ({ cert: certificate.cert, key: certificate.key, ciphers: 'DEFAULT@SECLEVEL=0' });

/**
 * Asks a server with a certificate, by ours and by Node's client, and sees that what follows is the same.
 * @returns {Promise<object>} what ours showed
 */
async function ask(certificate, options) {
  const before = isNative && http.stats();
  const peer = await serveWitness(lax(certificate));
  const seen = await expectAsNode(async (client) => {
    const observation = await observeOnce(client, {
      host: 'a.test', port: peer.port, path: '/secret', lookup, ca: root.cert, visit: hearSessions, ...options,
    });
    const received = await peer.take();
    if (observation.error) expect(received).toBe('');
    return { ...observation, received: received !== '' };
  });
  if (isNative) {
    const { tlsNative, tlsOfNode } = http.stats();
    const changed = [tlsNative > before.tlsNative, tlsOfNode > before.tlsOfNode];
    expect(changed).toEqual([!options.requestOCSP, Boolean(options.requestOCSP)]);
  }
  if (seen.error === undefined) expect([seen.status, seen.body, seen.received]).toEqual([200, '/secret', true]);
  return seen;
}

/** Half of the certificates: the others meet the option that these do not. */
const half = (rest) => CERTIFICATES.filter((_certificate, index) => index % 2 === rest);

describe.each([
  ['the I/O thread', {}],
  // With a question for OCSP the connection stays there.
  ['Node', { requestOCSP: true }],
])('a certificate, in a handshake by %s,', (_who, common) => {
  it.each(CERTIFICATES)('that %s', async (_what, certificate, codes, options = {}) => {
    const { error } = await ask(certificate, { ...options, ...common });
    expect([codes].flat()).toContain(error?.code);
  });
});

describe('a certificate', () => {

  it.each(half(0))('that %s, where a good one is demanded', async (_what, certificate, codes, options = {}) => {
    const { error } = await ask(certificate, { ...options, rejectUnauthorized: true, maxVersion: 'TLSv1.2' });
    expect([codes].flat()).toContain(error?.code);
  });

  it.each(half(1))('that %s, where the user checks names', async (_what, certificate, codes, options = {}) => {
    const checkServerIdentity = () => undefined;
    const { error } = await ask(certificate, { ...options, checkServerIdentity, maxVersion: 'TLSv1.2' });
    expect([codes].flat().map((code) => (code === WRONG_NAME ? undefined : code))).toContain(error?.code);
  });

  it.each(CERTIFICATES)('that %s, where any is taken', async (_what, certificate, _codes, options = {}) => {
    const { error, tls } = await ask(certificate, { ...options, rejectUnauthorized: false });
    expect([error, tls.encrypted]).toEqual([undefined, true]);
  });
});
