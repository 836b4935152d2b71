'use strict';

/**
 * Runs blocks of JavaScript, one behind the other, in this process: `node run-blocks.js RESULTS PLAN`. A block is over
 * when nothing holds the process any more. A block fails if it throws, rejects, or writes to stderr.
 */

const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
const { pathToFileURL } = require('node:url');
const { once } = require('node:events');
const { startServers } = require('./servers');

const [results, plan] = [process.argv[2], JSON.parse(process.argv[3])];
const outcomes = {};
let current = null;

/** Takes what the block writes to a stream of the process, and nothing else. */
function capture(stream, add) {
  stream.write = (chunk, encoding, callback) => {
    if (current) add(current, String(chunk));
    const done = typeof encoding === 'function' ? encoding : callback;
    if (done) process.nextTick(done);
    return true;
  };
}

/** Ends the process: what a block has left open would disturb those that follow. */
function fail(error) {
  current.failure = `${error?.stack ?? error}\n${current.failure ?? ''}`;
  fs.writeFileSync(results, JSON.stringify(outcomes));
  process.exit(1);
}

function start({ name, source, isModule }, servers, index) {
  current = { failure: null, stdout: '', asked: servers.asked() };
  outcomes[name] = current;
  const file = path.join(process.cwd(), `block-${process.pid}-${index}.${isModule ? 'mjs' : 'cjs'}`);
  fs.writeFileSync(file, source.replaceAll('8080', String(servers.port)).replaceAll('8443', String(servers.tlsPort)));
  // Without anything to wait for, the process would end here.
  setImmediate(() => {});
  if (isModule) import(pathToFileURL(file)).catch(fail);
  else createRequire(file)(file);
}

async function main() {
  const servers = await startServers();
  capture(process.stdout, (block, text) => { block.stdout += text; });
  capture(process.stderr, (block, text) => { block.failure = (block.failure ?? '') + text; });
  process.on('uncaughtException', fail);
  for (const [index, block] of plan.entries()) {
    start(block, servers, index);
    await once(process, 'beforeExit');
    current.asked = servers.asked() - current.asked;
    fs.writeFileSync(results, JSON.stringify(outcomes));
  }
}

main();
