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
    return path.toString('latin1').replace(/\0.*$/, '');
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
    const { size } = fs.fstatSync(descriptor);
    return segments.some((segment) => segment.offset + segment.size > size);
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
  if (head.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined;
  const table = Number(head.readBigUInt64LE(0x20));
  const entrySize = head.readUInt16LE(0x36);
  return Array.from({ length: head.readUInt16LE(0x38) }, (_, index) => {
    const at = table + index * entrySize;
    const [offset, address, size] = [8, 0x10, 0x20].map((field) => Number(head.readBigUInt64LE(at + field)));
    return { type: head.readUInt32LE(at), offset, address, size };
  });
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
