'use strict';

/**
 * Stages of a NativeHandle: one field for its life, one for the exchange on it. Only the methods of NativeHandle under
 * "Transitions" go from one stage to another.
 */

/**
 * Stages in the life of a handle, in their order.
 *
 *     NEW ──connect()──▶ CONNECTING ──CONNECTED──▶ OPEN
 *      │                     │                      │
 *      └─────────────────────┼──────────────────────┘
 *                          end()
 *     within a dispatch ┌────┴────┐ otherwise
 *                       ▼         ▼
 *                    CLOSING ──▶ CLOSED
 *                         next read
 */
const life = Object.freeze({
  /** There is no connection, but perhaps a bound descriptor. */
  NEW: 0,
  /** The connection is being made. */
  CONNECTING: 1,
  /** The connection has been made, and net.Socket has set it up. */
  OPEN: 2,
  /** The handle is closed, and still takes the rest of the read that is being dispatched. */
  CLOSING: 3,
  /** The handle is closed and takes nothing. */
  CLOSED: 4,
});

/**
 * Stages of the last exchange on a handle.
 *
 *     any ──request()──▶ AWAITED
 *     AWAITED ──END, end()──▶ OVER
 *     any but RETIRED ──EOF, READ_ERROR──▶ OVER
 *     any ──EOF with COMPLETES──▶ ENDED
 *     any but AWAITED ──EOF, READ_ERROR with IDLE──▶ RETIRED
 */
const exchange = Object.freeze({
  /** The handle has had no request yet. */
  NONE: 0,
  /** The handle has a request whose response is not whole. */
  AWAITED: 1,
  /** The response is whole, or nothing more will come of it. */
  OVER: 2,
  /** The end of the stream has ended a close-delimited body, which is whole by that. */
  ENDED: 3,
  /** The connection cannot carry another request: the peer has closed it or sent bytes out of turn. */
  RETIRED: 4,
});

module.exports = { exchange, life };
