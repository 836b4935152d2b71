/**
 * Copies the pages of the repository, with their drawings, to `pages/`. There they find the packages of this folder,
 * which VitePress makes programs of them with.
 */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Pages, and folders with pages. */
const PAGES = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', 'docs', 'bench'];

const target = path.join(ROOT, 'site/pages');
const isWanted = (source) => fs.statSync(source).isDirectory() || /\.(md|svg)$/.test(source);

fs.rmSync(target, { recursive: true, force: true });
for (const name of PAGES) {
  fs.cpSync(path.join(ROOT, name), path.join(target, name), { recursive: true, filter: isWanted });
}
