'use strict';

module.exports = { ...require('./both'), ...require('./socks') };
