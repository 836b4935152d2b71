'use strict';

/** Collects what serves the requests of agents, and what is loaded with the first of them. */

const addressOptions = require('./address-options');
const keepAlive = require('./keep-alive');
const { HttpOriginNames } = require('./origin-names');
const pool = require('./pool');
const { poolOptionsOf } = require('./pool-options');
const { createConnection, serve } = require('./serving');
const { limitsOf } = require('../phases/timeouts');
const { kProxyConfig } = require('../proxy/config');

module.exports = {
  HttpOriginNames, addressOptions, createConnection, kProxyConfig, keepAlive, limitsOf, pool, poolOptionsOf, serve,
};
