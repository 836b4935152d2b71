'use strict';

/** Tells whether the machine has perl, which does on sockets what Node cannot. */

const { spawnSync } = require('node:child_process');

const hasPerl = !spawnSync('perl', ['-v']).error;
if (!hasPerl) console.warn('Tests are skipped, because there is no perl: apt-get install perl-base');

module.exports = { hasPerl };
