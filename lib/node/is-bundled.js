'use strict';

/** True in `dist/`, for which scripts/bundle.mjs replaces this file. */
module.exports = false;
