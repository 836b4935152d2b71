/**
 * Packs the package and that of this platform as they are published, installs both tarballs into an empty project, and
 * uses them there from CommonJS, from ES modules and from TypeScript, with nothing but Node itself on PATH: no Rust, no
 * compiler, no shell. Then in many kinds of projects (test-projects.mjs): `npm run test:package`, or with `-- --all` in
 * those, too, for which tools are fetched from npm.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { libcFamily } from '../lib/ladder/libc.js';
import searches from '../lib/ladder/search.js';
import packages from './packaging/packages.js';
import { checkProjects } from './test-projects.mjs';

const BELONGS = new RegExp(`^(?:${[
  '(?:lib|dist|cli)/.+\\.m?js',
  'bench/lib/(?:closed-loop|latency-histogram|statistics)\\.js',
  // What the command needs, and nothing else does.
  'node_modules/(?:@colors/colors|ansi-regex|cli-progress|cli-table3|commander|emoji-regex)/.+',
  'node_modules/(?:is-fullwidth-code-point|string-width|strip-ansi)/.+',
  'binding\\.js',
  '(?:index|https)\\.(?:m?js|d\\.m?ts)',
  'register\\.(?:js|d\\.ts)',
  'docs/troubleshooting\\.md',
  'package\\.json|README\\.md|CHANGELOG\\.md|LICENSE',
].join('|')})$`);

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(root, 'node_modules');
/** Name of the build of the addon for this platform. */
const build = searches.buildFor(libcFamily());

/** @param {string} tarball */
function checkContents(tarball) {
  const listing = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' });
  const files = listing.trim().split('\n').map((file) => file.replace(/^package\//, ''));
  assert.deepEqual(files.filter((file) => !BELONGS.test(file)), [], 'files that do not belong into the package');
  const wanted = ['dist/index.js', 'dist/ferrequest.js', 'dist/tls.js', 'dist/requests.js', 'dist/later.js',
    'index.js', 'index.mjs', 'index.d.ts', 'https.js', 'register.js', 'README.md', 'LICENSE'];
  assert.deepEqual(wanted.filter((file) => !files.includes(file)), [], 'files that are missing from the package');
  console.log(`ok   the tarball has ${files.length} files`);
}

/**
 * @param {string} scratch
 * @param {string[]} tarballs
 */
function checkInstalled(scratch, tarballs) {
  const npm = realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim());
  const bin = path.join(scratch, 'bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, path.join(bin, 'node'));
  const project = path.join(scratch, 'project');
  cpSync(path.join(root, '__test__', 'package'), project, { recursive: true });
  writeFileSync(path.join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));

  const run = (...args) => execFileSync(process.execPath, args, {
    cwd: project, env: { PATH: bin, HOME: scratch }, stdio: 'inherit', timeout: 60_000,
  });
  run(npm, 'install', '--offline', '--silent', ...tarballs);
  const installed = readdirSync(path.join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
  assert.deepEqual(installed, ['ferrequest', `ferrequest-${build}`], 'the package brings others with it');
  run('consumer.cjs');
  run('consumer.mjs');
  run('--require', 'ferrequest/register', 'registered.cjs');
  run('--import', 'ferrequest/register', 'registered.mjs');
  run(path.join('node_modules', '.bin', 'ferrequest'), 'doctor');

  for (const name of ['@types', 'undici-types']) {
    symlinkSync(path.join(modules, name), path.join(project, 'node_modules', name));
  }
  const tsc = path.join(modules, 'typescript', 'bin', 'tsc');
  run(tsc);
  run(tsc, '--module', 'nodenext', '--moduleResolution', 'nodenext');
  run(tsc, '--module', 'esnext', '--moduleResolution', 'bundler');
  console.log('ok   the declarations type-check');
}

/**
 * Installs what `npm pack` makes in a clone, which has this machine's addon in it.
 * @param {string} scratch
 */
function checkPackOfClone(scratch) {
  const project = path.join(scratch, 'of-clone');
  mkdirSync(project);
  writeFileSync(path.join(project, 'package.json'), '{}');
  const stdio = ['ignore', 'ignore', 'inherit'];
  const npm = (cwd, ...args) => execFileSync('npm', args, { cwd, stdio });
  npm(root, 'pack', '--silent', '--pack-destination', project);
  npm(project, 'install', '--offline', '--silent', `./${readdirSync(project).find((name) => name.endsWith('.tgz'))}`);
  const mode = execFileSync(process.execPath, ['-p', 'require("ferrequest").stats().mode'], { cwd: project });
  assert.equal(String(mode).trim(), 'native');
  console.log('ok   the tarball of a clone has the addon in it');
}

const scratch = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'ferrequest-package-')));
try {
  const { main, platforms } = packages.pack({ artifacts: root, destination: scratch, builds: [build] });
  checkContents(main);
  assert.equal(platforms.length, 1, `the addon for ${build} is missing: npm run build`);
  checkInstalled(scratch, [main, ...platforms]);
  checkPackOfClone(scratch);
  checkProjects({ root, scratch, project: path.join(scratch, 'project'), all: process.argv.includes('--all') });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
