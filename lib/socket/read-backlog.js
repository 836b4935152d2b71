'use strict';

/**
 * What was read from a connection before the I/O thread knew that its reader had paused.
 *
 * libuv would not have read it yet, so it is kept by the handle and delivered when the reader goes on: one read at a
 * time, in turns of the event loop of their own, until the reader pauses again.
 */

const { setImmediate } = require('node:timers');

const { event, isRead } = require('../bridge/records');

/** Whether a record tells of what was read, in its order. */
function isOfStream(opcode) {
  return (opcode >= event.READ && opcode <= event.READ_ERROR) || opcode === event.RELEASED || opcode === event.BODY;
}

/** Delivers what was kept back, one read at a time, until the reader pauses again. */
function runBacklog(handle) {
  if (handle.paused || handle.silenced || handle.backlog.length === 0) return;
  try {
    handle.resource.runInAsyncScope(dispatchBacklog, null, handle);
  } finally {
    if (handle.backlog.length > 0) setImmediate(runBacklog, handle);
  }
}

function dispatchBacklog(handle) {
  const { backlog } = handle;
  handle.dispatching = true;
  try {
    do {
      const { opcode, flags, bytes } = backlog.shift();
      const words = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
      handle.dispatch(opcode, flags, bytes, words, 0, bytes.length);
    } while (backlog.length > 0 && !isRead(backlog[0].opcode, backlog[0].flags) && !handle.silenced);
  } finally {
    handle.dispatching = false;
  }
}

module.exports = { isOfStream, runBacklog };
