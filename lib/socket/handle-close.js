'use strict';

/** The end of a handle, and of its writing side, in a later phase of the event loop, as with libuv's. */

const { constants: { errno: { ECANCELED } } } = require('node:os');

const { setImmediate } = require('node:timers');

const { staging } = require('../bridge/bridge');
const { systemError } = require('../node/errors');
const { command } = require('../bridge/records');

/** Handles whose writing side is to be ended in the next check phase. */
let ending = [];

/**
 * Ends the writing side of a connection of which the kernel has everything. Nothing can go wrong that net.Socket would
 * look at, so nobody waits for the I/O thread to do it. A close mostly follows, and is one system call with it.
 *
 * @param {import('./native-handle').NativeHandle} handle
 */
function shutdownSoon(handle) {
  if (ending.push(handle) === 1) setImmediate(shutdownAll);
}

/** All in one callback: their commands, and those of the closes that follow, go out with one doorbell. */
function shutdownAll() {
  const handles = ending;
  ending = [];
  let next = 0;
  try {
    while (next < handles.length) finishShutdown(handles[next++]);
  } finally {
    // A listener has thrown; the others have their turn all the same.
    for (; next < handles.length; next++) shutdownSoon(handles[next]);
  }
}

function finishShutdown(handle) {
  // Otherwise it is called off, by `finishClose`.
  if (handle.closed) return;
  staging.send(command.SHUTDOWN, handle.id);
  handle.resource.runInAsyncScope(onShutdown, null, handle, 0);
}

/**
 * @param {import('./native-handle').NativeHandle} handle
 * @param {number} errno The system's (positive) error number, or 0.
 */
function onShutdown(handle, errno) {
  const request = handle.shutdownRequest;
  handle.shutdownRequest = null;
  request?.oncomplete(-errno);
}

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

module.exports = { finishClose, onShutdown, shutdownSoon };
