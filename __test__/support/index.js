'use strict';

/** This module gives a test file all that it needs, and registers the clean-up after each test. */
module.exports = {
  http: require('./http'),
  ...require('./agents'),
  certificate: require('./certificate'),
  ...require('./child'),
  ...require('./cleanup'),
  ...require('./conditions'),
  ...require('./exchange'),
  ...require('./kernel'),
  ...require('./recorder'),
  ...require('./servers'),
  ...require('./unused-port'),
  ...require('./wait'),
};
