'use strict';

/** Each target is built with the compiler, linker and environment that the oldest system of its kind needs. */

const { find } = require('../../scripts/packaging/targets');
const { planFor } = require('../../scripts/packaging/toolchain');

describe('a build', () => {
  it.each(['x86_64', 'aarch64'])('for glibc on %s is linked by zig against 2.17', (cpu) => {
    const plan = planFor(find(`${cpu}-unknown-linux-gnu`), 'linux');
    expect(plan).toMatchObject({ triple: `${cpu}-unknown-linux-gnu.2.17`, crossCompile: true });
  });

  it('for musl takes the C library that Node has loaded', () => {
    const plan = planFor(find('x86_64-unknown-linux-musl'), 'linux');
    expect(plan).toMatchObject({ triple: 'x86_64-unknown-linux-musl', crossCompile: true });
    expect(plan.env.RUSTFLAGS).toMatch(/-crt-static/);
  });

  it('for macOS is linked by zig elsewhere, and runs on the oldest macOS that Node 20 runs on', () => {
    const target = find('aarch64-apple-darwin');
    expect(planFor(target, 'linux')).toMatchObject({ crossCompile: true, env: { MACOSX_DEPLOYMENT_TARGET: '11.0' } });
    expect(planFor(target, 'darwin')).toMatchObject({ crossCompile: false, env: { MACOSX_DEPLOYMENT_TARGET: '11.0' } });
  });

  it('for Windows is linked by the linker of Windows', () => {
    expect(planFor(find('x86_64-pc-windows-msvc'), 'win32')).toEqual({
      triple: 'x86_64-pc-windows-msvc', crossCompile: false, env: {},
    });
  });
});
