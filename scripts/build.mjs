/**
 * Builds the addon and puts it where binding.js looks for it:
 *
 * - `node scripts/build.mjs [--debug] [--no-bundle]` builds for this machine, with its own linker, and bundles the
 *   JavaScript (`bundle.mjs`). Without the bundle this needs no package of npm's, so that it can run while those are
 *   installed.
 * - `node scripts/build.mjs --target TRIPLE` builds as it is published: for any of the targets in package.json, against
 *   an old glibc, with @napi-rs/cli, and checks the result. This needs `rustup target add TRIPLE`, and for Linux, and
 *   for macOS elsewhere, `pip install ziglang cargo-zigbuild`.
 *
 * `--output FOLDER` puts the addon elsewhere.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import requirements from './packaging/requirements.js';
import { fileName, find } from './packaging/targets.js';
import { missingFor, planFor } from './packaging/toolchain.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    debug: { type: 'boolean' },
    'no-bundle': { type: 'boolean' },
    target: { type: 'string' },
    output: { type: 'string' },
  },
});

/**
 * Builds for this machine. napi-build (build.rs) has told the linker all it needs to know, so what is left to do is to
 * give the library the name that says which platform it is for.
 * @param {string} scratch
 * @returns {string} The file of the addon.
 */
function buildForHost(scratch) {
  const messages = execFileSync(
    'cargo',
    ['build', '--lib', '--message-format=json-render-diagnostics', ...values.debug ? [] : ['--release']],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 * 1024 * 1024 },
  );
  const library = messages.split('\n').filter(Boolean).map((line) => JSON.parse(line))
    .filter(({ reason, target }) => reason === 'compiler-artifact' && target.crate_types.includes('cdylib'))
    .flatMap(({ filenames }) => filenames)
    .find((file) => /\.(?:so|dylib|dll)$/.test(file));
  if (library === undefined) throw new Error('cargo built no shared library');
  const host = /^host: (.+)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))[1];
  // The C library that rustc builds for; none where there is but one.
  const libc = /-(?:linux|windows)-(gnu|musl|msvc)/.exec(host)?.[1];
  const build = [process.platform, process.arch, libc].filter(Boolean).join('-');
  const addon = path.join(scratch, fileName({ build }));
  copyFileSync(library, addon);
  return addon;
}

/**
 * Builds for a target, as it is published.
 * @param {import('./packaging/targets.js').Target} target
 * @param {string} scratch
 * @returns {Promise<string>} The file of the addon.
 */
async function buildForTarget(target, scratch) {
  const { default: napi } = await import('./packaging/napi.js');
  const { triple, crossCompile, env } = planFor(target);
  const args = ['build', '--platform', '--no-js', '--output-dir', scratch, '--target', triple];
  if (!values.debug) args.push('--release');
  if (crossCompile) args.push('--cross-compile');
  napi.run(args, { cwd: root, env: { ...process.env, ...env } });

  const built = readdirSync(scratch).filter((name) => name.endsWith('.node'));
  if (built.join() !== fileName(target)) throw new Error(`@napi-rs/cli built ${built.join(', ') || 'nothing'}`);
  const addon = path.join(scratch, built[0]);
  const { faults, summary } = requirements.check(addon, target);
  if (faults.length > 0) throw new Error(`${built[0]} ${faults.join('; ')}`);
  console.log(`${built[0]}: ${summary}`);
  return addon;
}

const target = values.target === undefined ? undefined : find(values.target);
const missing = target === undefined ? [] : missingFor(target);
if (missing.length > 0) {
  console.error(`Building for ${target.triple} needs:\n${missing.map((what) => `  ${what}\n`).join('')}`);
  process.exit(1);
}

const output = path.resolve(root, values.output ?? '.');
mkdirSync(output, { recursive: true });
// Beside its place, so that a rename can bring it there.
const scratch = mkdtempSync(path.join(output, '.unfinished-'));
try {
  const built = target === undefined ? buildForHost(scratch) : await buildForTarget(target, scratch);
  const name = path.basename(built);
  const addon = path.join(output, name);
  // One that is there already stays: a process that loads the addon twice would have it twice if its file was another.
  if (existsSync(addon) && readFileSync(addon).equals(readFileSync(built))) {
    console.log(`${name} is up to date`);
  } else {
    // By a rename: a process that has the old one loaded keeps it, while writing into its file would crash it.
    renameSync(built, addon);
    console.log(`built ${name}`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
// Not imported before: it needs a package of npm's.
if (target === undefined && !values['no-bundle']) (await import('./bundle.mjs')).default();
