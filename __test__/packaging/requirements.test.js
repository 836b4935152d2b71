'use strict';

/** An addon that would not run everywhere where its package promises is not published. */

const { describeLinux } = require('../support');
const { ADDON } = require('../support/package-copy');
const { check, faultsOf } = require('../../scripts/packaging/requirements');
const { find } = require('../../scripts/packaging/targets');

const gnu = {
  format: 'elf', arch: 'x64', libraries: ['libc.so.6', 'libdl.so.2', 'ld-linux-x86-64.so.2'],
  versions: ['GLIBC_2.2.5', 'GLIBC_2.17'],
};
const musl = { format: 'elf', arch: 'arm64', libraries: ['libc.so'], versions: [] };
const macos = {
  format: 'macho', arch: 'arm64', libraries: ['/usr/lib/libSystem.B.dylib', '/usr/lib/libiconv.2.dylib'],
  versions: [], system: '11.0', isSigned: true,
};
const windows = { format: 'pe', arch: 'x64', libraries: ['KERNEL32.dll', 'VCRUNTIME140.dll'], versions: [] };

describe('an addon', () => {
  it.each([
    ['linux-x64-gnu', gnu], ['linux-arm64-musl', musl], ['darwin-arm64', macos], ['win32-x64-msvc', windows],
  ])('for %s that needs nothing but the system is right', (build, addon) => {
    expect(faultsOf(addon, find(build))).toEqual([]);
  });

  it.each([
    ['a newer glibc', 'linux-x64-gnu', { ...gnu, versions: ['GLIBC_2.18'] }, ['needs GLIBC_2.18, newer than 2.17']],
    ['a much newer glibc', 'linux-x64-gnu', { ...gnu, versions: ['GLIBC_3.0'] }, ['needs GLIBC_3.0, newer than 2.17']],
    ['the unwinder of GCC', 'linux-x64-gnu', { ...gnu, libraries: ['libgcc_s.so.1'], versions: ['GCC_3.0'] },
      ['needs libgcc_s.so.1', 'needs symbols of GCC_3.0']],
    ['glibc instead of musl', 'linux-x64-musl', gnu,
      ['needs libc.so.6', 'needs libdl.so.2', 'needs ld-linux-x86-64.so.2', 'needs symbols of GLIBC_2.2.5',
        'needs symbols of GLIBC_2.17']],
    ['another processor', 'linux-arm64-gnu', gnu, ['is for x64, not arm64']],
    ['another system', 'darwin-x64', { ...macos, format: 'elf', arch: 'x64' }, ['is elf, not macho']],
    ['a newer macOS', 'darwin-arm64', { ...macos, system: '15.0' }, ['needs macOS 15.0, newer than 11.0']],
    ['an unknown macOS', 'darwin-arm64', { ...macos, system: undefined }, ['names no release of macOS']],
    ['a signature', 'darwin-arm64', { ...macos, isSigned: false }, ['is not signed']],
    ['a library of its own', 'win32-x64-msvc', { ...windows, libraries: ['libnode.dll'] }, ['needs libnode.dll']],
  ])('that needs %s is wrong', (_what, build, addon, faults) => {
    expect(faultsOf(addon, find(build))).toEqual(faults);
  });
});

describeLinux('the addon of this clone', () => {
  it('is read', () => {
    const { faults, summary } = check(ADDON, find(/ferrequest\.(.+)\.node$/.exec(ADDON)[1]));
    // It is linked for this machine, whose glibc may be newer.
    expect(faults.filter((fault) => !/^needs (?:GLIBC_|libgcc_s|symbols of GCC_)/.test(fault))).toEqual([]);
    expect(summary).toMatch(/^elf, (?:x64|arm64).*: .*libc\b/);
  });
});
