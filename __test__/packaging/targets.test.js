'use strict';

/** The targets of package.json are those of the loader and of the workflows. */

const fs = require('node:fs');
const path = require('node:path');

const { fileName, find, targets } = require('../../scripts/packaging/targets');

const ROOT = path.join(__dirname, '../..');
const { engines, files, optionalDependencies } = require('../../package.json');

const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const literals = (pattern) => [...read('binding.js').matchAll(pattern)].map(([, literal]) => literal).sort();

describe('the targets', () => {
  it('are the builds that the loader looks for, as files and as packages', () => {
    const builds = targets.map(({ build }) => build).sort();
    expect(builds.length).toBeGreaterThan(5);
    expect(literals(/require\('\.\/ferrequest\.([\w-]+)\.node'\)/g)).toEqual(builds);
    expect(literals(/require\('ferrequest-([\w-]+)'\)/g)).toEqual(builds);
  });

  it('are built by the workflow, each once', () => {
    const built = [...read('.github/workflows/addons.yml').matchAll(/\{ target: ([\w-]+),/g)].map(([, triple]) => triple);
    expect(built.sort()).toEqual(targets.map(({ triple }) => triple).sort());
  });

  it('are found by triple and by build', () => {
    const musl = find('aarch64-unknown-linux-musl');
    expect(musl).toMatchObject({ build: 'linux-arm64-musl', platform: 'linux', arch: 'arm64', abi: 'musl' });
    expect(find('linux-arm64-musl')).toBe(musl);
    expect(fileName(find('x86_64-apple-darwin'))).toBe('ferrequest.darwin-x64.node');
    expect(() => find('riscv64gc-unknown-linux-gnu')).toThrow(/none of the targets/);
  });
});

describe('package.json', () => {
  it('depends on no addon before it is published, and has that of the clone', () => {
    expect(files).toContain('ferrequest.*.node');
    expect(optionalDependencies).toBeUndefined();
  });

  it('names no Node whose first release CI does not test', () => {
    const workflow = read('.github/workflows/ci.yml');
    const tested = /node: \[(.+)\]/.exec(workflow)[1].split(', ');
    for (const [, first, major] of engines.node.matchAll(/((\d+)\.\d+\.\d+)/g)) {
      expect(tested).toContain(first);
      expect(tested).toContain(major);
    }
  });
});
