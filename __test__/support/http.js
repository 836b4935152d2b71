'use strict';

// The module under test. With ORACLE=node it is Node's own, which proves that a test states what Node does.
module.exports = process.env.ORACLE === 'node' ? require('node:http') : require('../..');
