'use strict';

/**
 * Reads from the file of an addon what it needs of a system: in ELF (elf(5)), Mach-O (`<mach-o/loader.h>`) and PE
 * ("PE Format", Microsoft). Each is of 64 bits, and its numbers begin with their lowest byte.
 */

const fs = require('node:fs');

const { segmentsOf } = require('../../lib/ladder/elf');

/** Processors, as the headers of the three formats number them. */
const MACHINES = {
  elf: { 62: 'x64', 183: 'arm64' },
  macho: { 0x01000007: 'x64', 0x0100000c: 'arm64' },
  pe: { 0x8664: 'x64', 0xaa64: 'arm64' },
};

/** ELF: types of program headers, and tags of entries of the dynamic section. */
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_VERNEED = 0x6ffffffen;
const DT_VERNEEDNUM = 0x6fffffffn;

/** Mach-O: load commands. */
const LC_LOAD_DYLIB = 0xc;
const LC_LOAD_WEAK_DYLIB = 0x80000018;
const LC_REEXPORT_DYLIB = 0x8000001f;
const LC_VERSION_MIN_MACOSX = 0x24;
const LC_BUILD_VERSION = 0x32;
const LC_CODE_SIGNATURE = 0x1d;

/**
 * @typedef {object} AddonFile
 * @property {'elf'|'macho'|'pe'} format
 * @property {'x64'|'arm64'|undefined} arch
 * @property {string[]} libraries Names of the libraries that it needs.
 * @property {string[]} versions Versions of symbols that it needs, such as `GLIBC_2.17`. Of ELF alone.
 * @property {string|undefined} system Oldest release of the system that it runs on. Of Mach-O alone.
 * @property {boolean|undefined} isSigned Of Mach-O alone.
 */

/**
 * Reads the string that begins at an offset.
 * @param {Buffer} bytes
 * @param {number} offset
 * @returns {string}
 */
function stringAt(bytes, offset) {
  return bytes.toString('latin1', offset, bytes.indexOf(0, offset));
}

/**
 * Reads ELF.
 * @param {Buffer} bytes
 * @param {import('../../lib/ladder/elf').Segment[]} segments
 * @returns {AddonFile}
 */
function readElf(bytes, segments) {
  const offsetOf = (address) => {
    const segment = segments.find((one) => one.type === PT_LOAD && address >= one.address &&
      address < one.address + one.size);
    return address - segment.address + segment.offset;
  };

  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  const entries = Array.from({ length: dynamic.size / 16 }, (_, index) => {
    const at = dynamic.offset + index * 16;
    return { tag: bytes.readBigUInt64LE(at), value: Number(bytes.readBigUInt64LE(at + 8)) };
  });
  const valueOf = (wanted) => entries.find(({ tag }) => tag === wanted)?.value;
  const strings = offsetOf(valueOf(DT_STRTAB));

  const versions = [];
  let need = valueOf(DT_VERNEED) && offsetOf(valueOf(DT_VERNEED));
  for (let left = valueOf(DT_VERNEEDNUM) ?? 0; left > 0; left--) {
    let version = need + bytes.readUInt32LE(need + 8);
    for (let rest = bytes.readUInt16LE(need + 2); rest > 0; rest--) {
      versions.push(stringAt(bytes, strings + bytes.readUInt32LE(version + 8)));
      version += bytes.readUInt32LE(version + 12);
    }
    need += bytes.readUInt32LE(need + 12);
  }
  return {
    format: 'elf',
    arch: MACHINES.elf[bytes.readUInt16LE(0x12)],
    libraries: entries.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => stringAt(bytes, strings + value)),
    versions: [...new Set(versions)],
    system: undefined,
    isSigned: undefined,
  };
}

/**
 * Reads Mach-O.
 * @param {Buffer} bytes
 * @returns {AddonFile}
 */
function readMachO(bytes) {
  const file = {
    format: 'macho',
    arch: MACHINES.macho[bytes.readUInt32LE(4)],
    libraries: [],
    versions: [],
    system: undefined,
    isSigned: false,
  };
  let at = 32;
  for (let left = bytes.readUInt32LE(16); left > 0; left--) {
    const command = bytes.readUInt32LE(at);
    if ([LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB].includes(command)) {
      file.libraries.push(stringAt(bytes, at + bytes.readUInt32LE(at + 8)));
    } else if (command === LC_BUILD_VERSION || command === LC_VERSION_MIN_MACOSX) {
      const version = bytes.readUInt32LE(at + (command === LC_BUILD_VERSION ? 12 : 8));
      file.system = `${version >>> 16}.${(version >>> 8) & 0xff}`;
    } else if (command === LC_CODE_SIGNATURE) {
      file.isSigned = true;
    }
    at += bytes.readUInt32LE(at + 4);
  }
  return file;
}

/**
 * Reads PE.
 * @param {Buffer} bytes
 * @returns {AddonFile}
 */
function readPe(bytes) {
  const head = bytes.readUInt32LE(0x3c);
  const sections = bytes.readUInt16LE(head + 6);
  const optional = head + 24;
  const table = optional + bytes.readUInt16LE(head + 20);
  const offsetOf = (address) => {
    for (let index = 0; index < sections; index++) {
      const at = table + index * 40;
      const start = bytes.readUInt32LE(at + 12);
      if (address >= start && address < start + bytes.readUInt32LE(at + 16)) {
        return address - start + bytes.readUInt32LE(at + 20);
      }
    }
    throw new Error('an address is in no section');
  };
  const libraries = [];
  const imports = bytes.readUInt32LE(optional + 120);
  if (imports !== 0) {
    for (let at = offsetOf(imports); bytes.readUInt32LE(at + 12) !== 0; at += 20) {
      libraries.push(stringAt(bytes, offsetOf(bytes.readUInt32LE(at + 12))));
    }
  }
  return {
    format: 'pe',
    arch: MACHINES.pe[bytes.readUInt16LE(head + 4)],
    libraries,
    versions: [],
    system: undefined,
    isSigned: undefined,
  };
}

/**
 * Reads what an addon needs.
 * @param {string} file
 * @returns {AddonFile}
 * @throws {Error} If the file is of none of the three formats.
 */
function read(file) {
  const bytes = fs.readFileSync(file);
  const segments = segmentsOf(bytes);
  if (segments !== undefined) return readElf(bytes, segments);
  if (bytes.length > 32 && bytes.readUInt32LE(0) === 0xfeedfacf) return readMachO(bytes);
  if (bytes.toString('latin1', 0, 2) === 'MZ') return readPe(bytes);
  throw new Error(`${file} is no library of 64 bits in ELF, Mach-O or PE`);
}

module.exports = { read };
