/**
 * Uses the tarballs of a release on this platform: `node scripts/smoke-test.mjs FOLDER`. Installs the main package and
 * the one of the platform into an empty project, and makes requests there, with nothing but Node. Nothing of the clone
 * is needed but this file and __test__/package/, so that it runs in the images of other systems.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { libcFamily } from '../lib/ladder/libc.js';
import searches from '../lib/ladder/search.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const folder = path.resolve(process.argv[2] ?? 'packages');
const build = searches.buildFor(libcFamily());

/** Finds the one tarball whose name begins so. */
function tarball(pattern) {
  const found = readdirSync(folder).filter((name) => pattern.test(name));
  assert.equal(found.length, 1, `${folder} has ${found.length} tarballs like ${pattern}`);
  return path.join(folder, found[0]);
}

const project = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'ferrequest-smoke-')));
try {
  cpSync(path.join(root, '__test__/package'), project, { recursive: true });
  writeFileSync(path.join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));
  const tarballs = [tarball(/^ferrequest-\d/), tarball(new RegExp(`^ferrequest-${build}-\\d`))];
  const stdio = 'inherit';
  // Offline: the packages of other platforms are optional, and of no use here.
  execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs], {
    cwd: project, stdio, shell: process.platform === 'win32',
  });
  // A fallback would pass what is not looked at.
  const env = { ...process.env, FERREQUEST: 'strict', NAPI_RS_NATIVE_LIBRARY_PATH: '' };
  for (const args of [['consumer.cjs'], ['consumer.mjs'], ['--require', 'ferrequest/register', 'registered.cjs'],
    ['--import', 'ferrequest/register', 'registered.mjs']]) {
    execFileSync(process.execPath, args, { cwd: project, env, stdio, timeout: 120_000 });
  }
  console.log(`ok   ferrequest-${build} works under Node ${process.versions.node}`);
} finally {
  rmSync(project, { recursive: true, force: true });
}
