'use strict';

const base = require('./jest.config');

/** Runs the tests with the modules of the bundle in place of the files that it is made of. */
module.exports = {
  ...base,
  transform: { '^.+/(?:lib/.+|index|https|register|binding)\\.js$': '<rootDir>/scripts/bundled-module.js' },
  // These replace one module for another one, which gets its own in a bundle.
  testPathIgnorePatterns: [
    '/node_modules/', 'bridge\\.io-thread-loss\\.test', 'stream-transport\\.panic\\.test', 'known-routes\\.test',
    'lookup-cache\\.wait\\.test', 'node/late\\.test',
  ],
};
