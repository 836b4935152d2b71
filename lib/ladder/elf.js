'use strict';

/** Reads the program headers of ELF files (elf(5)): of the program that runs, and of an addon before it is loaded. */

const fs = require('node:fs');

/** Bytes that are read for the header of a file and its program headers. */
const HEAD_SIZE = 4096;
/** Type of the program header that names the dynamic loader. */
const PT_INTERP = 3;
/** Most bytes of the path of a dynamic loader. */
const PATH_MAX = 4096;

/**
 * Reads the path of the dynamic loader from a program.
 * @param {string} file
 * @returns {string|undefined} Undefined if the file cannot be read, or names none.
 */
function dynamicLoader(file) {
  return readSegments(file, (segments, descriptor) => {
    const named = segments.find(({ type }) => type === PT_INTERP);
    if (named === undefined) return undefined;
    const path = readAt(descriptor, named.offset, Math.min(named.size, PATH_MAX));
    const end = path.indexOf(0);
    return path.latin1Slice(0, end === -1 ? path.length : end);
  });
}

/**
 * Tells whether a file ends before its last segment does. The dynamic loader of Linux does not look: it maps what is
 * not there, and SIGBUS ends the process.
 * @param {string} file
 * @returns {boolean} False for a file that cannot be read, or is none of ELF.
 */
function isCut(file) {
  return readSegments(file, (segments, descriptor) => {
    const end = Math.max(0, ...segments.map(({ offset, size }) => offset + size));
    // Reading the last byte takes less time than asking for the size of the file.
    return end > 0 && (end > Number.MAX_SAFE_INTEGER || readAt(descriptor, end - 1, 1).length === 0);
  }) === true;
}

/**
 * @typedef {object} Segment
 * @property {number} type
 * @property {number} offset In the file.
 * @property {number} address In memory.
 * @property {number} size Bytes in the file.
 */

/**
 * Reads program headers.
 * @param {Buffer} head Beginning of a file, with the headers.
 * @returns {Segment[]|undefined} Undefined if it is none of ELF with 64 bits and the lowest byte of a number first.
 */
function segmentsOf(head) {
  if (head.length < 0x40 || head.latin1Slice(0, 6) !== '\x7fELF\x02\x01') return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const entrySize = view.getUint16(0x36, true);
  const segments = [];
  let at = numberAt(view, 0x20);
  for (let left = view.getUint16(0x38, true); left > 0; left--) {
    segments.push({
      type: view.getUint32(at, true),
      offset: numberAt(view, at + 8),
      address: numberAt(view, at + 0x10),
      size: numberAt(view, at + 0x20),
    });
    at += entrySize;
  }
  return segments;
}

/** Reads a number of 64 bits; as two of 32, because a BigInt takes longer. */
function numberAt(view, at) {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/**
 * Reads the program headers of a file.
 * @template T
 * @param {string} file One of 64 bits, whose numbers begin with their lowest byte.
 * @param {(segments: Segment[], descriptor: number) => T} use
 * @returns {T|undefined} What `use` makes of them; undefined if the file has none, or cannot be read.
 */
function readSegments(file, use) {
  let descriptor;
  try {
    descriptor = fs.openSync(file, 'r');
    const segments = segmentsOf(readAt(descriptor, 0, HEAD_SIZE));
    return segments && use(segments, descriptor);
  } catch (_error) {
    // A permission model may forbid it, and a head may be cut.
    return undefined;
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/**
 * Reads a part of a file.
 * @param {number} descriptor
 * @param {number} position
 * @param {number} length
 * @returns {Buffer}
 */
function readAt(descriptor, position, length) {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, fs.readSync(descriptor, bytes, 0, length, position));
}

module.exports = { dynamicLoader, isCut, segmentsOf };
