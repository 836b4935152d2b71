'use strict';

const stylistic = require('@stylistic/eslint-plugin');
const js = require('@eslint/js');
const imports = require('eslint-plugin-import-x');
const globals = require('globals');

/** The rooms of lib/, and the rooms below each that it may import. ARCHITECTURE.md says what each one owns. */
const ROOMS = {
  https: ['agent', 'request', 'socket', 'response', 'proxy', 'addresses', 'bridge', 'node'],
  agent: ['retry', 'socket', 'response', 'phases', 'proxy', 'addresses', 'bridge', 'node'],
  request: ['retry', 'socket', 'stream', 'response', 'phases', 'proxy', 'addresses', 'node'],
  retry: ['response', 'phases', 'node'],
  socket: ['response', 'phases', 'addresses', 'bridge', 'node'],
  stream: ['response', 'bridge', 'node'],
  response: ['phases', 'bridge', 'node'],
  phases: ['bridge', 'node'],
  bridge: ['ladder', 'node'],
  ladder: ['node'],
  addresses: ['node'],
  proxy: ['node'],
  node: [],
};

const zones = Object.entries(ROOMS).flatMap(([room, below]) => [
  { target: `./lib/${room}`, from: './lib', except: [room, ...below].map((name) => `./${name}`) },
  // The public modules are made of the rooms. Only the ladder and the bridge load the addon.
  { target: `./lib/${room}`, from: ['./index.js', './https.js', './register.js'] },
  ...['bridge', 'ladder'].includes(room) ? [] : [{ target: `./lib/${room}`, from: './binding.js' }],
]);

// The command uses the package as any other program does: by its name.
zones.push({ target: './cli', from: ['./lib', './index.js', './https.js', './register.js', './binding.js'] });

/** Globals that fake timers of tests replace: lib/node/timing.js has those of Node. */
const FAKED = ['setImmediate', 'setInterval', 'setTimeout', 'clearImmediate', 'clearInterval', 'clearTimeout',
  'queueMicrotask', 'performance', 'Date', 'Promise'];
const TIMING = 'Take it from lib/node/timing.js, which fake timers of tests do not reach.';

module.exports = [
  {
    ignores: [
      '**/target/', 'coverage/', 'dist/', 'fuzz/artifacts/', 'fuzz/corpus/', '.nodes/', '**/*.d.ts', '**/*.d.mts',
      'site/dist/', 'site/pages/', 'site/.vitepress/cache/', 'site/.vitepress/.temp/',
    ],
  },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: { ecmaVersion: 2023, sourceType: 'commonjs', globals: globals.node },
    plugins: { '@stylistic': stylistic, 'import-x': imports },
    settings: { 'import-x/resolver-next': [imports.createNodeResolver({ extensions: ['.js', '.json', '.node'] })] },
    rules: {
      strict: ['error', 'global'],

      // Mistakes that the recommended set does not look for.
      'array-callback-return': 'error',
      'consistent-return': 'error',
      'default-case-last': 'error',
      'no-await-in-loop': 'off',
      'no-constructor-return': 'error',
      'no-duplicate-imports': 'error',
      'no-implicit-coercion': ['error', { boolean: false, disallowTemplateShorthand: true }],
      'no-implied-eval': 'error',
      'no-loop-func': 'error',
      'no-promise-executor-return': 'error',
      'no-return-assign': 'error',
      'no-self-compare': 'error',
      'no-sequences': 'error',
      'no-template-curly-in-string': 'error',
      'no-throw-literal': 'error',
      'no-unmodified-loop-condition': 'error',
      'no-unreachable-loop': 'error',
      'no-unused-expressions': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
      'no-use-before-define': ['error', { functions: false, classes: true }],
      'no-useless-concat': 'error',
      'no-var': 'error',
      'require-atomic-updates': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      radix: 'error',

      // One way to write a thing.
      'dot-notation': 'error',
      'no-else-return': 'error',
      'no-lonely-if': 'error',
      'no-unneeded-ternary': 'error',
      'no-useless-rename': 'error',
      'no-useless-return': 'error',
      'object-shorthand': 'error',
      'one-var': ['error', 'never'],
      'prefer-const': ['error', { destructuring: 'all' }],
      'prefer-object-spread': 'error',
      curly: ['error', 'multi-line'],

      '@stylistic/arrow-parens': 'error',
      '@stylistic/comma-dangle': ['error', 'always-multiline'],
      '@stylistic/eol-last': 'error',
      '@stylistic/indent': ['error', 2, { SwitchCase: 1 }],
      '@stylistic/keyword-spacing': 'error',
      '@stylistic/max-len': ['error', { code: 120, ignoreUrls: true, ignoreRegExpLiterals: true }],
      '@stylistic/no-multiple-empty-lines': ['error', { max: 1 }],
      '@stylistic/no-trailing-spaces': 'error',
      '@stylistic/object-curly-spacing': ['error', 'always'],
      '@stylistic/quotes': ['error', 'single', { avoidEscape: true }],
      '@stylistic/semi': 'error',
      '@stylistic/space-before-blocks': 'error',
      '@stylistic/space-infix-ops': 'error',

      'import-x/no-cycle': ['error', { commonjs: true }],
      'import-x/no-restricted-paths': ['error', { basePath: __dirname, zones }],

      // Past these a function is asking to be two. A file is divided where its state divides, however long it is.
      complexity: ['error', 25],
      'max-lines-per-function': ['error', { max: 60 }],
      'max-params': ['error', 6],
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { sourceType: 'module' },
  },
  {
    files: ['lib/**', 'index.js', 'https.js', 'register.js'],
    ignores: ['lib/node/timing.js'],
    rules: {
      'no-restricted-globals': ['error', ...FAKED.map((name) => ({ name, message: TIMING }))],
      'no-restricted-properties': ['error',
        ...['nextTick', 'hrtime'].map((property) => ({ object: 'process', property, message: TIMING })),
        ...FAKED.map((property) => ({ object: 'globalThis', property, message: TIMING })),
      ],
      'no-restricted-syntax': ['error', {
        selector: 'CallExpression[callee.name="require"] > Literal[value=/^(node:)?(timers|timers\\u002fpromises)$/]',
        message: TIMING,
      }],
    },
  },
  {
    files: ['__test__/**'],
    languageOptions: { globals: globals.jest },
    rules: {
      // A describe block is a list of tests, not a function that is read as one.
      'max-lines-per-function': 'off',
    },
  },
];
