'use strict';

/**
 * Asks Node's permission model (https://nodejs.org/api/permissions.html) for the network. Node itself refuses only
 * what goes through its own handles.
 */

const { isOptionSet } = require('./command-line');
const { createError } = require('./errors');

/** Method of the permission model; undefined in a process without one. */
const has = process.permission?.has;

/** True where the model knows of the network, as since Node 25: an older one answers `false` to all else. */
const knowsNetwork = has !== undefined && process.allowedNodeEnvironmentFlags.has('--allow-net');

/** True where the model denies nothing, and publishes each use, and each question, on a channel. */
const isAudited = knowsNetwork && isOptionSet('permission-audit');

/**
 * Tells whether connections are for Node's own handles to make, which refuse them, or publish them. A process can lose
 * the permission at any time; it cannot get it.
 * @returns {boolean}
 */
function isNetworkDenied() {
  return knowsNetwork && (isAudited || !has('net'));
}

/**
 * Makes the error with which a handle of Node's refuses.
 * @param {string} resource An address or a path.
 */
function accessDenied(resource) {
  const error = createError(Error, 'ERR_ACCESS_DENIED',
    'Access to this API has been restricted. Use --allow-net to manage permissions.');
  return Object.assign(error, { permission: 'Net', resource });
}

module.exports = { accessDenied, isNetworkDenied };
