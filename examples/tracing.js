'use strict';

/**
 * Writes a line for each request of the process, with the times of its phases. It uses diagnostics_channel and
 * `request.timings`.
 */

const diagnostics = require('node:diagnostics_channel');
const { createServer } = require('node:http');
const { once } = require('node:events');

const http = require('ferrequest');
const { listen } = require('./support/server.js');

/** @returns {string} such as `wait 0.0, dns 0.4, tcp 0.2, request 0.1, firstByte 2.1` in ms */
function describe({ phases }) {
  return Object.entries(phases).filter(([, duration]) => duration !== undefined)
    .map(([name, duration]) => `${name} ${duration.toFixed(1)}`).join(', ');
}

diagnostics.subscribe('http.client.request.created', ({ request }) => {
  // The server can log this id too. At `http.client.request.start` the header is made already: too late for a field.
  request.setHeader('X-Request-Id', 'a1');
});
diagnostics.subscribe('http.client.response.finish', ({ request, response }) => {
  request.once('close', () => {
    console.log(`${request.method} ${request.path} ${response.statusCode} (ms: ${describe(request.timings)})`);
  });
});
diagnostics.subscribe('http.client.request.error', ({ request, error }) => {
  console.log(`${request.method} ${request.path} failed in the phase ${error.phase}: ${error.code}`);
});

async function main() {
  const server = await listen(createServer((request, response) => {
    if (request.url === '/broken') response.socket.destroy();
    else response.end(request.headers['x-request-id']);
  }));
  const [response] = await once(http.get(server.url), 'response');
  response.setEncoding('utf8').on('data', (id) => console.log(`the server was told ${id}`));
  await once(response, 'end');
  await once(http.get(`${server.url}broken`), 'response').catch(() => {});
  await server.close();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
