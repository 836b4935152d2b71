'use strict';

/** The C library of a process is that of its dynamic loader, which the program names. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { cleanUp, describeLinux } = require('../support');
const { dynamicLoader, glibcVersion, libcFamily } = require('../../lib/ladder/libc');

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

/** Writes a program. */
function write(bytes) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-elf-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'program');
  fs.writeFileSync(file, bytes);
  return file;
}

/** Asks for the C library of another program. */
function familyOf(bytes) {
  const before = process.execPath;
  process.execPath = write(bytes);
  try {
    return libcFamily();
  } finally {
    process.execPath = before;
  }
}

describe('the dynamic loader of a program', () => {
  it('is read wherever its name stands', () => {
    expect(dynamicLoader(write(program('/lib/ld-musl-x86_64.so.1')))).toBe('/lib/ld-musl-x86_64.so.1');
  });

  it.each([
    ['names none', program(undefined)],
    ['is cut', program('/lib64/ld-linux-x86-64.so.2').subarray(0, 80)],
    ['is none of ELF', Buffer.from('#!/bin/sh\n')],
    ['is empty', Buffer.alloc(0)],
  ])('is unknown where the program %s', (_what, bytes) => {
    expect(dynamicLoader(write(bytes))).toBeUndefined();
  });

  it('is unknown where there is no program', () => {
    expect(dynamicLoader(path.join(__dirname, 'none'))).toBeUndefined();
  });
});

describeLinux('the C library', () => {
  const { glibcVersionRuntime } = process.report.getReport().header;
  const running = glibcVersionRuntime ? 'glibc' : 'musl';

  it('is that of the running Node', () => {
    expect(libcFamily()).toBe(running);
    expect(glibcVersion()).toBe(glibcVersionRuntime);
  });

  it.each([
    ['/lib64/ld-linux-x86-64.so.2', 'glibc'],
    ['/lib/ld-linux-aarch64.so.1', 'glibc'],
    ['/nix/store/abc-glibc-2.40/lib/ld-linux-x86-64.so.2', 'glibc'],
    ['/lib/ld-musl-aarch64.so.1', 'musl'],
  ])('of a program with %s is %s', (loader, family) => {
    expect(familyOf(program(loader))).toBe(family);
  });

  it.each([
    ['another dynamic loader', program('/system/bin/linker64')],
    ['none', program(undefined)],
  ])('of a program with %s is what a report says', (_what, bytes) => {
    expect(familyOf(bytes)).toBe(running);
  });

  it('is asked without a change of what reports have', () => {
    const before = process.report.excludeNetwork;
    familyOf(program(undefined));
    expect(process.report.excludeNetwork).toBe(before);
  });
});
