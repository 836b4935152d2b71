'use strict';

/**
 * Finds the C library of the process, which decides on Linux which build of the addon can load.
 *
 * The program names its dynamic loader, and that is one of the C library. Reading the name takes a tenth of a
 * millisecond; a diagnostic report takes 5, and before Node 20.13 it looks up the names of all peers too.
 */

const fs = require('node:fs');

/** Bytes that are read for the header of an ELF file and its program headers. */
const HEAD_SIZE = 4096;
/** Type of the program header that names the dynamic loader (elf(5), PT_INTERP). */
const PT_INTERP = 3;
/** Most bytes of the path of a dynamic loader. */
const PATH_MAX = 4096;

/**
 * Finds the C library of the process.
 * @returns {'glibc'|'musl'|undefined} Undefined on a system with a single one, and where it is neither.
 */
function libcFamily() {
  if (process.platform !== 'linux') return undefined;
  const loader = dynamicLoader(process.execPath);
  if (loader !== undefined) {
    if (/musl/.test(loader)) return 'musl';
    if (/\/ld(?:-linux[^/]*|64)\.so/.test(loader)) return 'glibc';
  }
  const header = reportHeader();
  if (header === undefined) return undefined;
  return header.glibcVersionRuntime ? 'glibc' : 'musl';
}

/**
 * Finds the version of the GNU C library that the process runs with.
 * @returns {string|undefined} Such as `2.36`; undefined with another C library.
 */
function glibcVersion() {
  if (process.platform !== 'linux') return undefined;
  const header = reportHeader();
  return header && header.glibcVersionRuntime;
}

/**
 * Reads the path of the dynamic loader from a program.
 * @param {string} file An ELF file of 64 bits, whose numbers begin with their lowest byte.
 * @returns {string|undefined} Undefined if the file cannot be read, or names none.
 */
function dynamicLoader(file) {
  let descriptor;
  try {
    descriptor = fs.openSync(file, 'r');
    const head = readAt(descriptor, 0, HEAD_SIZE);
    if (head.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined;
    const table = Number(head.readBigUInt64LE(0x20));
    const size = head.readUInt16LE(0x36);
    const count = head.readUInt16LE(0x38);
    for (let at = table; at < table + size * count; at += size) {
      if (head.readUInt32LE(at) !== PT_INTERP) continue;
      const length = Math.min(Number(head.readBigUInt64LE(at + 0x20)), PATH_MAX);
      return readAt(descriptor, Number(head.readBigUInt64LE(at + 8)), length).toString('latin1').replace(/\0.*$/, '');
    }
  } catch (_error) {
    // A permission model may forbid it, and a file may be cut.
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
  return undefined;
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

/**
 * Makes a diagnostic report without the parts that take long.
 * @returns {{ glibcVersionRuntime?: string }|undefined} Undefined where there are no reports.
 */
function reportHeader() {
  const { report } = process;
  if (!report || typeof report.getReport !== 'function') return undefined;
  const { excludeNetwork } = report;
  try {
    report.excludeNetwork = true;
    const made = report.getReport();
    return (typeof made === 'string' ? JSON.parse(made) : made).header;
  } catch (_error) {
    return undefined;
  } finally {
    if (excludeNetwork === undefined) delete report.excludeNetwork;
    else report.excludeNetwork = excludeNetwork;
  }
}

module.exports = { dynamicLoader, glibcVersion, libcFamily };
