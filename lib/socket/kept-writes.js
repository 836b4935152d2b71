'use strict';

/**
 * What a request has written before it had a socket: header block, pieces of the body and their chunk lines mostly go
 * out together, in one record instead of one for each write.
 */

const { STAGED_WRITE_LIMIT, staging } = require('../bridge/bridge');
const { ASK_AFTER } = require('./write-window');

/** Longer ones go out write by write: the staging buffer is twice as large. */
const LONGEST = 32 * 1024;

/**
 * @typedef {{ data: string|Uint8Array, encoding: string|null|undefined, callback: Function|null|undefined }} Write
 * As OutgoingMessage keeps it.
 */

/**
 * @param {Write[]} writes
 * @returns {number} How many bytes they can be; -1 if they are not to go into one record.
 */
function mostBytesOf(writes) {
  let most = 0;
  for (const { data, encoding } of writes) {
    if (data.length > STAGED_WRITE_LIMIT) return -1;
    if (typeof data !== 'string' || encoding === 'latin1') most += data.length;
    else if (encoding === 'utf8' || encoding === undefined || encoding === null) most += data.length * 3;
    else return -1;
  }
  return most <= LONGEST ? most : -1;
}

/**
 * Sends them, if the callback of none has to wait for the kernel.
 * @param {import('./native-handle').NativeHandle} handle
 * @param {Write[]} writes
 * @returns {boolean} Whether it has.
 */
function sendKeptWrites(handle, writes) {
  const most = mostBytesOf(writes);
  if (most === -1 || handle.isBehind(most)) return false;
  const ask = handle.bytesWritten - handle.lastRequested + most > ASK_AFTER;
  handle.bytesWritten += staging.sendWrites(handle.connection, writes, most, ask);
  if (ask) handle.lastRequested = handle.bytesWritten;
  return true;
}

module.exports = { sendKeptWrites };
