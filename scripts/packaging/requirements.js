'use strict';

/** Holds an addon against what its target promises: its processor, the libraries that it may need, and their age. */

const { read } = require('./addon-file');
const { GLIBC_CEILING, MACOS_CEILING } = require('./targets');

/** Libraries that an addon may need: parts of the C library, and of Windows and its C runtime. */
const LIBRARIES = {
  gnu: /^(?:lib(?:c|m|dl|rt|pthread)\.so\.\d+|ld-linux-[\w-]+\.so\.\d+)$/,
  musl: /^libc(?:\.musl-\w+)?\.so(?:\.1)?$/,
  darwin: /^\/usr\/lib\/lib(?:System\.B|iconv\.2|charset\.1)\.dylib$/,
  win32: /^(?:kernel32|ntdll|ws2_32|advapi32|userenv|bcryptprimitives|vcruntime140|api-ms-win-[\w-]+)\.dll$/i,
};

const FORMATS = { linux: 'elf', darwin: 'macho', win32: 'pe' };

/**
 * Tells whether a version is newer than another.
 * @param {string} version Such as `2.17`.
 * @param {string} ceiling
 * @returns {boolean}
 */
function isNewer(version, ceiling) {
  const [left, right] = [version, ceiling].map((text) => text.split('.').map(Number));
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** Lists the versions of glibc among versions of symbols, without the name. */
function glibcVersions(versions) {
  return versions.map((name) => /^GLIBC_([\d.]+)$/.exec(name)?.[1]).filter(Boolean);
}

/**
 * Lists what keeps an addon from running everywhere where its target promises.
 * @param {import('./addon-file').AddonFile} addon
 * @param {import('./targets').Target} target
 * @returns {string[]} Empty if there is nothing to say against it.
 */
function faultsOf(addon, { platform, arch, abi }) {
  const faults = [];
  if (addon.format !== FORMATS[platform]) faults.push(`is ${addon.format}, not ${FORMATS[platform]}`);
  if (addon.arch !== arch) faults.push(`is for ${addon.arch}, not ${arch}`);
  const allowed = LIBRARIES[platform === 'linux' ? abi : platform];
  faults.push(...addon.libraries.filter((name) => !allowed.test(name)).map((name) => `needs ${name}`));
  for (const name of addon.versions) {
    const [glibc] = glibcVersions([name]);
    if (abi !== 'gnu' || glibc === undefined) faults.push(`needs symbols of ${name}`);
    else if (isNewer(glibc, GLIBC_CEILING)) faults.push(`needs ${name}, newer than ${GLIBC_CEILING}`);
  }
  if (platform === 'darwin') {
    if (addon.system === undefined) faults.push('names no release of macOS');
    else if (isNewer(addon.system, MACOS_CEILING)) {
      faults.push(`needs macOS ${addon.system}, newer than ${MACOS_CEILING}`);
    }
    // Apple's processors run no code that is not signed, be it by nobody.
    if (arch === 'arm64' && !addon.isSigned) faults.push('is not signed');
  }
  return faults;
}

/**
 * Reads an addon and lists what is wrong with it.
 * @param {string} file
 * @param {import('./targets').Target} target
 * @returns {{ faults: string[], summary: string }} No faults if there is nothing to say against it.
 */
function check(file, target) {
  const addon = read(file);
  const newest = glibcVersions(addon.versions).sort((one, other) => (isNewer(one, other) ? 1 : -1)).at(-1);
  const oldest = newest ? `glibc ${newest}` : addon.system && `macOS ${addon.system}`;
  const summary = `${[addon.format, addon.arch, oldest].filter(Boolean).join(', ')}: ${addon.libraries.join(' ')}`;
  return { faults: faultsOf(addon, target), summary };
}

module.exports = { check, faultsOf };
