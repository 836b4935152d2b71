'use strict';

/** Makes ELF files, of which no more is there than what ferrequest reads. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { cleanUp } = require('./cleanup');

/** Makes an ELF file of 64 bits whose second program header, if any, names a dynamic loader. */
function program(loader) {
  const head = Buffer.alloc(64 + 2 * 56);
  head.write('\x7fELF\x02\x01\x01', 'latin1');
  head.writeBigUInt64LE(64n, 0x20);
  head.writeUInt16LE(56, 0x36);
  head.writeUInt16LE(2, 0x38);
  head.writeUInt32LE(1, 64);
  head.writeUInt32LE(loader === undefined ? 1 : 3, 64 + 56);
  head.writeBigUInt64LE(8192n, 64 + 56 + 8);
  const name = Buffer.from(`${loader}\0`);
  head.writeBigUInt64LE(BigInt(name.length), 64 + 56 + 0x20);
  // Behind what is read first, where patchelf puts it.
  return Buffer.concat([head, Buffer.alloc(8192 - head.length), name]);
}

/** Writes a program to a file that is removed after the test. */
function write(bytes) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-elf-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'program');
  fs.writeFileSync(file, bytes);
  return file;
}

module.exports = { program, write };
