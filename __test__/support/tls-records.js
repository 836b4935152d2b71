'use strict';

/**
 * A TLS server whose records the test makes itself (RFC 8446, RFC 5246). Node's tls shakes hands; then the test seals
 * with the keys of the connection what no TLS library would send.
 */

const { createCipheriv, createDecipheriv, createHmac, randomBytes } = require('node:crypto');
const { once } = require('node:events');
const { Duplex } = require('node:stream');
const tls = require('node:tls');
const certificates = require('./certificates');
const { onRequestHead, serveRaw } = require('./servers');
const { quiet } = require('./wait');

/** Types of records. */
const TYPES = { cipherChange: 20, alert: 21, handshake: 22, application: 23 };

/** Levels of alerts, and some of their descriptions. */
const ALERTS = {
  closeNotify: [1, 0], unexpectedMessage: [2, 10], badRecordMac: [2, 20], handshakeFailure: [2, 40],
  badCertificate: [2, 42], unknownAuthority: [2, 48], internalError: [2, 80], userCancelled: [1, 90],
  certificateRequired: [2, 116], unknown: [2, 200],
};

/** The ciphers for which records are sealed here. */
const CIPHERS = 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256';

const TAG_LENGTH = 16;

/** Keys that old sessions are sealed with: connections of one server know each other's. */
const ticketKeys = randomBytes(48);

const hmac = (key, ...parts) => createHmac('sha256', key).update(Buffer.concat(parts)).digest();

/** Derives from a secret of TLS 1.3 up to 32 bytes (RFC 8446, section 7.1). */
function expandLabel(secret, label, length) {
  const name = Buffer.from(`tls13 ${label}`);
  return hmac(secret, Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])).subarray(0, length);
}

/** Derives bytes by the pseudo-random function of TLS 1.2 (RFC 5246, section 5). */
function derive12(secret, label, seed, length) {
  const whole = Buffer.concat([Buffer.from(label), seed]);
  const blocks = [];
  for (let a = whole; Buffer.concat(blocks).length < length;) {
    a = hmac(secret, a);
    blocks.push(hmac(secret, a, whole));
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** Makes a record without encryption. */
function plainRecord(type, body) {
  return Buffer.concat([Buffer.from([type, 3, 3, body.length >> 8, body.length & 0xff]), body]);
}

/** Eight bytes of a sequence number. */
function sequenceBytes(sequence) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(sequence));
  return bytes;
}

/** Seals and opens the records that a server sends in TLS 1.3. */
class Keys13 {
  /** @param {Buffer} secret SERVER_TRAFFIC_SECRET_0 */
  constructor(secret) {
    this.update(secret);
  }

  /** Takes a secret into use. */
  update(secret = expandLabel(this.secret, 'traffic upd', 32)) {
    this.secret = secret;
    this.key = expandLabel(secret, 'key', 16);
    this.iv = expandLabel(secret, 'iv', 12);
    this.sequence = 0;
  }

  /** @returns {Buffer} the nonce of the next record */
  nonce() {
    const nonce = Buffer.from(this.iv);
    for (const [index, byte] of sequenceBytes(this.sequence).entries()) nonce[index + 4] ^= byte;
    return nonce;
  }

  /** @returns {Buffer} a whole record */
  seal(type, body) {
    const length = body.length + 1 + TAG_LENGTH;
    const header = Buffer.from([TYPES.application, 3, 3, length >> 8, length & 0xff]);
    const cipher = createCipheriv('aes-128-gcm', this.key, this.nonce()).setAAD(header);
    this.sequence++;
    return Buffer.concat([header, cipher.update(body), cipher.update(Buffer.from([type])), cipher.final(),
      cipher.getAuthTag()]);
  }

  /** @returns {boolean} true if that record is the next that was sealed with this key */
  isNext(record) {
    const cipher = createDecipheriv('aes-128-gcm', this.key, this.nonce()).setAAD(record.subarray(0, 5));
    cipher.setAuthTag(record.subarray(-TAG_LENGTH));
    cipher.update(record.subarray(5, -TAG_LENGTH));
    try {
      cipher.final();
      return true;
    } catch {
      return false;
    }
  }
}

/** Seals the records that a server sends in TLS 1.2. */
class Keys12 {
  /**
   * @param {Buffer} secret the master secret
   * @param {Buffer} randoms of the server and of the client
   */
  constructor(secret, randoms) {
    const block = derive12(secret, 'key expansion', randoms, 40);
    this.key = block.subarray(16, 32);
    this.iv = block.subarray(36, 40);
    this.sequence = 0;
  }

  /** @returns {Buffer} a whole record */
  seal(type, body) {
    const sequence = sequenceBytes(this.sequence++);
    const aad = Buffer.concat([sequence, Buffer.from([type, 3, 3, body.length >> 8, body.length & 0xff])]);
    const cipher = createCipheriv('aes-128-gcm', this.key, Buffer.concat([this.iv, sequence])).setAAD(aad);
    return plainRecord(type, Buffer.concat([sequence, cipher.update(body), cipher.final(), cipher.getAuthTag()]));
  }
}

/** One connection of such a server. */
class Connection extends Duplex {
  /**
   * @param {import('node:net').Socket} socket
   * @param {tls.TlsOptions} options
   */
  constructor(socket, options) {
    super();
    /** @type {import('node:net').Socket} that of the client */
    this.socket = socket;
    this.pending = Buffer.alloc(0);
    this.heads = [];
    this.secrets = new Map();
    /** @type {(record: Buffer, index: number) => boolean} may send something else: then true */
    this.onRecord = () => false;
    this.passed = 0;
    socket.on('data', (bytes) => this.push(bytes)).on('end', () => this.push(null)).on('error', () => {});
    socket.on('close', () => this.destroy());
    this.server = tls.createServer({ ...certificates.local, ciphers: CIPHERS, ticketKeys, ...options }, (secured) => {
      secured.on('error', () => {});
      onRequestHead(secured, (head) => {
        this.heads.push(head);
        this.emit('head', head);
      });
    });
    this.server.on('keylog', (line) => {
      const [label, random, secret] = String(line).trim().split(' ');
      this.secrets.set(label, [Buffer.from(secret, 'hex'), Buffer.from(random, 'hex')]);
    });
    this.server.on('tlsClientError', () => {});
    this.on('error', () => {});
    this.server.emit('connection', this);
  }

  /** @override */
  _read() {}

  /** @override */
  _final(callback) {
    callback();
  }

  /** Passes on the records of the handshake, and counts those that came with the keys of the connection. @override */
  _write(chunk, _encoding, callback) {
    this.pending = Buffer.concat([this.pending, chunk]);
    while (this.pending.length >= 5 && this.pending.length >= 5 + this.pending.readUInt16BE(3)) {
      const end = 5 + this.pending.readUInt16BE(3);
      this.pass(this.pending.subarray(0, end));
      this.pending = this.pending.subarray(end);
    }
    callback();
  }

  /** Passes on one record of Node's. */
  pass(record) {
    // A server that the test plays says nothing of its own.
    if (this.isPlayed) return;
    const [type] = record;
    if (type === TYPES.handshake && record[5] === 2 && !this.serverRandom) this.serverRandom = record.subarray(11, 43);
    const of13 = this.secrets.get('SERVER_TRAFFIC_SECRET_0');
    const of12 = this.secrets.get('CLIENT_RANDOM');
    if (of13) {
      this.keys ??= new Keys13(of13[0]);
      if (type === TYPES.application && this.keys.isNext(record)) this.keys.sequence++;
    } else if (of12 && this.keys) {
      this.keys.sequence++;
    } else if (of12 && type === TYPES.cipherChange) {
      this.keys = new Keys12(of12[0], Buffer.concat([this.serverRandom, of12[1]]));
    }
    if (!this.onRecord(record, this.passed++) && !this.socket.destroyed) this.socket.write(record);
  }

  /** Waits for the head of the next request. From then on only the test sends. @returns {Promise<string>} */
  async request() {
    if (this.heads.length === 0) await once(this, 'head');
    this.isPlayed = true;
    return this.heads.shift();
  }

  /** @returns {Buffer} a record with a part of a response */
  data(text) {
    return this.keys.seal(TYPES.application, Buffer.from(text, 'latin1'));
  }

  /** @returns {Buffer} a record with an alert */
  alert(name) {
    return this.keys.seal(TYPES.alert, Buffer.from(ALERTS[name]));
  }

  /** @returns {Buffer} a record with a message of the handshake */
  handshake(type, body = Buffer.alloc(0)) {
    const head = Buffer.from([type, body.length >> 16, body.length >> 8 & 0xff, body.length & 0xff]);
    return this.keys.seal(TYPES.handshake, Buffer.concat([head, body]));
  }

  /** Sends bytes, in one segment. @returns {Promise<void>} when the kernel has them */
  send(...parts) {
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve();
      else this.socket.write(Buffer.concat(parts), () => resolve());
    });
  }
}

/** Pace of servers that send something in two parts. Without a pause (`apart` false) one read may bring both. */
const pacing = { apart: true };

/** Lets the client read what was sent, so that what follows comes in a read of its own, unless chance is wanted. */
async function pause() {
  if (pacing.apart) await quiet(2);
}

/**
 * Resets a connection at once. The method of a socket sends FIN first on some releases of Node.
 * @param {import('node:net').Socket} socket
 */
function reset(socket) {
  socket._handle?.reset(() => {});
  socket.destroy();
}

/**
 * Starts a server that shakes hands by Node's tls, and is played by the test from the first request on.
 * @param {(connection: Connection, index: number) => unknown} play
 * @param {tls.TlsOptions} [options]
 * @returns {Promise<import('./servers').Peer>}
 */
function serveRecords(play, options) {
  return serveRaw((socket, index) => play(new Connection(socket, options), index));
}

module.exports = { ALERTS, pacing, pause, plainRecord, reset, serveRecords, TYPES };
