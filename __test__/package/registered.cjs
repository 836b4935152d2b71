'use strict';

// Run by scripts/test-package.mjs with `--require ferrequest/register`.
const assert = require('node:assert/strict');
const http = require('node:http');
const https = require('node:https');
const ferrequest = require('ferrequest');
const ferrequestHttps = require('ferrequest/https');
const { register, unregister } = require('ferrequest/register');

/** @param {boolean} ours whether node:http and node:https are to have ferrequest's client */
function check(ours) {
  for (const name of ['Agent', 'ClientRequest', 'get', 'globalAgent', 'request']) {
    assert.equal(http[name] === ferrequest[name], ours, `http.${name}`);
  }
  for (const name of ['Agent', 'get', 'globalAgent', 'request']) {
    assert.equal(https[name] === ferrequestHttps[name], ours, `https.${name}`);
  }
}

check(true);
unregister();
check(false);
register();
check(true);
console.log('ok   --require ferrequest/register replaces the client');
