'use strict';

/** The version is the same in every manifest, and a tag is released only if it is that one. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { cleanUp } = require('../support/cleanup');
const { faultsOf, set } = require('../../scripts/packaging/version');

const ROOT = path.join(__dirname, '../..');
const FILES = ['package.json', 'package-lock.json', 'Cargo.toml', 'Cargo.lock', 'CHANGELOG.md'];

/** Copies what has the version to a folder of its own. */
function copy() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-version-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  for (const name of FILES) fs.copyFileSync(path.join(ROOT, name), path.join(folder, name));
  return folder;
}

describe('the version', () => {
  it('is the same everywhere in the clone', () => {
    const { version } = require('../../package.json');
    expect(faultsOf(ROOT, `v${version}`).filter((fault) => !/dated section/.test(fault))).toEqual([]);
  });

  it('is set everywhere, and nothing else is changed', () => {
    const folder = copy();
    set(folder, '9.8.7', '2026-11-29');
    expect(faultsOf(folder, 'v9.8.7')).toEqual([]);
    const { version } = require('../../package.json');
    for (const name of FILES.slice(0, -1)) {
      const [before, after] = [ROOT, folder].map((root) => fs.readFileSync(path.join(root, name), 'utf8').split('\n'));
      const changed = after.filter((line, index) => line !== before[index]);
      expect(after.length).toBe(before.length);
      expect(changed.every((line) => line.includes('9.8.7'))).toBe(true);
      expect(changed.length).toBe(name === 'package-lock.json' ? 2 : 1);
      expect(before.join('\n')).toContain(version);
    }
  });

  it('is refused where it is none', () => {
    expect(() => set(copy(), '1.2', '2026-11-29')).toThrow(/No version/);
  });
});

describe('a tag', () => {
  it.each([
    ['1.2.3', [/no tag/]],
    ['vnext', [/no tag/]],
    ['v99.0.0', [/package\.json/, /package-lock/, /Cargo\.toml/, /Cargo\.lock/, /no dated section/]],
  ])('%s is not released', (tag, patterns) => {
    const faults = faultsOf(copy(), tag);
    expect(faults.length).toBe(patterns.length);
    faults.forEach((fault, index) => expect(fault).toMatch(patterns[index]));
  });
});
