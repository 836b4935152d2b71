/**
 * Builds the addon with cargo and puts it where binding.js looks for it, and bundles the JavaScript (`bundle.mjs`):
 * `node scripts/build.mjs [--debug] [--no-bundle]`.
 * napi-build (build.rs) has told the linker all it needs to know, so what is left to do is to give the library the name
 * that says which platform it is for.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** @returns {string} the C library that rustc builds for, as in its target triple, or '' where there is but one */
function libc() {
  const host = /^host: (.+)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))[1];
  return /-(?:linux|windows)-(gnu|musl|msvc)/.exec(host)?.[1] ?? '';
}

/**
 * @param {boolean} release
 * @returns {string} the shared library that cargo has built
 */
function compile(release) {
  const messages = execFileSync(
    'cargo',
    ['build', '--lib', '--message-format=json-render-diagnostics', ...release ? ['--release'] : []],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 * 1024 * 1024 },
  );
  const library = messages.split('\n').filter(Boolean).map((line) => JSON.parse(line))
    .filter(({ reason, target }) => reason === 'compiler-artifact' && target.crate_types.includes('cdylib'))
    .flatMap(({ filenames }) => filenames)
    .find((file) => /\.(?:so|dylib|dll)$/.test(file));
  if (library === undefined) throw new Error('cargo built no shared library');
  return library;
}

const suffix = libc();
const name = `ferrequest.${process.platform}-${process.arch}${suffix && `-${suffix}`}.node`;
const library = compile(!process.argv.includes('--debug'));
const addon = path.join(root, name);
// One that is there already stays: a process that loads the addon twice would have it twice if its file was another.
if (existsSync(addon) && readFileSync(addon).equals(readFileSync(library))) {
  console.log(`${name} is up to date`);
} else {
  // By a rename: a process that has the old one loaded keeps it, while writing into its file would crash that process.
  const unfinished = path.join(root, `.unfinished.${name}`);
  copyFileSync(library, unfinished);
  renameSync(unfinished, addon);
  console.log(`built ${name}`);
}
// Not imported before: it needs a package of npm's.
if (!process.argv.includes('--no-bundle')) (await import('./bundle.mjs')).default();
