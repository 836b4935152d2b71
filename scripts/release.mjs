/**
 * Does the steps of a release, as docs/releasing.md tells them:
 *
 * - `node scripts/release.mjs prepare 0.2.0` sets the version everywhere, and dates the changelog;
 * - `node scripts/release.mjs check v0.2.0` fails unless the tag, the manifests and the changelog agree;
 * - `node scripts/release.mjs notes 0.2.0` prints the section of the changelog;
 * - `node scripts/release.mjs publish FOLDER [OPTION...]` publishes the tarballs that `scripts/pack.mjs` has made, with
 *   options for `npm publish`, such as `--provenance` or `--dry-run`.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import changelog from './packaging/changelog.js';
import publishing from './packaging/publishing.js';
import version from './packaging/version.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const [command, subject, ...options] = process.argv.slice(2);

const commands = {
  prepare() {
    version.set(root, subject, new Date().toISOString().slice(0, 10));
    console.log(`Commit this as "build: release ${subject}", and tag the commit v${subject}`);
  },
  check() {
    const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    const faults = [...version.faultsOf(root, subject), ...publishing.lacksOf(manifest)];
    for (const fault of faults) console.error(fault);
    if (faults.length > 0) process.exitCode = 1;
    else console.log(`${subject} can be released`);
  },
  notes() {
    const section = changelog.find(readFileSync(path.join(root, 'CHANGELOG.md'), 'utf8'), subject);
    if (section === undefined) throw new Error(`CHANGELOG.md has no section of ${subject}`);
    console.log(section.notes);
  },
  publish() {
    publishing.publish(path.resolve(subject), { options, log: console.log });
  },
};

if (!Object.hasOwn(commands, command ?? '') || subject === undefined) {
  throw new Error(`Usage: release.mjs ${Object.keys(commands).join('|')} VERSION|TAG|FOLDER`);
}
commands[command]();
