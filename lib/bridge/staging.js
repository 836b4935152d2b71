'use strict';

/**
 * Staging of commands: JavaScript appends them to one buffer, and a doorbell hands them to the I/O thread once a tick.
 */

const counters = require('./counters');
const handover = require('./handover');
const { HEADER_SIZE, command } = require('./records');
const { nextTick, queueJob } = require('../node/timing');

/** Bytes of the staging buffer. A full one rings the doorbell before the tick ends. */
const STAGING_SIZE = 64 * 1024;
/** Bytes of the largest write that goes through the staging buffer; a larger one goes around it. */
const STAGED_WRITE_LIMIT = STAGING_SIZE / 8;
/** Bytes of larger writes that wake the I/O thread before the tick ends. */
const RING_AT = 256 * 1024;
/** Bytes of an address or a path that are staged. No kernel takes a longer one, so a cut one fails all the same. */
const LONGEST_ADDRESS = 4096;
/** Ticks within a drain that share one doorbell. */
const TICKS_A_BATCH = 8;

class Staging {
  constructor() {
    /** @type {InstanceType<import('../../binding').Bridge>|null} The addon's half; null without an I/O thread. */
    this.native = null;
    this.buffer = Buffer.allocUnsafeSlow(STAGING_SIZE);
    /** The same memory. */
    this.words = new Int32Array(this.buffer.buffer);
    /** Bytes that are staged: the next record starts there. */
    this.length = 0;
    /** Bytes of larger writes that wait for the next ring. */
    this.unannounced = 0;
    /** A promise job that ends the tick is queued. */
    this.isTickEndDue = false;
    /** Ticks may share a doorbell, because a drain runs them and rings when it ends. */
    this.gathersTicks = false;
    /** The I/O thread must have what is staged at the end of this tick. */
    this.isUrgent = false;
    /** Users come before the doorbell, with all their ticks and promise jobs. */
    this.awaitsUsers = false;
    /** Ticks since the last doorbell that have staged something. */
    this.gatheredTicks = 0;
    this.onTickEnd = () => this.endTick();
  }

  /**
   * Makes room for a record and stages its header.
   * @param {number} opcode
   * @param {number} flags
   * @param {number} id
   * @param {number} length Bytes of the payload.
   * @returns {number} Offset of the payload.
   */
  stage(opcode, flags, id, length) {
    const size = HEADER_SIZE + ((length + 3) & ~3);
    if (this.length + size > STAGING_SIZE) this.ringDoorbell();
    const start = this.length;
    const word = start >> 2;
    const { words } = this;
    words[word] = opcode | (flags << 8);
    words[word + 1] = id;
    words[word + 2] = length;
    this.length = start + size;
    this.scheduleDoorbell();
    return start + HEADER_SIZE;
  }

  /** Makes the doorbell ring at the end of the tick. */
  scheduleDoorbell() {
    if (this.isTickEndDue) return;
    this.isTickEndDue = true;
    // A promise job runs when the nextTick queue is empty, so what all callbacks of this tick stage goes out
    // in one piece.
    queueJob(this.onTickEnd);
  }

  /** Rings, except within a drain: ticks run between two reads of each connection there, and would each ring. */
  endTick() {
    if (this.awaitsUsers) {
      this.awaitsUsers = false;
      nextTick(queueJob, this.onTickEnd);
      return;
    }
    this.isTickEndDue = false;
    if (!this.gathersTicks || this.isUrgent || ++this.gatheredTicks >= TICKS_A_BATCH) this.ringDoorbell();
  }

  /**
   * Makes the doorbell ring at the end of this tick, also within a drain.
   * @param {boolean} [awaitsUsers] Users may hear of something in other ticks and promise jobs, and come before.
   */
  hurry(awaitsUsers = false) {
    this.isUrgent = true;
    this.awaitsUsers ||= awaitsUsers;
  }

  /** Lets ticks share a doorbell from now on. */
  beginDrain() {
    this.gathersTicks = true;
  }

  /** Hands over what no tick will hand over any more; the commands of the last group go out with their own tick. */
  endDrain() {
    this.gathersTicks = false;
    if (!this.isTickEndDue) this.ringDoorbell();
  }

  /** Hands everything staged to the I/O thread. */
  ringDoorbell() {
    this.isTickEndDue = false;
    this.isUrgent = false;
    this.awaitsUsers = false;
    this.gatheredTicks = 0;
    if (this.length > 0) {
      const { length } = this;
      this.length = 0;
      handover.onDoorbell();
      this.native.doorbell(this.buffer, length);
    }
    if (this.unannounced > 0) {
      this.unannounced = 0;
      this.native?.ring();
    }
  }

  /** Forgets what is staged: the I/O thread is lost. */
  abandon() {
    this.native = null;
    this.length = 0;
    this.unannounced = 0;
  }

  /**
   * Stages a command without payload.
   * @param {number} opcode
   * @param {number} id
   * @param {number} [flags]
   */
  send(opcode, id, flags = 0) {
    this.stage(opcode, flags, id, 0);
  }

  /**
   * Stages a command with a payload of numbers.
   * @param {number} opcode
   * @param {number} id
   * @param {number} flags
   * @param {...number} numbers Each an int32 or uint32.
   */
  sendNumbers(opcode, id, flags, ...numbers) {
    let word = this.stage(opcode, flags, id, numbers.length * 4) >> 2;
    for (const number of numbers) this.words[word++] = number;
  }

  /**
   * Arms the decoder of a connection for the response to a request.
   * @param {number} id
   * @param {number} flags
   * @param {number} maxHeaderSize
   * @param {number} llhttp
   */
  sendRequest(id, flags, maxHeaderSize, llhttp) {
    const word = this.stage(command.REQUEST, flags, id, 8) >> 2;
    this.words[word] = maxHeaderSize;
    this.words[word + 1] = llhttp;
    counters.requests++;
  }

  /**
   * Starts connecting.
   * @param {number} id
   * @param {string} address A numeric address.
   * @param {number} port
   * @param {number} descriptor Of a socket that is bound or, with the flag STARTED, connects already; or -1.
   * @param {number} flags
   */
  sendConnect(id, address, port, descriptor, flags) {
    address = address.slice(0, LONGEST_ADDRESS);
    const start = this.stage(command.CONNECT_TCP, flags, id, 8 + address.length);
    this.words[start >> 2] = port;
    this.words[(start >> 2) + 1] = descriptor;
    this.buffer.latin1Write(address, start + 8);
  }

  /**
   * Starts connecting to a Unix domain socket.
   * @param {number} id
   * @param {string} path
   */
  sendConnectUnix(id, path) {
    const bytes = Buffer.from(path).subarray(0, LONGEST_ADDRESS);
    bytes.copy(this.buffer, this.stage(command.CONNECT_UNIX, 0, id, bytes.length));
  }

  /**
   * Hands over a connection that libuv has made.
   * @param {number} id
   * @param {number} descriptor A duplicate of libuv's.
   * @param {string} place Numeric address of the peer, or the path of a Unix domain socket.
   * @param {number} [port] Undefined for a Unix domain socket.
   */
  sendAdopt(id, descriptor, place, port = 0) {
    const bytes = Buffer.from(place).subarray(0, LONGEST_ADDRESS);
    const start = this.stage(command.ADOPT, 0, id, 8 + bytes.length);
    this.words[start >> 2] = descriptor;
    this.words[(start >> 2) + 1] = port;
    bytes.copy(this.buffer, start + 8);
  }

  /**
   * Sends bytes. They are copied before this returns: the caller may change them at once.
   * @param {number} id
   * @param {string|Uint8Array} data
   * @param {string} encoding Of a string.
   * @param {boolean} acknowledge The I/O thread answers by a WRITTEN event.
   * @returns {number} Bytes that were sent.
   */
  sendWrite(id, data, encoding, acknowledge) {
    const flags = acknowledge ? command.ACKNOWLEDGE : 0;
    if (typeof data === 'string') {
      if (data.length <= STAGED_WRITE_LIMIT && (encoding === 'latin1' || encoding === 'binary')) {
        this.buffer.latin1Write(data, this.stage(command.WRITE, flags, id, data.length));
        return data.length;
      }
      data = Buffer.from(data, encoding);
    }
    const { length } = data;
    // Also that of a buffer that was detached since it was written: there are no bytes any more.
    if (length === 0) {
      // The answer that the caller waits for is about what was written before.
      if (acknowledge) this.stage(command.WRITE, flags, id, 0);
      return 0;
    }
    if (length <= STAGED_WRITE_LIMIT) this.buffer.set(data, this.stage(command.WRITE, flags, id, length));
    else this.sendLargeWrite(id, data, acknowledge);
    return length;
  }

  /**
   * Sends bytes in order behind what is staged, and without the detour through the staging buffer.
   * @param {number} id
   * @param {Uint8Array} data
   * @param {boolean} acknowledge The I/O thread answers by a WRITTEN event.
   */
  sendLargeWrite(id, data, acknowledge) {
    const { length } = this;
    this.length = 0;
    if (length > 0) handover.onDoorbell();
    this.native.write(id, data, acknowledge, this.buffer, length);
    this.unannounced += data.length;
    // While a stream is written, the kernel can have its beginning before the tick ends.
    if (this.unannounced >= RING_AT) this.ringDoorbell();
    else this.scheduleDoorbell();
  }

  /**
   * Sends the bytes of several writes as one.
   * @param {number} id
   * @param {{ data: string|Uint8Array, encoding: string|null|undefined }[]} writes
   * @param {number} most Upper bound of their bytes; less than fit into the staging buffer.
   * @param {boolean} acknowledge The I/O thread answers by a WRITTEN event.
   * @returns {number} Bytes that were sent.
   */
  sendWrites(id, writes, most, acknowledge) {
    const start = this.stage(command.WRITE, acknowledge ? command.ACKNOWLEDGE : 0, id, most);
    const { buffer } = this;
    let end = start;
    for (const { data, encoding } of writes) {
      if (typeof data === 'string') {
        end += encoding === 'latin1' ? buffer.latin1Write(data, end) : buffer.utf8Write(data, end);
      } else if (data.length > 0) {
        buffer.set(data, end);
        end += data.length;
      }
    }
    // A string may have been shorter than it could be.
    this.words[(start >> 2) - 1] = end - start;
    this.length = end === start ? start - HEADER_SIZE : (end + 3) & ~3;
    return end - start;
  }
}

module.exports = { STAGED_WRITE_LIMIT, Staging };
