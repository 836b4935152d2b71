'use strict';

const { undiciPackage } = require('./undici-package');

/** The undici that is the peer on the Node of this process. */
module.exports = require(undiciPackage(process.versions.node));
