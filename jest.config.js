'use strict';

module.exports = {
  // Tests that import the package by its name get what is in dist/.
  globalSetup: '<rootDir>/scripts/bundle.mjs',
  testEnvironment: 'node',
  testMatch: ['<rootDir>/__test__/**/*.test.js', '<rootDir>/bench/__test__/**/*.test.js'],
  // Build trees and downloaded Node versions hold package.json files that Jest would take for packages of its own.
  modulePathIgnorePatterns: ['<rootDir>/target/', '<rootDir>/fuzz/', '<rootDir>/.nodes/', '<rootDir>/site/'],
  // Tests run as written, without Babel: some hand a function to a child process as text.
  transform: {},
};
