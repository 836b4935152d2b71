'use strict';

/**
 * This module makes X.509 certificates and revocation lists at test time (RFC 5280), right and wrong ones. They are
 * encoded here and signed by node:crypto, because no tool makes a certificate with every fault.
 */

const { generateKeyPairSync, sign } = require('node:crypto');

const OIDS = {
  commonName: '2.5.4.3',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  nameConstraints: '2.5.29.30',
  subjectAltName: '2.5.29.17',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
};

/** Signature algorithms by kind of key and digest. */
const SIGNATURES = {
  'ec sha1': '1.2.840.10045.4.1',
  'ec sha256': '1.2.840.10045.4.3.2',
  'rsa sha1': '1.2.840.113549.1.1.5',
  'rsa sha256': '1.2.840.113549.1.1.11',
  ed25519: '1.3.101.112',
};

/** Key pairs by kind: tests share them, because making one of RSA takes long. */
const keyPairs = new Map();

const KINDS = {
  p256: ['ec', { namedCurve: 'prime256v1' }],
  p384: ['ec', { namedCurve: 'secp384r1' }],
  rsa: ['rsa', { modulusLength: 2048 }],
  rsa1024: ['rsa', { modulusLength: 1024 }],
  ed25519: ['ed25519', {}],
};

/**
 * Gives a key pair.
 * @param {keyof KINDS} kind
 * @param {string} [owner] Owners have different keys.
 * @returns {{ publicKey: import('node:crypto').KeyObject, privateKey: import('node:crypto').KeyObject }}
 */
function keysOf(kind, owner = '') {
  const name = `${kind} ${owner}`;
  if (!keyPairs.has(name)) keyPairs.set(name, generateKeyPairSync(...KINDS[kind]));
  return keyPairs.get(name);
}

/** Encodes a value of DER: its tag, its length, its contents. @returns {Buffer} */
function der(tag, ...contents) {
  const body = Buffer.concat(contents);
  const { length } = body;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), body]);
  const head = length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), body]);
}

const sequence = (...contents) => der(0x30, ...contents);
const set = (...contents) => der(0x31, ...contents);
const octets = (bytes) => der(0x04, bytes);
const bits = (bytes, unused = 0) => der(0x03, Buffer.from([unused]), bytes);
const utf8 = (text) => der(0x0c, Buffer.from(text));
const boolean = (value) => der(0x01, Buffer.from([value ? 0xff : 0]));
const integer = (value) => der(0x02, Buffer.from([value >> 8 & 0x7f, value & 0xff].slice(value > 0x7f ? 0 : 1)));
const explicit = (number, ...contents) => der(0xa0 | number, ...contents);

/** Encodes an object identifier. @param {string} text */
function oid(text) {
  const [first, second, ...others] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of others) {
    const groups = [part & 0x7f];
    for (let rest = part >> 7; rest > 0; rest >>= 7) groups.unshift(rest & 0x7f | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

/** Encodes a moment as GeneralizedTime; RFC 5280 asks for UTCTime until 2049. @param {Date} date */
function time(date) {
  const text = `${date.toISOString().replace(/[-:T]|\..*$/g, '')}Z`;
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

/** Encodes the name of a subject, of which only the common name is used. @param {string} commonName */
const nameOf = (commonName) => sequence(set(sequence(oid(OIDS.commonName), utf8(commonName))));

/** Encodes a general name: `DNS:a.test`, `IP:127.0.0.1`, `URI:...`, `email:...`. @param {string} text */
function generalName(text) {
  const [, kind, value] = /^(\w+):(.*)$/s.exec(text);
  if (kind === 'IP') return der(0x87, Buffer.from(value.split(/[./]/).map(Number)));
  const tag = { DNS: 0x82, email: 0x81, URI: 0x86 }[kind];
  return der(tag, Buffer.from(value, 'latin1'));
}

/** Encodes an extension. */
function extension(id, value, critical = false) {
  return sequence(oid(id), ...critical ? [boolean(true)] : [], octets(value));
}

const subtrees = (number, names) => (names.length === 0 ? [] :
  [der(0xa0 | number, ...names.map((name) => sequence(generalName(name))))]);

/** Encodes the extensions of a certificate. @param {CertificateOptions} options */
function extensionsOf({
  names = [], isAuthority = false, pathLength, purposes, permitted = [], excluded = [], unknown,
}) {
  const list = [];
  if (isAuthority) {
    const limits = pathLength === undefined ? [] : [integer(pathLength)];
    list.push(extension(OIDS.basicConstraints, sequence(boolean(true), ...limits), true));
    list.push(extension(OIDS.keyUsage, bits(Buffer.from([0x06]), 1), true));
  }
  if (names.length > 0) list.push(extension(OIDS.subjectAltName, sequence(...names.map(generalName))));
  if (purposes) list.push(extension(OIDS.extKeyUsage, sequence(...purposes.map((name) => oid(OIDS[name])))));
  if (permitted.length + excluded.length > 0) {
    const constraints = sequence(...subtrees(0, permitted), ...subtrees(1, excluded));
    list.push(extension(OIDS.nameConstraints, constraints, true));
  }
  if (unknown) list.push(extension('1.2.3.4.5', octets(Buffer.from('unknown')), true));
  return list.length === 0 ? [] : [explicit(3, sequence(...list))];
}

/** Encodes which algorithm signs. */
function algorithmOf({ asymmetricKeyType }, digest) {
  if (asymmetricKeyType === 'ed25519') return sequence(oid(SIGNATURES.ed25519));
  const id = oid(SIGNATURES[`${asymmetricKeyType} ${digest}`]);
  return asymmetricKeyType === 'rsa' ? sequence(id, der(0x05)) : sequence(id);
}

/** Signs what is to be signed. @returns {Buffer} the whole, as DER */
function signed(body, key, digest) {
  const signature = sign(key.asymmetricKeyType === 'ed25519' ? null : digest, body, key);
  return sequence(body, algorithmOf(key, digest), bits(signature));
}

/** Wraps DER as PEM. */
function pem(label, bytes) {
  const lines = bytes.toString('base64').match(/.{1,64}/g).join('\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

const YEAR = 365 * 24 * 3600 * 1000;
const yearsFromNow = (years) => new Date(Date.now() + years * YEAR);

let serial = 1;

/**
 * @typedef {object} CertificateOptions
 * @property {string} [subject] common name
 * @property {string[]} [names] subject alternative names, such as `DNS:a.test`
 * @property {keyof KINDS} [kind] of its key
 * @property {Certificate} [issuer] none: it signs itself
 * @property {number} [from] years from now at which it begins to be valid
 * @property {number} [to] years from now at which it ends
 * @property {boolean} [isAuthority]
 * @property {number} [pathLength]
 * @property {string[]} [purposes] extended key usage
 * @property {string[]} [permitted] names that an authority may sign for
 * @property {string[]} [excluded] names that an authority may not sign for
 * @property {boolean} [unknown] with a critical extension that nobody knows
 * @property {boolean} [damaged] with a signature that is not right
 * @property {'sha1' | 'sha256'} [digest]
 * @property {string} [owner] of its key
 */

/**
 * @typedef {object} Certificate
 * @property {string} cert PEM
 * @property {string} key PEM
 * @property {string} subject
 * @property {number} serial
 * @property {import('node:crypto').KeyObject} privateKey
 */

/**
 * Makes a certificate.
 * @param {CertificateOptions} options
 * @returns {Certificate}
 */
function certify({
  subject = 'a server', kind = 'p256', owner = subject, issuer, from = -1, to = 1, damaged, digest = 'sha256', ...others
}) {
  const { publicKey, privateKey } = keysOf(kind, owner);
  const signer = issuer?.privateKey ?? privateKey;
  const number = serial++;
  const body = sequence(
    explicit(0, integer(2)),
    integer(number),
    algorithmOf(signer, digest),
    nameOf(issuer?.subject ?? subject),
    sequence(time(yearsFromNow(from)), time(yearsFromNow(to))),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...extensionsOf(others),
  );
  const bytes = signed(body, signer, digest);
  if (damaged) bytes[bytes.length - 1] ^= 1;
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  return { cert: pem('CERTIFICATE', bytes), key, subject, serial: number, privateKey };
}

/**
 * Makes a certificate revocation list.
 * @param {Certificate} issuer
 * @param {Certificate[]} revoked
 * @param {{ from?: number, to?: number }} [validity] years from now
 * @returns {string} PEM
 */
function revoke(issuer, revoked, { from = -1, to = 1 } = {}) {
  const entries = revoked.map((certificate) => sequence(integer(certificate.serial), time(yearsFromNow(from))));
  const body = sequence(
    integer(1),
    algorithmOf(issuer.privateKey, 'sha256'),
    nameOf(issuer.subject),
    time(yearsFromNow(from)),
    time(yearsFromNow(to)),
    ...entries.length > 0 ? [sequence(...entries)] : [],
  );
  return pem('X509 CRL', signed(body, issuer.privateKey, 'sha256'));
}

module.exports = { certify, revoke };
