'use strict';

/** The end of a handle, in the phase of the event loop in which libuv closes its own. */

const { constants: { errno: { ECANCELED } } } = require('node:os');

const { systemError } = require('./errors');

/**
 * Runs in the check phase after `end`.
 * @param {import('./native-handle').NativeHandle} handle
 * @param {(() => void)|undefined} callback
 */
function finishClose(handle, callback) {
  const pending = handle.takePendingWrites();
  const { connectRequest, shutdownRequest } = handle;
  handle.connectRequest = handle.shutdownRequest = null;
  handle.resource.runInAsyncScope(() => {
    // Taken away where net.Socket has given up on an attempt.
    connectRequest?.oncomplete?.(-ECANCELED, handle, connectRequest, false, false);
    for (const write of pending) {
      if (typeof write === 'function') write(systemError(ECANCELED, 'write'));
    }
    shutdownRequest?.oncomplete(-ECANCELED);
    callback?.();
  });
  handle.resource.emitDestroy();
}

module.exports = { finishClose };
