'use strict';

/** Ends requests by AbortSignals: one that waits, one whose response is read, and many by one signal. */

const { createServer } = require('node:http');
const { once } = require('node:events');

const http = require('ferrequest');
const { listen } = require('./support/server.js');

/** Answers `/endless` without end, and other requests not at all. */
function answer(request, response) {
  if (request.url !== '/endless') return;
  const send = () => {
    while (!response.destroyed && response.write('more and more '));
  };
  response.on('drain', send);
  send();
}

/** Ends a whole request at a deadline. */
async function withDeadline(url) {
  const request = http.get(url, { signal: AbortSignal.timeout(50) });
  const error = await once(request, 'response').catch((reason) => reason);
  console.log(`no answer in time: ${error.code}`);
}

/** Reads a response until it has enough of it, and then ends the request. */
async function enough(url) {
  const controller = new AbortController();
  const [response] = await once(http.get(`${url}endless`, { signal: controller.signal }), 'response');
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += chunk.length;
      if (bytes > 100_000) controller.abort();
    }
  } catch (error) {
    console.log(`enough was read: ${error.code}`);
  }
}

/** Ends many requests by one signal. */
async function together(url) {
  const controller = new AbortController();
  const outcomes = ['a', 'b', 'c'].map((path) => {
    return once(http.get(url + path, { signal: controller.signal }), 'response').catch((error) => error.name);
  });
  controller.abort();
  console.log(`three at once: ${(await Promise.all(outcomes)).join(', ')}`);
}

async function main() {
  const server = await listen(createServer(answer));
  await withDeadline(server.url);
  await enough(server.url);
  await together(server.url);
  await server.close();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
