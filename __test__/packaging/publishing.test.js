'use strict';

/** Tarballs are published in an order in which no package ever depends on one that is not there. */

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { cleanUp } = require('../support/cleanup');
const { lacksOf, plan } = require('../../scripts/packaging/publishing');

/** Makes a folder with a tarball for each manifest. */
function tarballs(manifests) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-tarballs-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  for (const manifest of manifests) {
    const name = `${manifest.name}-${manifest.version}.tgz`;
    fs.mkdirSync(path.join(folder, 'package'), { recursive: true });
    fs.writeFileSync(path.join(folder, 'package/package.json'), JSON.stringify(manifest));
    execFileSync('tar', ['-czf', name, 'package'], { cwd: folder });
  }
  return folder;
}

const version = '1.2.3';
const gnu = { name: 'ferrequest-linux-x64-gnu', version };
const macos = { name: 'ferrequest-darwin-arm64', version };
const main = {
  name: 'ferrequest', version, optionalDependencies: { [gnu.name]: version, [macos.name]: version },
};

describe('the order of publishing', () => {
  it('ends with the main package', () => {
    expect(plan(tarballs([main, gnu, macos])).map(({ name }) => name)).toEqual([macos.name, gnu.name, main.name]);
  });

  it.each([
    ['the main package is missing', [gnu], /no tarball of ferrequest/],
    ['a package that it depends on is missing', [main, gnu], /depends on/],
    ['it does not depend on one', [{ ...main, optionalDependencies: { [gnu.name]: version } }, gnu, macos], /depends on/],
    ['versions differ', [main, gnu, { ...macos, version: '1.2.2' }], /has version 1\.2\.2/],
  ])('is refused when %s', (_what, manifests, pattern) => {
    expect(() => plan(tarballs(manifests))).toThrow(pattern);
  });
});

describe('a release', () => {
  it('needs the name of its repository, which provenance is checked against', () => {
    expect(lacksOf({})).toEqual([expect.stringMatching(/no repository/)]);
    expect(lacksOf({ repository: { type: 'git', url: 'git+https://example.com/ferrequest.git' } })).toEqual([]);
  });
});
