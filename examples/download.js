'use strict';

/**
 * Downloads a URL to a file, with a progress bar: `node examples/download.js [URL FILE]`. Without arguments it
 * downloads 64 MiB from a server of its own. The file gets its name only when it is whole.
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { createServer } = require('node:http');
const { once } = require('node:events');
const { Transform } = require('node:stream');
const { pipeline } = require('node:stream/promises');

const http = require('ferrequest');
const https = require('ferrequest/https');
const { listen } = require('./support/server.js');

const WIDTH = 30;

/** Draws the progress: on a terminal one line again and again, elsewhere only the last one. */
function draw(bytes, total, isEnd) {
  if (!process.stdout.isTTY && !isEnd) return;
  const share = total ? bytes / total : 0;
  const bar = total ? `[${'#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH)}] ${(share * 100).toFixed(0)} % ` : '';
  const line = `${bar}${(bytes / 2 ** 20).toFixed(1)} MiB`;
  process.stdout.write(process.stdout.isTTY ? `\r${line}${isEnd ? '\n' : ''}` : `${line}\n`);
}

/** @returns {Transform} what passes the bytes on and draws the bar */
function progress(total) {
  let bytes = 0;
  return new Transform({
    transform(chunk, _encoding, callback) {
      bytes += chunk.length;
      draw(bytes, total, false);
      callback(null, chunk);
    },
    flush(callback) {
      draw(bytes, total, true);
      callback();
    },
  });
}

async function download(url, file) {
  const request = (url.startsWith('https:') ? https : http).get(url);
  const [response] = await once(request, 'response');
  if (response.statusCode !== 200) {
    request.destroy();
    throw new Error(`${url}: ${response.statusCode} ${response.statusMessage}`);
  }
  const part = `${file}.part`;
  try {
    // A response that is cut makes the pipeline fail.
    await pipeline(response, progress(Number(response.headers['content-length'])), fs.createWriteStream(part));
    await fs.promises.rename(part, file);
  } catch (error) {
    await fs.promises.rm(part, { force: true });
    throw error;
  }
}

async function main([url, file]) {
  if (url && file) {
    await download(url, file);
    return;
  }
  const piece = Buffer.alloc(2 ** 20, 'ferrequest');
  const server = await listen(createServer(async (_request, response) => {
    response.setHeader('Content-Length', 64 * piece.length);
    await pipeline(function* pieces() {
      for (let i = 0; i < 64; i++) yield piece;
    }, response);
  }));
  const folder = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'ferrequest-'));
  const target = path.join(folder, 'file');
  await download(server.url, target);
  console.log(`${(await fs.promises.stat(target)).size} bytes in the file`);
  await fs.promises.rm(folder, { recursive: true });
  await server.close();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
