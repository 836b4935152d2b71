/**
 * Runs Jest with an addon that a sanitizer watches: `node scripts/sanitize.mjs address|thread [Jest's arguments]`, such
 * as `node scripts/sanitize.mjs address __test__/socket`. A report ends the process that it is about, and so fails its
 * test. Tests take several times longer, and a few run out of time.
 *
 * `address` needs the stable toolchain and gcc's libasan. `thread` needs a nightly with rust-src, for the standard
 * library has to be watched too, and clang's runtime and llvm-symbolizer (Debian: libclang-rt-19-dev, llvm).
 * SANITIZER_RUNTIME names another shared library of either.
 *
 * The addon is tried in a copy of this folder, in `target/`: the one here stays what it is.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync, cpSync, existsSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const [name, ...jestArguments] = process.argv.slice(2);

/** Node keeps much until its process ends; a signal of its own tells it of WebAssembly's accesses. */
const ADDRESS = 'detect_leaks=0:handle_segv=0:allocator_may_return_null=1:exitcode=66';
/** Of what Node and OpenSSL do among themselves nothing is known. */
const THREAD = 'ignore_noninstrumented_modules=1:report_signal_unsafe=0:halt_on_error=1:exitcode=66';
/** napi-sys writes its table of Node's functions, with what is there already, when another thread loads the addon. */
const SUPPRESSIONS = 'race:napi_sys::setup\nrace:napi_sys::functions::*::load\n';

/** @returns {string} the path of a library that gcc brings */
function findByGcc(library) {
  return execFileSync('gcc', [`-print-file-name=${library}`], { encoding: 'utf8' }).trim();
}

/** @returns {string} the path of a runtime of the newest clang in the places of Debian's packages */
function findOfClang(runtime) {
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
  for (let version = 40; version >= 18; version--) {
    const folder = `/usr/lib/llvm-${version}/lib/clang/${version}/lib/linux`;
    const library = path.join(folder, `libclang_rt.${runtime}-${machine}.so`);
    if (existsSync(library)) return library;
  }
  throw new Error(`no runtime of clang for ${runtime}: install libclang-rt-19-dev, or set SANITIZER_RUNTIME`);
}

/** @returns {string} the option that names the program by which suppressions know functions; '' if there is none */
function symbolizer() {
  const folder = (process.env.PATH ?? '').split(path.delimiter)
    .find((candidate) => existsSync(path.join(candidate, 'llvm-symbolizer')));
  return folder === undefined ? '' : `external_symbolizer_path=${path.join(folder, 'llvm-symbolizer')}`;
}

const SANITIZERS = {
  address: { toolchain: [], build: [], findRuntime: () => findByGcc('libasan.so'), options: { ASAN_OPTIONS: ADDRESS } },
  thread: {
    toolchain: ['+nightly'],
    build: ['-Zbuild-std=std,panic_unwind'],
    findRuntime: () => findOfClang('tsan'),
    options: { TSAN_OPTIONS: `${THREAD}:${symbolizer()}` },
  },
};

/** @returns {string} the triple of this machine */
function host(toolchain) {
  return /^host: (.+)$/m.exec(execFileSync('rustc', [...toolchain, '-vV'], { encoding: 'utf8' }))[1];
}

/** @returns {string} the addon */
function build({ toolchain, build: more }, folder) {
  const target = host(toolchain);
  const where = ['--target', target, '--target-dir', folder];
  execFileSync('cargo', [...toolchain, 'build', '--lib', '--release', ...where, ...more], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      // What a sanitizer needs of rustc is not stable yet, but it is there.
      RUSTC_BOOTSTRAP: '1',
      RUSTFLAGS: `-Zsanitizer=${name}`,
      CARGO_PROFILE_RELEASE_LTO: 'off',
      CARGO_PROFILE_RELEASE_DEBUG: '1',
      CARGO_PROFILE_RELEASE_STRIP: 'none',
      CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS: 'true',
    },
  });
  return path.join(folder, target, 'release', 'libferrequest.so');
}

/** Copies what Jest needs, and puts the addon there. */
function copyProject(addon, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const left = new Set(['target', 'node_modules', '.git', '.nodes', 'fuzz/target']);
  const isWanted = (source) => !left.has(path.relative(root, source)) && !source.endsWith('.node');
  const tracked = execFileSync('git', ['ls-tree', '--name-only', 'HEAD'], { cwd: root, encoding: 'utf8' });
  for (const entry of tracked.split('\n')) {
    const from = path.join(root, entry);
    if (entry !== '' && existsSync(from)) cpSync(from, path.join(folder, entry), { recursive: true, filter: isWanted });
  }
  symlinkSync(realpathSync(path.join(root, 'node_modules')), path.join(folder, 'node_modules'));
  copyFileSync(addon, path.join(folder, `ferrequest.linux-${process.arch}-gnu.node`));
}

const sanitizer = SANITIZERS[name];
if (sanitizer === undefined || process.platform !== 'linux') {
  console.error('usage, on Linux: node scripts/sanitize.mjs address|thread [Jest\'s arguments]');
  process.exit(2);
}
const runtime = realpathSync(process.env.SANITIZER_RUNTIME ?? sanitizer.findRuntime());
const place = path.join(root, 'target', `sanitizer-${name}`);
const tree = path.join(place, 'project');
const suppressions = path.join(place, 'suppressions');
copyProject(build(sanitizer, place), tree);
writeFileSync(suppressions, SUPPRESSIONS);
sanitizer.options.TSAN_OPTIONS &&= `${sanitizer.options.TSAN_OPTIONS}:suppressions=${suppressions}`;
const { status } = spawnSync(process.execPath, ['node_modules/jest/bin/jest.js', '--runInBand', ...jestArguments], {
  cwd: tree, stdio: 'inherit', env: { ...process.env, ...sanitizer.options, LD_PRELOAD: runtime },
});
process.exitCode = status ?? 1;
