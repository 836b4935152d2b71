'use strict';

// The first Node that undici 8 takes, by the `engines` of its package.
const FIRST_OF_UNDICI_8 = [22, 19];

/**
 * Picks the newest undici that a Node can run.
 *
 * @param {string} nodeVersion such as `24.1.0`
 * @returns {string} The name of its package in node_modules.
 */
function undiciPackage(nodeVersion) {
  const [major, minor] = nodeVersion.split('.').map(Number);
  const [firstMajor, firstMinor] = FIRST_OF_UNDICI_8;
  return major > firstMajor || (major === firstMajor && minor >= firstMinor) ? 'undici-8' : 'undici';
}

module.exports = { undiciPackage };
