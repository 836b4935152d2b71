'use strict';

const stylistic = require('@stylistic/eslint-plugin');
const js = require('@eslint/js');
const globals = require('globals');

module.exports = [
  {
    ignores: ['**/target/', 'fuzz/artifacts/', 'fuzz/corpus/', 'coverage/', '.nodes/', '**/*.d.ts', '**/*.d.mts'],
  },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: { ecmaVersion: 2023, sourceType: 'commonjs', globals: globals.node },
    plugins: { '@stylistic': stylistic },
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

      // Past these a file or a function is asking to be two.
      complexity: ['error', 25],
      'max-lines': ['error', { max: 500 }],
      'max-lines-per-function': ['error', { max: 60 }],
      'max-params': ['error', 6],
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { sourceType: 'module' },
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
