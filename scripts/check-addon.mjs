/**
 * Checks that addons run everywhere where their names promise: `node scripts/check-addon.mjs FILE...`. Each has to be
 * for the processor of its name, needs no library but the C library, and no symbol of a glibc newer than 2.17.
 */
import path from 'node:path';

import requirements from './packaging/requirements.js';
import targets from './packaging/targets.js';

const files = process.argv.slice(2);
if (files.length === 0) throw new Error('Which addons? node scripts/check-addon.mjs FILE...');
for (const file of files) {
  const name = path.basename(file);
  const target = targets.targets.find((one) => targets.fileName(one) === name);
  const { faults, summary } = target === undefined ? { faults: ['has the name of no target'] }
    : requirements.check(file, target);
  if (faults.length > 0) process.exitCode = 1;
  console.log(faults.length > 0 ? `FAILED ${name} ${faults.join('; ')}` : `ok   ${name}: ${summary}`);
}
