'use strict';

/**
 * ferrequest/register: puts the client in place of that of node:http and node:https, for the whole process (in a
 * worker: for the worker). `node --require ferrequest/register`, `node --import ferrequest/register`, or
 * `require('ferrequest/register')`.
 */

const http = require('node:http');
const https = require('node:https');
const { syncBuiltinESMExports } = require('node:module');

const ferrequest = require('./index');
const ferrequestHttps = require('./https');

const HTTP_NAMES = ['request', 'get', 'ClientRequest', 'Agent', 'globalAgent', 'setGlobalProxyFromEnv']
  .filter((name) => name in http);
const HTTPS_NAMES = ['request', 'get', 'Agent', 'globalAgent'];

/** What stood there before, to be put back. @type {{ target: object, name: string, before: PropertyDescriptor, ours: PropertyDescriptor }[]} */
let replaced = [];

/** Replaces the client. Doing it twice is the same as doing it once. */
function register() {
  if (replaced.length > 0) return;
  replaced = [...replace(http, ferrequest, HTTP_NAMES), ...replace(https, ferrequestHttps, HTTPS_NAMES)];
  syncBuiltinESMExports();
}

/** Puts everything back, except what another library has put in our place since: that is not ours to take away. */
function unregister() {
  for (const { target, name, before, ours } of replaced) {
    const current = Object.getOwnPropertyDescriptor(target, name);
    if (current.value === ours.value && current.get === ours.get) Object.defineProperty(target, name, before);
  }
  replaced = [];
  syncBuiltinESMExports();
}

function replace(target, source, names) {
  return names.map((name) => {
    const before = Object.getOwnPropertyDescriptor(target, name);
    const ours = Object.getOwnPropertyDescriptor(source, name);
    Object.defineProperty(target, name, ours);
    return { target, name, before, ours };
  });
}

register();

module.exports = { register, unregister };
