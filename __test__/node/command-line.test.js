'use strict';

/** Options of Node are found wherever they are given, and however they are spelled, as Node finds them. */

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { cleanUp, runNode } = require('../support');

const MODULE = require.resolve('../../lib/node/command-line');

/** Ways to name a configuration file that the running Node takes. Node 24.0 reads garbage behind an equals sign. */
const FORMS = (() => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
  const file = path.join(folder, 'node.json');
  fs.writeFileSync(file, '{}');
  const forms = [(name) => [`--experimental-config-file=${name}`], (name) => ['--experimental-config-file', name]]
    .filter((form) => spawnSync(process.execPath, [...form(file), '-e', '']).status === 0);
  fs.rmSync(folder, { recursive: true });
  return forms;
})();
const FORM = FORMS[0];

/**
 * Tells of an option that shows in `process`, and of one with a value.
 * @returns {Promise<{ found: [boolean, boolean], ofNode: boolean }>}
 */
async function ask(argv, environment, options, form = FORM) {
  const execArgv = argv.split(' ').filter(Boolean);
  if (options) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
    cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
    fs.writeFileSync(path.join(folder, 'node.json'), JSON.stringify({ nodeOptions: options }));
    execArgv.push(...form(path.join(folder, 'node.json')));
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
  ...FORM ? [
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
  ...FORM ? [[true, '', undefined, { 'tls-keylog': 'file' }]] : [],
])('an option with a value is %s: %j, NODE_OPTIONS %j, file %j', async (isGiven, argv, environment, options) => {
  const { found } = await ask(argv, environment, options);
  expect(found).toEqual([false, isGiven]);
});

(FORM ? it : it.skip)('an option in a file is found in whichever way that is named', async () => {
  for (const form of FORMS) {
    const { found, ofNode } = await ask('', undefined, { 'throw-deprecation': true }, form);
    expect([...found, ofNode]).toEqual([true, false, true]);
  }
});

const DEFAULT = '--experimental-default-config-file';
const itHasDefault = FORM ? it : it.skip;

itHasDefault('an option in the file of the default name is found', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  const options = { nodeOptions: { 'throw-deprecation': true } };
  fs.writeFileSync(path.join(folder, 'node.config.json'), JSON.stringify(options));
  const source = `const { isOptionSet } = require(${JSON.stringify(MODULE)});
    console.log(isOptionSet('throw-deprecation'), Boolean(process.throwDeprecation));`;
  const { stdout } = await runNode([DEFAULT, '-e', source], { env: { NODE_OPTIONS: undefined }, cwd: folder });
  expect(stdout).toBe('true true\n');
});
