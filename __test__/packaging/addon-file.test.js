'use strict';

/** What an addon needs is read from its file: libraries, versions of symbols, and the oldest release of macOS. */

const { write } = require('../support/elf');
const { read } = require('../../scripts/packaging/addon-file');

/** Puts numbers of 16, 32 or 64 bits, and texts, into a buffer. */
function fill(size, fields) {
  const bytes = Buffer.alloc(size);
  for (const [offset, width, value] of fields) {
    if (width === 'text') bytes.write(value, offset, 'latin1');
    else if (width === 64) bytes.writeBigUInt64LE(BigInt(value), offset);
    else bytes.writeUIntLE(value, offset, width / 8);
  }
  return bytes;
}

/** A library in ELF, mapped at 0x1000, that needs libc.so.6 with two versions of symbols. */
function elf() {
  const [PHDR, DYNAMIC, STRINGS, NEED] = [64, 0x200, 0x300, 0x400];
  return fill(0x500, [
    [0, 'text', '\x7fELF\x02\x01'], [0x12, 16, 183], [0x20, 64, PHDR], [0x36, 16, 56], [0x38, 16, 2],
    [PHDR, 32, 1], [PHDR + 8, 64, 0], [PHDR + 16, 64, 0x1000], [PHDR + 32, 64, 0x500],
    [PHDR + 56, 32, 2], [PHDR + 56 + 8, 64, DYNAMIC], [PHDR + 56 + 16, 64, 0x1000 + DYNAMIC], [PHDR + 56 + 32, 64, 80],
    ...[[1, 1], [5, 0x1000 + STRINGS], [0x6ffffffe, 0x1000 + NEED], [0x6fffffff, 1], [0, 0]]
      .flatMap(([tag, value], index) => [[DYNAMIC + index * 16, 64, tag], [DYNAMIC + index * 16 + 8, 64, value]]),
    [STRINGS, 'text', '\0libc.so.6\0GLIBC_2.2.5\0GLIBC_2.17\0'],
    [NEED, 16, 1], [NEED + 2, 16, 2], [NEED + 4, 32, 1], [NEED + 8, 32, 16],
    [NEED + 16 + 8, 32, 11], [NEED + 16 + 12, 32, 16], [NEED + 32 + 8, 32, 23],
  ]);
}

/** A library in Mach-O, signed, for macOS 11.0. */
function machO(isSigned = true) {
  return fill(0x100, [
    [0, 32, 0xfeedfacf], [4, 32, 0x0100000c], [16, 32, isSigned ? 3 : 2],
    [32, 32, 0xc], [36, 32, 56], [40, 32, 24], [56, 'text', '/usr/lib/libSystem.B.dylib\0'],
    [88, 32, 0x32], [92, 32, 24], [100, 32, 11 << 16],
    [112, 32, 0x1d], [116, 32, 16],
  ]);
}

/** A library in PE with one section at 0x1000, whose imports name one library. */
function pe() {
  const [HEAD, OPTIONAL, TABLE, DATA] = [0x80, 0x98, 0x188, 0x200];
  return fill(0x300, [
    [0, 'text', 'MZ'], [0x3c, 32, HEAD], [HEAD, 'text', 'PE\0\0'], [HEAD + 4, 16, 0x8664], [HEAD + 6, 16, 1],
    [HEAD + 20, 16, TABLE - OPTIONAL], [OPTIONAL + 120, 32, 0x1000],
    [TABLE + 12, 32, 0x1000], [TABLE + 16, 32, 0x100], [TABLE + 20, 32, DATA],
    [DATA + 12, 32, 0x1040], [DATA + 0x40, 'text', 'KERNEL32.dll\0'],
  ]);
}

describe('the needs of an addon', () => {
  it('are read from ELF', () => {
    expect(read(write(elf()))).toMatchObject({
      format: 'elf', arch: 'arm64', libraries: ['libc.so.6'], versions: ['GLIBC_2.2.5', 'GLIBC_2.17'],
    });
  });

  it('are read from Mach-O', () => {
    expect(read(write(machO()))).toMatchObject({
      format: 'macho', arch: 'arm64', libraries: ['/usr/lib/libSystem.B.dylib'], system: '11.0', isSigned: true,
    });
    expect(read(write(machO(false)))).toMatchObject({ isSigned: false });
  });

  it('are read from PE', () => {
    expect(read(write(pe()))).toMatchObject({ format: 'pe', arch: 'x64', libraries: ['KERNEL32.dll'] });
  });

  it('are not guessed from anything else', () => {
    expect(() => read(write(Buffer.from('#!/bin/sh\n')))).toThrow(/no library/);
    expect(() => read(write(Buffer.alloc(0)))).toThrow(/no library/);
  });
});
