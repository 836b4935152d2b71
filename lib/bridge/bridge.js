'use strict';

/**
 * The staging buffer, the doorbell and the draining of completions: the only file that loads the addon.
 *
 * Commands are appended to one buffer and handed to the I/O thread once a tick. Events come back in pages; each is
 * given to the handle of its connection in the async context of that connection.
 */

const { AsyncResource } = require('node:async_hooks');
const { setImmediate } = require('node:timers');

const atExit = require('./at-exit');
const { BodyBuffers } = require('./body-buffers');
const counters = require('./counters');
const liveness = require('./liveness');
const { HEADER_SIZE, command, event, isRead } = require('./records');
const { runTicks } = require('../node/internals');

const addon = require('../../binding');

/** Size of the staging buffer; also the largest write that goes through it is an eighth of this. */
const STAGING_SIZE = 64 * 1024;
const STAGED_WRITE_LIMIT = STAGING_SIZE / 8;
/** So many bytes of larger writes are worth waking the I/O thread before the tick ends. */
const RING_AT = 256 * 1024;
/** No kernel takes a longer address or path, so what is cut off one does not matter: it fails all the same. */
const LONGEST_ADDRESS = 4096;
/** Size of the memory that events are copied into: what a fast body comes in fits. */
const ROOM_SIZE = 320 * 1024;
/** For so many milliseconds at most does the end of the process wait for a kernel that takes no more. */
const SETTLE_FOR = 100;
/** Ticks in a row between two reads of a connection, whose commands wait for those of the next ones. */
const TICKS_A_BATCH = 8;
/** Drains in a row before timers and other I/O of the process get their turn. */
const DRAINS_A_TURN = 8;
/**
 * Reads dispatched before ticks run, as with libuv they do after each: what these stage is on its way while the rest of
 * the batch is dispatched, so that both threads work at the same time.
 */
const GROUPS_A_TURN = 16;

const staging = Buffer.allocUnsafeSlow(STAGING_SIZE);
const stagingWords = new Int32Array(staging.buffer);
let staged = 0;
let doorbellDue = false;
/** Bytes of larger writes that the I/O thread has, but has not been woken for. */
let left = 0;
/** Events are being dispatched, and how many ticks have staged something meanwhile that has not gone out. */
let draining = false;
let waitingTicks = 0;
const resolved = Promise.resolve();

/** The memory that pages are copied into, again and again. */
let room = Buffer.alloc(0);
let roomWords = new Int32Array(0);
/** Where the records are that are dispatched: the room, or the memory of a page that is larger. */
let slab = room;
let slabWords = roomWords;
/** Records between these two offsets of the slab are still to be dispatched. */
let cursor = 0;
let limit = 0;
/** Counts the times at which ticks have run; see `dispatchGroup`. */
let turn = 0;

/** @type {InstanceType<addon.Bridge>|null} Made by the first connection: importing must start nothing. */
let native = null;
/** @type {BodyBuffers|null} */
let bodies = null;
/** Handles by connection id. */
const handles = [];
const freeIds = [];
/** How many there are. */
let open = 0;

/** Makes the bridge. It serves the requests of all domains, and must not stay in the one of the first. */
function start() {
  const { domain } = process;
  if (domain) process.domain = null;
  let made;
  try {
    made = new addon.Bridge(onEvents);
  } finally {
    if (domain) process.domain = domain;
  }
  // An async hook that is told of it may have made a request, and so another bridge.
  if (native !== null) return;
  native = made;
  bodies = new BodyBuffers(native);
  room = Buffer.allocUnsafeSlow(ROOM_SIZE);
  roomWords = new Int32Array(room.buffer);
}

/**
 * Gives a handle its connection id.
 * @param {import('../socket/native-handle').NativeHandle} handle
 * @returns {number}
 */
function attach(handle) {
  if (native === null) start();
  if (open++ === 0) {
    native.keep(true);
    atExit.add(settle);
  }
  const id = freeIds.length > 0 ? freeIds.pop() : handles.length;
  handles[id] = handle;
  return id;
}

/**
 * Makes room for a record and stages its header.
 * @param {number} opcode
 * @param {number} flags
 * @param {number} id
 * @param {number} length Bytes of the payload.
 * @returns {number} Where the payload goes.
 */
function stage(opcode, flags, id, length) {
  const size = HEADER_SIZE + ((length + 3) & ~3);
  if (staged + size > STAGING_SIZE) ringDoorbell();
  const word = staged >> 2;
  stagingWords[word] = opcode | (flags << 8);
  stagingWords[word + 1] = id;
  stagingWords[word + 2] = length;
  const payload = staged + HEADER_SIZE;
  staged += size;
  scheduleDoorbell();
  return payload;
}

/** Within a drain ticks run between two reads of each connection: a doorbell for each would be one a request. */
function onTickEnd() {
  doorbellDue = false;
  if (!draining || ++waitingTicks >= TICKS_A_BATCH) ringDoorbell();
}

/** Hands everything staged to the I/O thread. */
function ringDoorbell() {
  doorbellDue = false;
  waitingTicks = 0;
  if (staged > 0) {
    const length = staged;
    staged = 0;
    native.doorbell(staging, length);
  }
  if (left > 0) {
    left = 0;
    native?.ring();
  }
}

/** Rings in time. */
function scheduleDoorbell() {
  if (doorbellDue) return;
  doorbellDue = true;
  // A promise job runs when the nextTick queue is empty, so what all callbacks of this tick stage goes out
  // in one piece.
  resolved.then(onTickEnd);
}

/**
 * Stages a command without payload.
 * @param {number} opcode
 * @param {number} id
 * @param {number} [flags]
 */
function send(opcode, id, flags = 0) {
  stage(opcode, flags, id, 0);
}

/**
 * Stages a command with a payload of numbers.
 * @param {number} opcode
 * @param {number} id
 * @param {number} flags
 * @param {...number} numbers Each an int32 or uint32.
 */
function sendNumbers(opcode, id, flags, ...numbers) {
  let word = stage(opcode, flags, id, numbers.length * 4) >> 2;
  for (const number of numbers) stagingWords[word++] = number;
}

/**
 * Arms the decoder of a connection for the response to a request.
 * @param {number} id
 * @param {number} flags
 * @param {number} maxHeaderSize
 * @param {number} llhttp
 */
function sendRequest(id, flags, maxHeaderSize, llhttp) {
  const word = stage(command.REQUEST, flags, id, 8) >> 2;
  stagingWords[word] = maxHeaderSize;
  stagingWords[word + 1] = llhttp;
  counters.requests++;
}

/**
 * Starts connecting.
 * @param {number} id
 * @param {string} address A numeric address.
 * @param {number} port
 * @param {number} bound Descriptor of a bound socket, or -1.
 */
function sendConnect(id, address, port, bound) {
  address = address.slice(0, LONGEST_ADDRESS);
  const at = stage(command.CONNECT_TCP, 0, id, 8 + address.length);
  stagingWords[at >> 2] = port;
  stagingWords[(at >> 2) + 1] = bound;
  staging.latin1Write(address, at + 8);
}

/**
 * Starts connecting to a Unix domain socket.
 * @param {number} id
 * @param {string} path
 */
function sendConnectUnix(id, path) {
  const bytes = Buffer.from(path).subarray(0, LONGEST_ADDRESS);
  bytes.copy(staging, stage(command.CONNECT_UNIX, 0, id, bytes.length));
}

/**
 * Sends bytes. They are copied before this returns: the caller may change them at once.
 * @param {number} id
 * @param {string|Uint8Array} data
 * @param {string} encoding Of a string.
 * @param {boolean} acknowledge Whether a WRITTEN event is wanted.
 * @returns {number} How many bytes.
 */
function sendWrite(id, data, encoding, acknowledge) {
  const flags = acknowledge ? command.ACKNOWLEDGE : 0;
  if (typeof data === 'string') {
    if (data.length <= STAGED_WRITE_LIMIT && (encoding === 'latin1' || encoding === 'binary')) {
      staging.latin1Write(data, stage(command.WRITE, flags, id, data.length));
      return data.length;
    }
    data = Buffer.from(data, encoding);
  }
  const { length } = data;
  // Also that of a buffer that was detached since it was written: there are no bytes any more.
  if (length === 0) {
    // Whoever asks waits for the answer, which is about what was written before.
    if (acknowledge) stage(command.WRITE, flags, id, 0);
    return 0;
  }
  if (length <= STAGED_WRITE_LIMIT) {
    staging.set(data, stage(command.WRITE, flags, id, length));
  } else {
    // In order behind what is staged, and without the detour through the staging buffer.
    if (staged > 0) ringDoorbell();
    native.write(id, data, acknowledge);
    left += length;
    // While a stream is written, the kernel can have its beginning before the tick ends.
    if (left >= RING_AT) ringDoorbell();
    else scheduleDoorbell();
  }
  return length;
}

/**
 * Sends the bytes of several writes as one.
 * @param {number} id
 * @param {{ data: string|Uint8Array, encoding: string|null|undefined }[]} writes
 * @param {number} most So many bytes they can be; less than fit into the staging buffer.
 * @param {boolean} acknowledge Whether a WRITTEN event is wanted.
 * @returns {number} How many bytes.
 */
function sendWrites(id, writes, most, acknowledge) {
  const start = stage(command.WRITE, acknowledge ? command.ACKNOWLEDGE : 0, id, most);
  let end = start;
  for (const { data, encoding } of writes) {
    if (typeof data === 'string') {
      end += encoding === 'latin1' ? staging.latin1Write(data, end) : staging.utf8Write(data, end);
    } else if (data.length > 0) {
      staging.set(data, end);
      end += data.length;
    }
  }
  // A string may have been shorter than it could be.
  stagingWords[(start >> 2) - 1] = end - start;
  staged = end === start ? start - HEADER_SIZE : (end + 3) & ~3;
  return end - start;
}

/**
 * Asks the I/O thread where a connection that is on its way comes from.
 * @param {import('../socket/native-handle').NativeHandle} handle
 */
function askLocalAddress(handle) {
  ringDoorbell();
  const local = native.localAddress(handle.id);
  if (local) Object.assign(handle, { localAddress: local.address, localPort: local.port });
}

/**
 * Takes the descriptor of a connection that the I/O thread has released.
 * @param {number} id
 * @returns {number}
 */
function takeDescriptor(id) {
  return native.takeDescriptor(id);
}

/** Called by the addon when there are events; also by itself, to go on after an exception. */
function onEvents() {
  let finished = false;
  draining = true;
  try {
    finished = drain();
  } finally {
    draining = false;
    // What no tick will hand over any more; what the last group has staged goes out with its own tick.
    if (!doorbellDue) ringDoorbell();
    // A listener has thrown, or others have to have their turn: nothing that was queued may be lost.
    if (!finished) setImmediate(onEvents);
  }
}

/**
 * Takes and dispatches what is queued.
 * @returns {boolean} Whether the queue is empty.
 */
function drain() {
  let groups = 0;
  for (let i = 0; i < DRAINS_A_TURN; i++) {
    while (cursor < limit) {
      if (!dispatchGroup()) return false;
      if (++groups % GROUPS_A_TURN === 0 && runTicks !== undefined) {
        turn++;
        runTicks();
        ringDoorbell();
      }
    }
    if (native === null) return true;
    const copied = native.drain(room);
    if (copied === 0) return true;
    counters.drains++;
    if (copied < 0) {
      drainLarge(-copied);
      continue;
    }
    slab = room;
    slabWords = roomWords;
    cursor = 0;
    limit = copied;
  }
  return false;
}

/**
 * Takes a page that does not fit into the room, into memory of its own.
 * @param {number} size Of the page.
 */
function drainLarge(size) {
  slab = Buffer.allocUnsafeSlow(size);
  slabWords = new Int32Array(slab.buffer);
  cursor = 0;
  limit = native.drain(slab);
}

/**
 * Dispatches the records of one connection up to its next read.
 * @returns {boolean} False if ticks have to run first, and only the event loop can run them.
 */
function dispatchGroup() {
  const word = cursor >> 2;
  const id = slabWords[word + 1];
  const handle = handles[id];
  if (handle === undefined) {
    if ((slabWords[word] & 0xff) === event.BODY) bodies.drop(slabWords[word + 3]);
    cursor = recordEnd(cursor);
    if (id === -1) failAll();
    return true;
  }
  if (isRead(slabWords[word] & 0xff, slabWords[word] >>> 8)) {
    // Node delivers two reads of a connection in two turns of the event loop. Here they may come in one batch,
    // so what the first made due runs before the second is dispatched.
    if (handle.lastTurn === turn) {
      turn++;
      if (runTicks === undefined) return false;
      runTicks();
      return true;
    }
  }
  // Also what is no read (the kernel has taken a write, the connection stands) is a turn of its own before one.
  handle.lastTurn = turn;
  handle.resource.runInAsyncScope(dispatchRecords, null, handle, id);
  return true;
}

/**
 * @param {import('../socket/native-handle').NativeHandle} handle
 * @param {number} id
 */
function dispatchRecords(handle, id) {
  handle.dispatching = true;
  try {
    do {
      const word = cursor >> 2;
      const start = cursor + HEADER_SIZE;
      const length = slabWords[word + 2];
      // Moved on first: should a listener throw, the next record is the next one.
      cursor = start + ((length + 3) & ~3);
      counters.records++;
      const opcode = slabWords[word] & 0xff;
      if (opcode === event.BODY) {
        const chunk = bodies.take(slabWords[word + 3], slabWords[word + 4]);
        handle.onRecord(opcode, 0, chunk, slabWords, 0, chunk.length);
        continue;
      }
      if (opcode === event.DATA) bodies.prepare(length);
      handle.onRecord(opcode, slabWords[word] >>> 8, slab, slabWords, start, start + length);
    } while (cursor < limit && slabWords[(cursor >> 2) + 1] === id && handles[id] === handle &&
             !isRead(slabWords[cursor >> 2] & 0xff, slabWords[cursor >> 2] >>> 8));
  } finally {
    handle.dispatching = false;
  }
}

/** Where the record after the one at `offset` starts. */
function recordEnd(offset) {
  return offset + HEADER_SIZE + ((slabWords[(offset >> 2) + 2] + 3) & ~3);
}

/**
 * Forgets a handle; its id may be used again.
 * @param {number} id
 */
function detach(id) {
  handles[id] = undefined;
  freeIds.push(id);
  if (--open === 0) {
    bodies.release();
    native.keep(false);
    atExit.remove(settle);
  }
}

/** No request is in progress. */
function rest() {
  bodies.release();
}

/** Bytes of which a write has said that they are out must be, also if the process exits in the next moment. */
function settle() {
  ringDoorbell();
  native?.settle(SETTLE_FOR);
}

/** The I/O thread is lost: every connection on it fails, and the next one gets a new thread. */
function failAll() {
  const lost = native;
  native = null;
  staged = 0;
  left = 0;
  freeIds.length = 0;
  for (const handle of handles.splice(0)) {
    if (handle === undefined) continue;
    // Nobody is there any more who could be told that it closes.
    handle.id = -1;
    handle.resource.runInAsyncScope(handle.onFailed, handle);
  }
  liveness.stopHolding();
  if (open > 0) {
    lost.keep(false);
    atExit.remove(settle);
  }
  lost.abandon();
  open = 0;
}

/** @returns {object|undefined} What the I/O thread counts; nothing before the first connection. */
function ioThreadCounters() {
  return native?.counters();
}

module.exports = {
  AsyncResource,
  GROUPS_A_TURN,
  STAGED_WRITE_LIMIT,
  StreamDecoder: addon.StreamDecoder,
  askLocalAddress,
  attach,
  bindSocket: addon.bindSocket,
  closeDescriptor: addon.closeDescriptor,
  ioThreadCounters,
  detach,
  hold: (change) => liveness.hold(native, change, rest),
  recordLayout: addon.recordLayout,
  ringDoorbell,
  send,
  sendConnect,
  sendConnectUnix,
  sendNumbers,
  sendRequest,
  sendWrite,
  sendWrites,
  takeDescriptor,
};
