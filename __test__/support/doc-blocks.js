'use strict';

/** The blocks of code in a page of docs/, run as they are. */

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { once } = require('node:events');
const { cleanUp } = require('./cleanup');
const { ROOT, runNode } = require('./child');

/**
 * @param {string} page such as `retry.md`
 * @returns {string[]} the blocks of JavaScript in it
 */
function blocksOf(page) {
  const text = fs.readFileSync(path.join(ROOT, 'docs', page), 'utf8');
  return [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, block]) => block);
}

/**
 * Runs blocks, one behind the other, with a server where they take port 8080 to be one.
 * @param {string[]} blocks
 * @returns {Promise<Array<{ code: number, stderr: string, asked: number }>>} asked: requests that the server has got
 */
async function runBlocks(blocks) {
  let asked = 0;
  const server = http.createServer((req, res) => {
    asked++;
    req.resume().on('end', () => res.end('answered'));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanUp(() => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  }));
  const results = [];
  for (const block of blocks) {
    const before = asked;
    const source = block.replaceAll("require('ferrequest')", `require(${JSON.stringify(ROOT)})`)
      .replaceAll("'localhost'", "'127.0.0.1'").replaceAll('8080', String(server.address().port))
      .replaceAll('__filename', JSON.stringify(__filename));
    const { code, stderr } = await runNode(['-e', source]);
    results.push({ code, stderr, asked: asked - before });
  }
  return results;
}

module.exports = { blocksOf, runBlocks };
