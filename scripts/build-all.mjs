/**
 * Builds the addon for every target that this machine can build for, and says what it leaves out and why:
 * `node scripts/build-all.mjs [--output FOLDER]`. With `--strict` it fails if anything is left out.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { targets } from './packaging/targets.js';
import { missingFor } from './packaging/toolchain.js';

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'build.mjs');
const { values: { output, strict } } = parseArgs({
  options: { output: { type: 'string', default: 'artifacts' }, strict: { type: 'boolean' } },
});

const outcomes = targets.map((target) => {
  const missing = missingFor(target);
  if (missing.length > 0) return { target, word: 'left out', reason: `needs ${missing.join(', ')}` };
  const { status } = spawnSync(process.execPath, [script, '--target', target.triple, '--output', output], {
    stdio: 'inherit',
  });
  if (status === 0) return { target, word: 'built', reason: '' };
  return { target, word: 'FAILED', reason: `exit code ${status}` };
});

console.log('');
for (const { target, word, reason } of outcomes) console.log(`${word.padEnd(9)} ${target.triple.padEnd(28)} ${reason}`);
const bad = outcomes.filter(({ word }) => word === 'FAILED' || (strict && word === 'left out'));
if (bad.length > 0) process.exitCode = 1;
