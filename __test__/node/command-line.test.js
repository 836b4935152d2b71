'use strict';

/** Options of Node are found wherever they are given, and however they are spelled, as Node finds them. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { cleanUp, nodeIsAtLeast, runNode } = require('../support');

const MODULE = require.resolve('../../lib/node/command-line');

/** The command line of a process names a configuration file by this. */
const FILE = nodeIsAtLeast(24) ? '--experimental-config-file=' : null;

/**
 * Tells of an option that shows in `process`, and of one with a value.
 * @returns {Promise<{ found: [boolean, boolean], ofNode: boolean }>}
 */
async function ask(argv, environment, options) {
  const execArgv = argv.split(' ').filter(Boolean);
  if (options) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
    cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
    fs.writeFileSync(path.join(folder, 'node.json'), JSON.stringify({ nodeOptions: options }));
    execArgv.push(`${FILE}${path.join(folder, 'node.json')}`);
  }
  const source = `const { isOptionGiven, isOptionSet } = require(${JSON.stringify(MODULE)});
    const found = [isOptionSet('throw-deprecation'), isOptionGiven('tls-keylog')];
    console.log(JSON.stringify({ found, ofNode: Boolean(process.throwDeprecation) }));`;
  const { stdout } = await runNode([...execArgv, '-e', source], { env: { NODE_OPTIONS: environment } });
  return JSON.parse(stdout);
}

const ROWS = [
  ['', ''], ['--throw-deprecation', ''], ['--throw_deprecation', ''], ['', '--throw-deprecation'],
  ['', '"--throw-deprecation"'], ['', '--throw_deprecation'], ['--no-throw-deprecation', '--throw-deprecation'],
  ['--throw-deprecation', '--no-throw-deprecation'], ['--throw-deprecation --no-throw-deprecation', ''],
  ...FILE ? [
    ['', undefined, { 'throw-deprecation': true }], ['', undefined, { 'throw-deprecation': false }],
    ['--no-throw-deprecation', undefined, { 'throw-deprecation': true }], ['', '', { 'throw-deprecation': true }],
    ['', '--throw-deprecation', { 'throw-deprecation': false }], ['', '--no-warnings', { 'throw-deprecation': true }],
  ] : [],
];

// A row of three, else Jest would give the test a callback.
it.each(ROWS.map(([argv, environment, options = null]) => [argv, environment, options]))(
  'an option that is on or off: %j, NODE_OPTIONS %j, file %j', async (argv, environment, options) => {
    const { found: [isSet], ofNode } = await ask(argv, environment, options);
    expect(isSet).toBe(ofNode);
  });

it.each([
  [false, '', '', null], [true, '--tls-keylog=file', '', null], [true, '--tls_keylog=file', '', null],
  [true, '', '"--tls-keylog=file"', null],
  ...FILE ? [[true, '', undefined, { 'tls-keylog': 'file' }]] : [],
])('an option with a value is %s: %j, NODE_OPTIONS %j, file %j', async (isGiven, argv, environment, options) => {
  const { found } = await ask(argv, environment, options);
  expect(found).toEqual([false, isGiven]);
});
