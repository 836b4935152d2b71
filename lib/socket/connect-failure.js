'use strict';

/** What is made of a connection that failed, so that net.Socket tells of it as if libuv had said so. */

const { addLocalSide, connectError } = require('../node/errors');
const { event } = require('../bridge/records');

/**
 * @param {import('./native-handle').NativeHandle} handle
 * @param {number} flags
 * @param {number} errno The system's (positive) error number.
 */
function onConnectFailed(handle, flags, errno) {
  const request = handle.connectRequest;
  handle.connectRequest = null;
  if (request === null) {
    // A connection that was to replace a stale one.
    handle.socket.destroy(connectError(errno, handle.peerAddress ?? handle.peerPath, handle.peerPort));
  } else if (flags & event.AT_ONCE) {
    onRefusedAtOnce(handle, request, errno);
  } else {
    request.oncomplete(-errno, handle, request, false, false);
  }
}

/** Libuv reports these from connect() itself, and net.Socket then describes them with the local side. */
function onRefusedAtOnce(handle, request, errno) {
  const { socket } = handle;
  const local = `${handle.localAddress || (request.addressType === 6 ? '::' : '0.0.0.0')}:${handle.localPort}`;
  if (request.oncomplete.name === 'afterConnect') {
    socket.destroy(connectError(errno, request.address, request.port, local));
    return;
  }
  // One of several attempts, whose error net.Socket makes and tells.
  const describe = (address, port, family, error) => addLocalSide(error, local);
  socket.prependListener('connectionAttemptFailed', describe);
  try {
    request.oncomplete(-errno, handle, request, false, false);
  } finally {
    socket.removeListener('connectionAttemptFailed', describe);
  }
}

module.exports = { onConnectFailed };
