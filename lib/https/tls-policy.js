'use strict';

/**
 * Names the TLS policy of a connection, as far as Node's own name of its origin does not. An agent gives a connection,
 * and a TLS session, to every request of the same name. So two requests whose options of tls.connect() differ must have
 * two names. On some versions of Node, names lack an option, or have it in a form that several values share
 * (CVE-2026-123877, CVE-2026-56850).
 */

const { isUtf8 } = require('node:buffer');
const { createHash } = require('node:crypto');

/** Node's name has every value of the option apart. */
const EXACT = 2;
/** Node's name has the text of the option. */
const TEXT = 1;
/** Node's name lacks the option. */
const ABSENT = 0;

/** Options of tls.connect() and tls.createSecureContext() that make one connection of a client unlike another. */
const POLICY = [
  'allowPartialTrustChain', 'ALPNProtocols', 'ca', 'cert', 'certificateCompression', 'ciphers', 'clientCertEngine',
  'crl', 'dhparam', 'ecdhCurve', 'honorCipherOrder', 'key', 'maxVersion', 'minDHSize', 'minVersion', 'passphrase',
  'pfx', 'privateKeyEngine', 'privateKeyIdentifier', 'pskCallback', 'rejectUnauthorized', 'requestOCSP',
  'secureContext', 'secureOptions', 'secureProtocol', 'servername', 'session', 'sessionIdContext', 'sessionTimeout',
  'sigalgs', 'socket', 'ticketKeys',
];

/** Options whose text is a list with colons. No other field of a name may have one, so that these are read apart. */
const LISTS = new Set(['ciphers', 'ecdhCurve', 'sigalgs']);

/** Values that an exact name keeps apart: bytes that are no UTF-8, lists and texts that look alike once joined. */
const LOOKALIKES = [
  Buffer.of(0xff), Buffer.of(0xfe), [Buffer.of(0xff)], [Buffer.of(0xfe)], ['x', 'y'], 'x,y', Uint8Array.of(1, 2), '1,2',
  [{ buf: Buffer.of(0xfd), pem: Buffer.of(0xfd) }], [{ buf: Buffer.of(0xfc), pem: Buffer.of(0xfc) }], {}, () => {},
  [{ buf: 'x', pem: 'x', passphrase: 'y' }], [{ buf: 'x', pem: 'x', passphrase: 'z' }],
];

/** Numbers that stand for objects without contents to compare, such as a secureContext. */
const identities = new WeakMap();
let lastIdentity = 0;

/** @returns {number} The same for the same object. */
function identityOf(object) {
  let identity = identities.get(object);
  if (identity === undefined) identities.set(object, identity = ++lastIdentity);
  return identity;
}

/**
 * Tells whether names differ for every two of these values.
 * @param {(options: object) => string} getName
 * @param {Array<object>} samples Options.
 */
function differ(getName, samples) {
  return new Set(samples.map((options) => getName.call({}, options))).size === samples.length;
}

/** Finds how Node's name has an option: EXACT, TEXT or ABSENT. */
function precisionOf(getName, option) {
  // A passphrase says nothing without what it opens.
  if (option === 'passphrase') {
    const isThere = ['key', 'pfx'].every((material) => {
      return differ(getName, ['x', 'y'].map((passphrase) => ({ [material]: 'x', passphrase })));
    });
    return isThere ? EXACT : ABSENT;
  }
  if (!differ(getName, [{}, { [option]: 'x' }, { [option]: 'y' }])) return ABSENT;
  return differ(getName, LOOKALIKES.map((value) => ({ [option]: value }))) ? EXACT : TEXT;
}

/** @returns {Array<[option: string, hasText: boolean]>} Options that Node's name does not have exactly. */
function inexactOptions(getName) {
  return POLICY.map((option) => [option, precisionOf(getName, option)])
    .filter(([, precision]) => precision !== EXACT)
    .map(([option, precision]) => [option, precision === TEXT]);
}

/** Tells whether a value has one text, and no other value of the option has the same. */
function isPlainText(value, isList) {
  if (Array.isArray(value)) return value.every((element) => !Array.isArray(element) && isPlainText(element, isList));
  if (Buffer.isBuffer(value)) return isUtf8(value) && !value.includes(':') && !value.includes(',');
  if (typeof value === 'string') return isList || !/[:,]/.test(value);
  return typeof value !== 'object' && typeof value !== 'function';
}

/**
 * Writes a value so that no two values are written alike.
 * @param {unknown} value
 * @returns {string}
 */
function write(value) {
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');
    return `v${bytes.length}:${bytes}`;
  }
  if (Array.isArray(value)) return `a${value.length}:${value.map(writeElement).join('')}`;
  if (typeof value === 'function' || (typeof value === 'object' && value !== null)) return `o${identityOf(value)}:`;
  const text = String(value);
  return `${typeof value}${text.length}:${text}`;
}

/** Writes an element of a list, which may be key material with a passphrase of its own. */
function writeElement(value) {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return write(value);
  return `m${write(value.pem)}${write(value.buf)}${write(value.passphrase)}`;
}

/** Names that lack nothing of a policy. */
class PolicyNames {
  /** @param {(options: object) => string} getName Node's own. */
  constructor(getName) {
    this.getName = getName;
    /**
     * Options that Node's name does not have exactly, and whether it has their text; null until a name is needed.
     * @type {Array<[option: string, hasText: boolean]>|null}
     */
    this.inexact = null;
  }

  /**
   * Gives what Node's name lacks of a policy.
   * @param {object} options Options of a connection.
   * @returns {string} Empty if nothing is missing.
   */
  restOf(options) {
    this.inexact ??= inexactOptions(this.getName);
    let rest;
    for (const [option, hasText] of this.inexact) {
      const value = options[option];
      if (value === undefined || value === null) continue;
      if (hasText && isPlainText(value, LISTS.has(option))) continue;
      if (option === 'passphrase' && !options.key && !options.pfx) continue;
      rest ??= createHash('sha256');
      rest.update(option).update(write(value));
    }
    // A digest: a name is printed in logs, and a passphrase is not for those.
    return rest === undefined ? '' : `:${rest.digest('base64url')}`;
  }
}

module.exports = { PolicyNames };
