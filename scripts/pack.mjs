/**
 * Packs the tarballs that are published:
 * `node scripts/pack.mjs [--artifacts FOLDER] [--destination FOLDER] [--release]`.
 * By default it packs the main package and the addons that are in the clone, for `npm install ./*.tgz` elsewhere.
 * `--release` wants the addon of every target, and makes the main package depend on their packages.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import packages from './packaging/packages.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { values: { artifacts, destination, release } } = parseArgs({
  options: {
    artifacts: { type: 'string', default: root },
    destination: { type: 'string', default: '.' },
    release: { type: 'boolean', default: false },
  },
});

mkdirSync(destination, { recursive: true });
const { main, platforms } = packages.pack({ artifacts, destination: path.resolve(destination), release });
for (const tarball of [...platforms, main]) console.log(tarball);
