'use strict';

/** The C library of a process is that of its dynamic loader, which the program names. */

const { describeLinux } = require('../support');
const { program, write } = require('../support/elf');
const { glibcVersion, libcFamily } = require('../../lib/ladder/libc');

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
