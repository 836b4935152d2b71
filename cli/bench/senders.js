'use strict';

/** The clients that `ferrequest bench` compares, each driven in the way that its users do. */

const http = require('node:http');

/** Undici closes connections after four idle seconds unless told otherwise; Node's agent keeps them. */
const KEEP_ALIVE_MS = 60_000;

/**
 * @typedef {object} Settings
 * @property {string} client
 * @property {string} url
 * @property {Record<string, string|string[]>} headers
 * @property {number} connections
 * @property {boolean} insecure
 * @property {number} status the status that each response must have
 * @property {string} [undici] where undici is
 * @property {number} warmUpMs
 * @property {number} measureMs
 *
 * @typedef {(error?: Error | null) => void} Done
 *
 * @typedef {object} Sender
 * @property {(done: Done) => void} send makes one request, and reads its response to the end
 * @property {() => void} close
 * @property {string} version
 */

/**
 * Checks a response: one that is another than the first has been measures something else.
 * @returns {Error|null}
 */
function check(status, { status: expected }) {
  return status === expected ? null : new Error(`the status is ${status} instead of ${expected}`);
}

/** @returns {typeof import('node:http')} the client of Node itself, whatever NODE_OPTIONS have put in its place */
function nodeClient(isTls) {
  http[Symbol.for('ferrequest.registered')]?.unregister();
  return isTls ? require('node:https') : http;
}

/**
 * Drives what has the API of node:http.
 * @param {typeof import('node:http')} api
 * @param {Settings} settings
 * @param {string} version
 * @returns {Sender}
 */
function httpSender(api, settings, version) {
  const { connections, headers, insecure } = settings;
  const url = new URL(settings.url);
  const agent = new api.Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections });
  const options = {
    protocol: url.protocol,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    ...url.port && { port: url.port },
    path: `${url.pathname}${url.search}`,
    headers,
    agent,
    ...insecure && { rejectUnauthorized: false },
  };
  return {
    send(done) {
      api.get(options, (response) => {
        response.on('data', () => {}).on('error', done);
        response.on('end', () => done(check(response.statusCode, settings)));
      }).on('error', done);
    },
    close: () => agent.destroy(),
    version,
  };
}

/**
 * Drives undici's own pool, with one request at a time on a connection, as Node's agent has it.
 * @param {Settings} settings
 * @returns {Sender}
 */
function undiciSender(settings) {
  const { connections, headers, insecure, undici } = settings;
  const url = new URL(settings.url);
  const { Pool } = require(undici);
  const pool = new Pool(url.origin, {
    connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    ...insecure && { connect: { rejectUnauthorized: false } },
  });
  const options = { method: 'GET', path: `${url.pathname}${url.search}`, headers };
  return {
    send(done) {
      pool.request(options).then(({ statusCode, body }) => {
        body.on('data', () => {}).on('error', done).on('end', () => done(check(statusCode, settings)));
      }, done);
    },
    close: () => pool.destroy(),
    version: require(`${undici}/package.json`).version,
  };
}

/**
 * Opens a client.
 * @param {Settings} settings
 * @returns {Sender}
 */
function openSender(settings) {
  const isTls = settings.url.startsWith('https:');
  if (settings.client === 'undici') return undiciSender(settings);
  if (settings.client === 'node') return httpSender(nodeClient(isTls), settings, process.versions.node);
  const ours = require('ferrequest');
  const { version, mode } = ours.diagnose();
  // Its own word: where it cannot run it is Node's client, which would be measured twice.
  if (mode === 'node') throw new Error(ours.diagnose().reason);
  return httpSender(isTls ? require('ferrequest/https') : ours, settings, version);
}

module.exports = { openSender };
