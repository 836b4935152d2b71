'use strict';

/**
 * Known certificates are those by which servers have identified themselves last, as Node reads them for its check of
 * the identity. To read one takes longer than anything else that the JavaScript thread does for a connection with TLS.
 * A server has shown the same one before, nearly always: to compare the bytes of the two takes a hundredth of that.
 */

/** Number of servers whose certificate is remembered; at one more, the oldest is forgotten. */
const LARGEST = 100;

/** @type {Map<string, import('node:tls').PeerCertificate>} By server. */
const known = new Map();

/**
 * Gives the certificate by which a server has identified itself. Node's own check reads it, and nobody else may have
 * it: it serves later connections too.
 * @param {string} server Its name, or its address.
 * @param {(der: Uint8Array) => boolean} isIt Tells whether a certificate is that of the server.
 * @param {() => import('node:tls').PeerCertificate} read Reads that of the server; an empty object if there is none.
 * @returns {import('node:tls').PeerCertificate}
 */
function certificateOf(server, isIt, read) {
  const last = known.get(server);
  if (last !== undefined && isIt(last.raw)) return last;
  const certificate = read();
  known.delete(server);
  if (!(certificate?.raw instanceof Uint8Array)) return certificate;
  if (known.size === LARGEST) known.delete(known.keys().next().value);
  known.set(server, certificate);
  return certificate;
}

module.exports = { LARGEST, certificateOf };
