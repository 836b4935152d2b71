'use strict';

/**
 * Fuzzes the decoder against the parser of this very process, on inputs of the target `decode`:
 *
 *     node fuzz/against-node.js -max_total_time=60 fuzz/corpus/decode
 *
 * with any arguments of libFuzzer. An input that the two see differently ends it, and is left as a `crash-` file. Needs
 * Linux, Rust and a C++ compiler; neither a nightly nor cargo-fuzz.
 */

const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { METHODS, MODES, canAnswer, outcome } = require('./oracle');

/** What cargo-fuzz gives rustc, without a sanitizer: libFuzzer sees the edges and the comparisons of the decoder. */
const INSTRUMENTATION = [
  '--cfg=fuzzing', '-Cpasses=sancov-module', '-Ccodegen-units=1',
  ...['-level=4', '-inline-8bit-counters', '-pc-table', '-trace-compares']
    .map((option) => `-Cllvm-args=-sanitizer-coverage${option}`),
];

/** @returns {string} the addon */
function build() {
  const host = /^host: (.+)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))[1];
  execFileSync('cargo', ['build', '--lib', '--release', '--target', host], {
    cwd: __dirname,
    stdio: 'inherit',
    env: { ...process.env, CARGO_ENCODED_RUSTFLAGS: INSTRUMENTATION.join('\x1f') },
  });
  return path.join(__dirname, 'target', host, 'release', 'libagainst_node.so');
}

/** Holds a response, and the decoder's outcome behind it. */
const memory = Buffer.alloc(1024 * 1024);

/** Tells whether Node's outcome is the same. */
function isSame(length, ourLength, cutting, modeIndex, methodIndex, maxHeaderSize) {
  const mode = MODES[modeIndex];
  const method = METHODS[methodIndex];
  // A copy: Node's parser gives a body as a part of what it was given.
  const bytes = Buffer.from(memory.subarray(0, length));
  if (!canAnswer(mode, bytes)) return true;
  const cuts = [];
  for (let at = cutting & 0xff; at < length; at += cutting >> 8 || 1) cuts.push(at);
  const ours = memory.latin1Slice(length, length + ourLength);
  const node = outcome(bytes, cuts, { mode, method, maxHeaderSize }).join('\n');
  if (node === ours) return true;
  console.error({ bytes: bytes.latin1Slice(), cuts, mode, method, maxHeaderSize });
  console.error(`--- node\n${node}\n--- ours\n${ours}`);
  return false;
}

const addon = { exports: {} };
process.dlopen(addon, build());
const [major, minor, patch] = process.versions.llhttp.split('.').map(Number);
const llhttp = major << 16 | minor << 8 | patch;
process.exitCode = addon.exports.fuzz(['against-node', ...process.argv.slice(2)], llhttp, memory, isSame);
