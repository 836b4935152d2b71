'use strict';

/**
 * The record layout that both queues share. src/records/layout.rs explains it, and `__test__/bridge/records.test.js`
 * proves that the two files agree.
 */

/** Bytes of a record header: opcode and flags, connection id, payload length. */
const HEADER_SIZE = 12;

/** Opcodes and flags of commands, which go from JavaScript to the I/O thread. */
const command = Object.freeze({
  CONNECT_TCP: 1,
  CONNECT_UNIX: 2,
  REQUEST: 3,
  WRITE: 4,
  SHUTDOWN: 5,
  PAUSE: 6,
  RESUME: 7,
  NO_DELAY: 8,
  KEEP_ALIVE: 9,
  CLOSE: 10,
  RELEASE: 11,
  TYPE_OF_SERVICE: 12,
  PIN: 13,
  ADOPT: 14,
  VERIFIED: 15,
  SHAKE_HANDS: 16,
  RECONNECT: 17,
  METHOD_HEAD: 1,
  METHOD_CONNECT: 2,
  LENIENT_SHIFT: 2,
  LENIENT_ALL: 1,
  LENIENT_HEADER_VALUE: 2,
  ACKNOWLEDGE: 1,
  ENABLE: 1,
  STARTED: 1,
  RESET: 1,
});

/** Opcodes and flags of events, which go from the I/O thread, or from the decoder, to JavaScript. */
const event = Object.freeze({
  CONNECTED: 1,
  CONNECT_FAILED: 2,
  READ: 3,
  INFORMATION: 4,
  HEAD: 5,
  DATA: 6,
  END: 7,
  PARSE_ERROR: 8,
  EOF: 9,
  READ_ERROR: 10,
  WRITE_ERROR: 11,
  WRITTEN: 12,
  SHUTDOWN_DONE: 13,
  RELEASED: 14,
  CLOSED: 15,
  FAILED: 16,
  BODY: 17,
  SECURED: 18,
  SESSION: 19,
  SECRET: 20,
  TLS_ERROR: 21,
  STALE: 22,
  TIME: 23,
  KEEP_ALIVE: 1,
  UPGRADE: 2,
  KEEP_ALIVE_FIELD: 4,
  AGAIN: 1,
  AT_ONCE: 1,
  REFERENCE: 1,
  FOLLOWED: 1,
  COMPLETES: 1,
  IDLE: 2,
  UNSOLICITED: 4,
});

/**
 * Tells whether an event begins a read: bytes, the end, or a failure that another read of the kernel's buffer, or a
 * write, has found. libuv would report it in a turn of its own.
 * @param {number} opcode
 * @param {number} flags
 * @returns {boolean}
 */
function isRead(opcode, flags) {
  // Unsolicited bytes belong to the read that brought them.
  return opcode === event.READ || opcode === event.READ_ERROR || opcode === event.WRITE_ERROR ||
    opcode >= event.SECURED || (opcode === event.EOF && (flags & event.UNSOLICITED) === 0);
}

module.exports = { HEADER_SIZE, command, event, isRead };
