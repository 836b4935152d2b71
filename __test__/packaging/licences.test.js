'use strict';

/** The licences of the crates that are linked into the addon go with it, and no crate has one that is not accepted. */

const { choose, linked } = require('../../scripts/packaging/licences');

const crate = (name, kind = 'lib') => ({ id: name, name, targets: [{ kind: [kind] }] });
const dependency = (pkg, ...kinds) => ({ pkg, dep_kinds: kinds.map((kind) => ({ kind })) });

describe('the crates that are linked', () => {
  it('are those that the addon depends on, without macros, build scripts and tests', () => {
    const metadata = {
      packages: [crate('ours', 'cdylib'), crate('runtime'), crate('below'), crate('macros', 'proc-macro'),
        crate('of-macros'), crate('builder'), crate('tester')],
      resolve: {
        root: 'ours',
        nodes: [
          { id: 'ours', deps: [dependency('runtime', null, 'dev'), dependency('macros', null),
            dependency('builder', 'build'), dependency('tester', 'dev')] },
          { id: 'runtime', deps: [dependency('below', null)] },
          { id: 'macros', deps: [dependency('of-macros', null)] },
          ...['below', 'of-macros', 'builder', 'tester'].map((id) => ({ id, deps: [] })),
        ],
      },
    };
    expect(linked(metadata).map(({ name }) => name)).toEqual(['below', 'runtime']);
  });
});

describe('the licence of a crate', () => {
  it.each([
    ['MIT', 'MIT'],
    ['Apache-2.0 OR MIT', 'MIT'],
    ['MIT/Apache-2.0', 'MIT'],
    ['(Unlicense OR MIT)', 'MIT'],
    ['Apache-2.0', 'Apache-2.0'],
    ['ISC', 'ISC'],
  ])('%s is taken as %s', (license, chosen) => {
    expect(choose({ name: 'crate', license })).toBe(chosen);
  });

  it.each(['GPL-3.0-only', 'MIT AND GPL-3.0-only', '', null])('%p is refused', (license) => {
    expect(() => choose({ name: 'crate', license })).toThrow(/not accepted/);
  });
});
