'use strict';

/**
 * Fake timers of test frameworks. They replace functions that Node's own client takes from elsewhere, so its requests
 * go on. (`process.nextTick` of the main realm is not among them: every stream of Node stops without it.)
 */

const path = require('node:path');

const { describeOurs, ROOT, runNode } = require('../support');

const FIXTURES = path.join(__dirname, '../fixtures/fake-timers');
const TIMEOUT = 60000;

/** Gives the program of a package. */
function programOf(name, program) {
  return path.join(path.dirname(require.resolve(`${name}/package.json`)), program);
}

/** Runs the test files of a framework in a process of its own. */
async function runFramework(argv) {
  const { stdout, stderr } = await runNode(argv, { timeout: TIMEOUT });
  const { success, numPassedTests } = JSON.parse(stdout.slice(stdout.indexOf('{')) || '{}');
  return { success, numPassedTests, output: success ? '' : `${stdout}\n${stderr}` };
}

/** Runs a script with `install()`, which fakes the timers, and `exercise()`, which loads the module and uses it. */
function runScript(install, isLoadedBefore) {
  const load = '{ http: require("."), https: require("./https") }';
  const source = `
    const exercise = require('./__test__/fixtures/fake-timers/exercise.js');
    const install = ${install};
    const before = ${isLoadedBefore ? load : 'null'};
    install();
    exercise(before ?? ${load}).then(() => console.log('done'));`;
  return runNode(['-e', source], { timeout: TIMEOUT, cwd: ROOT });
}

const ORDER = [['loaded before', true], ['loaded after', false]];

describeOurs('under fake timers of Jest', () => {
  it.each([
    ['that tests ask for', {}],
    ['that the configuration asks for', { fakeTimers: { enableGlobally: true } }],
    ['of the old kind, for which the configuration asks', {
      fakeTimers: { enableGlobally: true, legacyFakeTimers: true },
    }],
  ])('%s, requests come to their end', async (_who, options) => {
    // A machine that does other work takes longer than Jest allows a test.
    const testTimeout = TIMEOUT / 2;
    const config = { rootDir: FIXTURES, testMatch: ['**/jest.spec.js'], transform: {}, testTimeout, ...options };
    const argv = [programOf('jest', 'bin/jest.js'), '--runInBand', '--json', '--config', JSON.stringify(config)];
    expect(await runFramework(argv)).toEqual({ success: true, numPassedTests: 5, output: '' });
  }, TIMEOUT);
});

describeOurs('under fake timers of vitest', () => {
  it('requests come to their end', async () => {
    const argv = [programOf('vitest', 'vitest.mjs'), 'run', '--reporter=json', '--root', FIXTURES, 'vitest.spec.mjs'];
    expect(await runFramework(argv)).toEqual({ success: true, numPassedTests: 2, output: '' });
  }, TIMEOUT);
});

describeOurs('under fake timers of sinon', () => {
  /** Fakes all but what streams of Node need. */
  function install() {
    const timers = require('@sinonjs/fake-timers');
    const toFake = Object.keys(timers.timers).filter((name) => name !== 'nextTick' && name !== 'queueMicrotask');
    timers.install({ toFake });
  }

  it.each(ORDER)('requests come to their end (%s)', async (_when, isLoadedBefore) => {
    const { stdout, stderr } = await runScript(install, isLoadedBefore);
    expect({ stdout, stderr }).toEqual({ stdout: 'done\n', stderr: '' });
  }, TIMEOUT);
});

describeOurs('under mock timers of node:test', () => {
  /** Mocks all. */
  function install() {
    require('node:test').mock.timers.enable();
  }

  it.each(ORDER)('requests come to their end (%s)', async (_when, isLoadedBefore) => {
    const { stdout, stderr } = await runScript(install, isLoadedBefore);
    expect(stdout).toContain('done\n');
    expect(stderr.replace(/^.*(?:ExperimentalWarning|--trace-warnings).*$/gm, '').trim()).toBe('');
  }, TIMEOUT);
});
