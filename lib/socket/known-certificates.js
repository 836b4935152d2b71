'use strict';

/**
 * Known certificates are those by which servers have identified themselves last, as Node reads them for its check of
 * the identity. To read one takes longer than anything else that the JavaScript thread does for a connection with TLS.
 * A server has shown the same one before, nearly always: to compare the bytes of the two takes a hundredth of that.
 */

/** Number of servers whose certificate is remembered; at one more, the oldest is forgotten. */
const LARGEST = 100;

/** @type {Map<string, import('node:tls').PeerCertificate>} By server, the one asked for last behind the others. */
const known = new Map();

/**
 * Gives the certificate by which a server has identified itself.
 * @param {string} server Its name, or its address.
 * @param {(der: Uint8Array) => boolean} isIt Tells whether a certificate is that of the server.
 * @param {() => import('node:tls').PeerCertificate} read Reads that of the server; an empty object if there is none.
 * @returns {import('node:tls').PeerCertificate}
 */
function certificateOf(server, isIt, read) {
  const last = known.get(server);
  known.delete(server);
  if (last !== undefined && isIt(last.raw)) {
    known.set(server, last);
    return copyOf(last);
  }
  const certificate = read();
  // A library may have it read with its chain, whose last one is its own issuer.
  if (certificate?.raw instanceof Uint8Array && !('issuerCertificate' in certificate)) {
    if (known.size === LARGEST) known.delete(known.keys().next().value);
    known.set(server, copyOf(certificate));
  }
  return certificate;
}

/**
 * Copies a value with all that it has: an error, or a hook of a library, may show a certificate to somebody who changes
 * it, and no other connection may be judged by that.
 */
function copyOf(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value);
  const copy = Array.isArray(value) ? [] : Object.create(Object.getPrototypeOf(value));
  for (const key of Object.keys(value)) copy[key] = copyOf(value[key]);
  return copy;
}

module.exports = { LARGEST, certificateOf };
