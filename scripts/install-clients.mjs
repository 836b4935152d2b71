/**
 * Installs the HTTP clients of others that the tests use as they are published (`__test__/clients/published`), unless
 * they are there as the lock file has them: `node scripts/install-clients.mjs`. `npm test` runs it. Where they cannot
 * be had, their tests are skipped, and say so.
 */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), '__test__/clients/published');

/** @returns {number} Time of the last change of a file of the package; 0 if there is none. */
function changedAt(name) {
  return statSync(path.join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

// npm writes this file when it has installed everything.
if (changedAt('node_modules/.package-lock.json') < changedAt('package-lock.json')) {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) console.warn('The published clients could not be installed: their tests are skipped.');
}
