/**
 * Uses the installed package in many kinds of projects: under Jest and vitest, in bundles, with options of Node that
 * forbid something, in workers; and with `--all`, with what is fetched from npm for it: webpack, @vercel/nft,
 * TypeScript 7, a single executable, Deno and Bun. scripts/test-package.mjs calls it.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** What the program of each project says in the end, when the client in Rust has served it. */
const ANSWERED = /^answered by native$/m;

/** Fuse of Node's program that postject looks for. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/**
 * @typedef {object} Place
 * @property {string} scratch Empty folder for everything.
 * @property {string} project Folder with the programs, below the one with the installed package.
 * @property {string} modules The `node_modules` of the clone, with the tools.
 */

/**
 * Runs a program, and fails if it does.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv }} options
 * @returns {string} All that the program has said.
 */
function run(command, args, { cwd, env = {} }) {
  const { status, stdout, stderr, error, signal } = spawnSync(command, args, {
    cwd, encoding: 'utf8', timeout: 120_000, env: { PATH: process.env.PATH, HOME: cwd, CI: '1', NO_COLOR: '1', ...env },
  });
  const said = `${stdout}${stderr}`;
  if (error || status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? signal ?? `exit code ${status}`}\n${said}`);
  }
  return said;
}

/** Runs a program with Node. */
const node = (args, options) => run(process.execPath, args, options);

/** Lists the options of the permission model under which an addon may load, with the names of the running Node. */
function permissionOptions() {
  const has = (option) => process.allowedNodeEnvironmentFlags.has(option);
  return [has('--permission') ? '--permission' : '--experimental-permission', '--allow-fs-read=*',
    ...has('--allow-net') ? ['--allow-net'] : []];
}

/**
 * Finds the file with the addon.
 * @param {string} project
 */
function findAddon(project) {
  const require = createRequire(path.join(project, 'program.cjs'));
  return require('ferrequest').diagnose().addon.file;
}

/**
 * Bundles the program into a folder, with the addon where the bundle looks for it, and runs it there.
 * @param {Place} place
 * @param {string} name
 * @param {(folder: string) => void} bundle Writes `program.js`, and the addon, into the folder.
 */
function checkBundle({ scratch }, name, bundle) {
  const folder = path.join(scratch, name);
  mkdirSync(folder);
  bundle(folder);
  assert.match(node(['program.js'], { cwd: folder }), ANSWERED, name);
}

/** The kinds of projects that every CI run checks: name, and a function. @type {[string, (place: Place) => void][]} */
const QUICK = [
  ['a CommonJS program', ({ project }) => {
    assert.match(node(['program.cjs'], { cwd: project }), ANSWERED);
  }],
  ['an ES module', ({ project }) => {
    assert.match(node(['program.mjs'], { cwd: project }), ANSWERED);
  }],
  ['a worker thread', ({ project }) => {
    assert.equal(node(['worker.cjs'], { cwd: project }).match(/^answered by native$/mg).length, 2);
  }],
  ['--permission', ({ project }) => {
    const options = permissionOptions();
    assert.match(node([...options, '--allow-addons', 'program.cjs'], { cwd: project }), ANSWERED);
    const refused = node([...options, 'program.cjs'], { cwd: project });
    assert.match(refused, /^answered by node$/m);
    assert.match(refused, /FERREQUEST_FALLBACK/);
  }],
  ['--frozen-intrinsics', ({ project }) => {
    assert.match(node(['--frozen-intrinsics', 'program.cjs'], { cwd: project }), ANSWERED);
  }],
  ['--no-addons', ({ project }) => {
    assert.match(node(['--no-addons', 'program.cjs'], { cwd: project }), /^answered by node$/m);
  }],
  ['a startup snapshot', ({ project, scratch, modules }) => {
    const { buildSync } = createRequire(path.join(modules, 'x'))('esbuild');
    const outfile = path.join(scratch, 'snapshot.cjs');
    buildSync({ stdin: { contents: 'require("ferrequest");', resolveDir: project }, bundle: true, outfile,
      platform: 'node', external: ['*.node', 'ferrequest-*'], logLevel: 'error' });
    node(['--snapshot-blob', path.join(scratch, 'blob'), '--build-snapshot', outfile], { cwd: project });
  }],
  ['Jest, which finds no open handle', ({ project, modules }) => {
    const jest = path.join(modules, 'jest', 'bin', 'jest.js');
    const said = node([jest, '--rootDir', project, '--detectOpenHandles', '--testMatch', '**/jest.spec.js'],
      { cwd: project });
    assert.match(said, /Tests: +1 passed/);
    assert.doesNotMatch(said, /open handle|did not exit/i);
  }],
  ['vitest', ({ project, modules }) => {
    const vitest = path.join(modules, 'vitest', 'vitest.mjs');
    symlinkSync(path.join(modules, 'vitest'), path.join(project, '..', 'node_modules', 'vitest'));
    assert.match(node([vitest, 'run', '--root', project, 'vitest.spec.mjs'], { cwd: project }), /1 passed/);
  }],
  ['a bundle of esbuild, with the addon in it', (place) => checkBundle(place, 'esbuild', (folder) => {
    const { buildSync } = createRequire(path.join(place.modules, 'x'))('esbuild');
    buildSync({ entryPoints: [path.join(place.project, 'program.cjs')], bundle: true, outdir: folder, platform: 'node',
      loader: { '.node': 'copy' }, logLevel: 'error' });
  })],
  ['a bundle of esbuild, with the addon one folder above it', (place) => {
    const { buildSync } = createRequire(path.join(place.modules, 'x'))('esbuild');
    const folder = path.join(place.scratch, 'beside', 'out');
    buildSync({ entryPoints: [path.join(place.project, 'program.cjs')], bundle: true, outdir: folder, platform: 'node',
      external: ['*.node', 'ferrequest-*'], logLevel: 'error' });
    const addon = findAddon(place.project);
    copyFileSync(addon, path.join(place.scratch, 'beside', path.basename(addon)));
    assert.match(node(['program.js'], { cwd: folder }), ANSWERED);
  }],
  ['a bundle of esbuild, without ferrequest', (place) => checkBundle(place, 'external', (folder) => {
    const { buildSync } = createRequire(path.join(place.modules, 'x'))('esbuild');
    buildSync({ entryPoints: [path.join(place.project, 'program.cjs')], bundle: true, outdir: folder, platform: 'node',
      packages: 'external', logLevel: 'error' });
    symlinkSync(path.join(place.project, '..', 'node_modules'), path.join(folder, 'node_modules'));
  })],
];

/** Kinds of projects whose tools are fetched from npm. @type {[string, (place: Place) => void][]} */
const SLOW = [
  ['a bundle of webpack', (place) => checkBundle(place, 'webpack', (folder) => {
    const tools = install(place, 'webpack', 'webpack-cli', 'node-loader');
    writeFileSync(path.join(place.project, 'webpack.config.cjs'), `module.exports = {
      mode: 'production', target: 'node', entry: './program.cjs', context: __dirname,
      output: { path: ${JSON.stringify(folder)}, filename: 'program.js' },
      module: { rules: [{ test: /\\.node$/, loader: 'node-loader', options: { name: '[name].[ext]' } }] },
      resolveLoader: { modules: [${JSON.stringify(tools)}] },
    };`);
    node([path.join(tools, 'webpack', 'bin', 'webpack.js'), '--config', 'webpack.config.cjs'],
      { cwd: place.project, env: { NODE_PATH: tools } });
  })],
  ['@vercel/nft, which lists the addon', (place) => {
    const tools = install(place, '@vercel/nft');
    const trace = `const { nodeFileTrace } = require(${JSON.stringify(path.join(tools, '@vercel', 'nft'))});
      nodeFileTrace([process.argv[1]], { base: '/' }).then(({ fileList }) => console.log([...fileList].join('\\n')));`;
    const listed = node(['-e', trace, path.join(place.project, 'program.cjs')], { cwd: place.project }).split('\n');
    assert(listed.includes(findAddon(place.project).slice(1)), listed.join(' '));
    for (const name of ['requests.js', 'tls.js', 'later.js']) {
      assert(listed.some((file) => file.endsWith(`dist/${name}`)), listed.join(' '));
    }
  }],
  ['TypeScript 7', (place) => {
    const tools = install(place, 'typescript@7');
    for (const moduleResolution of ['nodenext', 'bundler']) {
      const module = moduleResolution === 'bundler' ? 'esnext' : moduleResolution;
      node([path.join(tools, 'typescript', 'bin', 'tsc'), '--module', module, '--moduleResolution', moduleResolution],
        { cwd: path.dirname(place.project) });
    }
  }],
  ['a single executable', (place) => {
    const tools = install(place, 'postject');
    const folder = path.join(place.scratch, 'sea');
    mkdirSync(folder);
    const { buildSync } = createRequire(path.join(place.modules, 'x'))('esbuild');
    buildSync({ entryPoints: [path.join(place.project, 'program.cjs')], bundle: true, platform: 'node',
      outfile: path.join(folder, 'program.cjs'), external: ['*.node', 'ferrequest-*'], logLevel: 'error' });
    const config = { main: 'program.cjs', output: 'program.blob', disableExperimentalSEAWarning: true };
    writeFileSync(path.join(folder, 'sea.json'), JSON.stringify(config));
    node(['--experimental-sea-config', 'sea.json'], { cwd: folder });
    const program = path.join(folder, 'program');
    copyFileSync(process.execPath, program);
    node([path.join(tools, 'postject', 'dist', 'cli.js'), program, 'NODE_SEA_BLOB', 'program.blob',
      '--sentinel-fuse', FUSE], { cwd: folder });
    assert.match(run(program, [], { cwd: folder }), /^answered by node$/m);
    const env = { NAPI_RS_NATIVE_LIBRARY_PATH: findAddon(place.project) };
    assert.match(run(program, [], { cwd: folder, env }), ANSWERED);
  }],
  ['Deno', (place) => {
    const deno = path.join(install(place, 'deno'), '.bin', 'deno');
    assert.match(run(deno, ['run', '--allow-all', 'program.cjs'], { cwd: place.project }), /^answered by node$/m);
  }],
  ['Bun', (place) => {
    const bun = path.join(install(place, 'bun'), '.bin', 'bun');
    assert.match(run(bun, ['run', 'program.cjs'], { cwd: place.project }), /^answered by node$/m);
  }],
];

/**
 * Installs packages from npm, into a folder that all projects share.
 * @param {Place} place
 * @param {string[]} names
 * @returns {string} The `node_modules` of that folder.
 */
function install({ scratch }, ...names) {
  const folder = path.join(scratch, `tools-${names[0].replace(/\W/g, '-')}`);
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
  execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund', ...names],
    { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  return path.join(folder, 'node_modules');
}

/**
 * Checks the package in all kinds of projects.
 * @param {object} options
 * @param {string} options.root Folder of the clone.
 * @param {string} options.project Folder with the installed package, and a copy of `__test__/package`.
 * @param {string} options.scratch
 * @param {boolean} options.all Also those whose tools are fetched from npm.
 */
export function checkProjects({ root, project, scratch, all }) {
  const place = { scratch, project: path.join(project, 'projects'), modules: path.join(root, 'node_modules') };
  let failed = 0;
  for (const [name, check] of [...QUICK, ...all ? SLOW : []]) {
    const begun = Date.now();
    try {
      check(place);
      console.log(`ok   ${name} (${((Date.now() - begun) / 1e3).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}\n${error.message}`);
    }
  }
  assert.equal(failed, 0, `${failed} kinds of projects fail`);
}
