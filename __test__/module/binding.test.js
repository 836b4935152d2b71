'use strict';

/** The loader of the addon: where it looks, and what it says of each cause for which there is none. */

const fs = require('node:fs');
const path = require('node:path');

const { describeLinux, describeOurs } = require('../support');
const { ADDON, copyPackage, installBuild, loadCopy } = require('../support/package-copy');
const { buildFor } = require('../../lib/ladder/search');
const { glibcVersion, libcFamily } = require('../../lib/ladder/libc');

const build = buildFor(libcFamily());
const permission = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' :
  '--experimental-permission';

/** Expects that a copy falls back to Node's own client, warns once, and is an error with FERREQUEST=strict. */
async function expectFallback(folder, expected, parts, options = {}) {
  const { diagnosis, refused, stderr, code } = await loadCopy(folder, options);
  expect(diagnosis).toMatchObject({ mode: 'node', code: expected });
  for (const part of parts) expect(diagnosis.reason).toContain(part);
  expect(diagnosis.reason).toContain(`docs/troubleshooting.md#${expected.toLowerCase()}`);
  expect({ refused, code }).toEqual({ refused: 'ECONNREFUSED', code: 0 });
  expect(stderr.match(/\[FERREQUEST_FALLBACK\]/g)).toHaveLength(1);
  expect(stderr).toContain(diagnosis.reason);
  const { error } = await loadCopy(folder, { ...options, env: { ...options.env, FERREQUEST: 'strict' } });
  expect(error).toEqual({ code: expected, message: `ferrequest: ${diagnosis.reason}` });
  return diagnosis;
}

/** Writes a file in place of the addon of this platform. */
function writeAddon(folder, bytes) {
  fs.writeFileSync(path.join(folder, `ferrequest.${build}.node`), bytes);
}

/** Copies the addon with other bytes of the same length in it. */
function patchedAddon(from, to) {
  const text = fs.readFileSync(ADDON).toString('latin1');
  expect(text).toMatch(from);
  return Buffer.from(text.replace(from, (found) => to.padEnd(found.length, '\0')), 'latin1');
}

describeOurs('the addon', () => {
  it('may be beside the loader', async () => {
    const folder = copyPackage();
    fs.copyFileSync(ADDON, path.join(folder, `ferrequest.${build}.node`));
    const { diagnosis, refused, stderr } = await loadCopy(folder);
    expect(diagnosis).toMatchObject({
      mode: 'native', reason: null, code: null,
      addon: { build, file: path.join(folder, `ferrequest.${build}.node`), isOfThisVersion: true },
    });
    expect({ refused, stderr }).toEqual({ refused: 'ECONNREFUSED', stderr: '' });
  });

  it('beside the loader is enough for a program that may read no other folder', async () => {
    const folder = copyPackage();
    fs.copyFileSync(ADDON, path.join(folder, `ferrequest.${build}.node`));
    const execArgv = [permission, '--allow-addons', `--allow-fs-read=${fs.realpathSync(folder)}/`];
    const { diagnosis } = await loadCopy(folder, { execArgv });
    expect(diagnosis).toMatchObject({ mode: 'native', reason: null });
  });

  it('may be in the package of the platform', async () => {
    const folder = copyPackage();
    installBuild(folder, build, ADDON);
    const { diagnosis, stderr } = await loadCopy(folder);
    expect(diagnosis.mode).toBe('native');
    expect(diagnosis.addon.file).toBe(path.join(folder, `../ferrequest-${build}/ferrequest.${build}.node`));
    // The loader does not look for the file beside it: what is not there takes long to find missing.
    expect(diagnosis.addon.attempts.map(({ source }) => source)).toEqual([`ferrequest-${build}`]);
    expect(stderr).toBe('');
  });

  it('is looked for elsewhere if the package of the platform has none that fits', async () => {
    const folder = copyPackage();
    installBuild(folder, build, require('../support/foreign-addon'));
    const { diagnosis } = await loadCopy(folder);
    expect(diagnosis.mode).toBe('node');
    expect(diagnosis.addon.attempts.map(({ source }) => source)).toEqual([
      `ferrequest-${build}`, `ferrequest.${build}.node`,
    ]);
  });

  it('may be named by NAPI_RS_NATIVE_LIBRARY_PATH, which comes first', async () => {
    const folder = copyPackage();
    writeAddon(folder, 'not an addon');
    const { diagnosis, stderr } = await loadCopy(folder, { env: { NAPI_RS_NATIVE_LIBRARY_PATH: ADDON } });
    expect(diagnosis).toMatchObject({ mode: 'native', addon: { file: ADDON } });
    expect(diagnosis.environment).toMatchObject({ NAPI_RS_NATIVE_LIBRARY_PATH: ADDON });
    expect(stderr).toBe('');
  });

  it.each([
    ['the addon of another package', () => require('../support/foreign-addon')],
    ['a file that is not there', () => path.join(__dirname, 'none.node')],
  ])('is looked for elsewhere if that names %s', async (_what, file) => {
    const folder = copyPackage();
    fs.copyFileSync(ADDON, path.join(folder, `ferrequest.${build}.node`));
    const { diagnosis, stderr } = await loadCopy(folder, { env: { NAPI_RS_NATIVE_LIBRARY_PATH: file() } });
    expect(diagnosis.mode).toBe('native');
    expect(diagnosis.addon.attempts).toHaveLength(2);
    expect(diagnosis.addon.attempts[0].error).not.toBeNull();
    expect(stderr).toBe('');
  });
});

describeOurs('without an addon that loads', () => {
  it('a platform for which there is no build is named', async () => {
    await expectFallback(copyPackage(), 'ERR_FERREQUEST_UNSUPPORTED_PLATFORM', ['linux-riscv64', 'npm run build'],
      { properties: { platform: 'linux', arch: 'riscv64' } });
  });

  it('the file and the package that were looked for are named', async () => {
    const folder = copyPackage();
    await expectFallback(folder, 'ERR_FERREQUEST_NO_ADDON',
      [`ferrequest.${build}.node`, `ferrequest-${build}`, folder, 'npm run build']);
  });

  it('a package that should have been installed with this one is named', async () => {
    const folder = copyPackage({ optionalDependencies: { [`ferrequest-${build}`]: '0.1.0' } });
    await expectFallback(folder, 'ERR_FERREQUEST_OPTIONAL_DEPENDENCY',
      [`ferrequest-${build}`, 'npm/cli/issues/4828', 'package-lock.json']);
  });

  it('a file that is no addon is named', async () => {
    const folder = copyPackage();
    writeAddon(folder, 'not an addon');
    await expectFallback(folder, 'ERR_FERREQUEST_ADDON_DAMAGED', [`ferrequest.${build}.node`, 'install again']);
  });

  it.each([50, 5000, 500_000])('an addon that has been cut behind %d bytes is named', async (length) => {
    const folder = copyPackage();
    writeAddon(folder, fs.readFileSync(ADDON).subarray(0, length));
    await expectFallback(folder, 'ERR_FERREQUEST_ADDON_DAMAGED', [`ferrequest.${build}.node`]);
  });

  it('a package whose addon has been cut is named', async () => {
    const folder = copyPackage();
    writeAddon(folder, fs.readFileSync(ADDON).subarray(0, 5000));
    const cut = path.join(folder, `ferrequest.${build}.node`);
    installBuild(folder, build, cut);
    fs.rmSync(cut);
    await expectFallback(folder, 'ERR_FERREQUEST_ADDON_DAMAGED', [`ferrequest-${build}`]);
  });

  it('an addon of another version is named, with both versions', async () => {
    const folder = copyPackage({ version: '99.0.0' });
    fs.copyFileSync(ADDON, path.join(folder, `ferrequest.${build}.node`));
    const { version } = require('../../package.json');
    await expectFallback(folder, 'ERR_FERREQUEST_ADDON_VERSION', [`version ${version}`, '99.0.0', 'npm run build']);
  });

  it('the addon of another package in place of ours is named', async () => {
    const folder = copyPackage();
    fs.copyFileSync(require('../support/foreign-addon'), path.join(folder, `ferrequest.${build}.node`));
    await expectFallback(folder, 'ERR_FERREQUEST_ADDON_DAMAGED', ['no exports of ferrequest']);
  });

  it.each([
    ['--no-addons', ['--no-addons'], '--no-addons'],
    ['a permission model that allows none', [permission, '--allow-fs-read=*'], '--allow-addons'],
  ])('%s is named', async (_what, execArgv, part) => {
    const folder = copyPackage();
    fs.copyFileSync(ADDON, path.join(folder, `ferrequest.${build}.node`));
    const { diagnosis, refused, stderr } = await loadCopy(folder, { execArgv });
    // The permission model of Node 26 forbids the network too.
    expect(['ECONNREFUSED', 'ERR_ACCESS_DENIED']).toContain(refused);
    expect(diagnosis).toMatchObject({ mode: 'node', code: 'ERR_FERREQUEST_ADDON_NOT_ALLOWED' });
    expect(diagnosis.reason).toContain(part);
    expect(stderr.match(/\[FERREQUEST_FALLBACK\]/g)).toHaveLength(1);
  });
});

(libcFamily() === 'glibc' ? describeLinux : describe.skip)('with glibc, without an addon that loads', () => {
  it.each([
    ['beside the loader', (folder, other) => fs.writeFileSync(path.join(folder, `ferrequest.${other}.node`), '')],
    ['in a package', (folder, other) => installBuild(folder, other, ADDON)],
  ])('a build for musl %s is named', async (_where, install) => {
    const folder = copyPackage();
    const other = build.replace('gnu', 'musl');
    install(folder, other);
    await expectFallback(folder, 'ERR_FERREQUEST_WRONG_LIBC', [other, build, '--libc=glibc']);
  });

  it('an addon that needs another C library is named', async () => {
    const folder = copyPackage();
    writeAddon(folder, patchedAddon(/libc\.so\.6/, 'libc.so'));
    await expectFallback(folder, 'ERR_FERREQUEST_WRONG_LIBC', [`ferrequest.${build}.node`, 'another C library']);
  });

  it('an addon that needs a newer glibc is named, with both versions', async () => {
    const folder = copyPackage();
    writeAddon(folder, patchedAddon(/GLIBC_2\.[1-9]\d/, 'GLIBC_2.99'));
    await expectFallback(folder, 'ERR_FERREQUEST_OLD_GLIBC', ['needs glibc 2.99', `has ${glibcVersion()}`]);
  });

  it('an addon that needs a library which is not there is named, with the library', async () => {
    const folder = copyPackage();
    // An addon that is linked by zig has an unwinder of its own.
    writeAddon(folder, patchedAddon(/lib(?:gcc_s\.so\.1|dl\.so\.2)/, 'libno.so.1'));
    await expectFallback(folder, 'ERR_FERREQUEST_ADDON_LOAD', ['libno.so.1']);
  });
});
