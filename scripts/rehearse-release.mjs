/**
 * Rehearses a release against a registry on this machine:
 * `node scripts/rehearse-release.mjs [--artifacts FOLDER] [--keep]`.
 *
 * It packs the addons that are in a folder, publishes everything to verdaccio, installs it from there with npm, pnpm,
 * yarn 1 and yarn 4 (Plug'n'Play), each with a home of its own, and uses it. Of ours the registry knows only what is
 * published, so that whatever is not is missed; for the packages in the tarball, which yarn asks for all the same, it
 * asks the registry that npm is set to. The package managers and verdaccio come from npm. Provenance is all that is
 * left out: only a workflow of the repository can sign.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import packages from './packaging/packages.js';
import publishing from './packaging/publishing.js';
import { fileName, targets } from './packaging/targets.js';
import { libcFamily } from '../lib/ladder/libc.js';
import searches from '../lib/ladder/search.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** What is installed for the rehearsal. The pnpm is the newest that runs on every supported Node. */
const TOOLS = { verdaccio: '6.8.0', pnpm: '10.34.8', yarn: '1.22.22', '@yarnpkg/cli-dist': '4.18.1' };
/** verdaccio wants a version of it by a tag, which mirrors of the registry may not have. */
const OVERRIDES = { 'node-fetch': '2.7.0' };

const LOCK_FILES = ['package-lock.json', 'pnpm-lock.yaml', 'yarn.lock'];

/** Longest time that one command may take, in milliseconds. */
const PATIENCE = 180_000;

const { values: { artifacts, keep } } = parseArgs({
  options: { artifacts: { type: 'string', default: root }, keep: { type: 'boolean', default: false } },
});

/** Builds that are in the folder, and the one for this machine. */
const builds = targets.filter((target) => existsSync(path.join(artifacts, fileName(target)))).map(({ build }) => build);
const ours = searches.buildFor(libcFamily());

/** Makes a folder with these files. */
function makeFolder(folder, files) {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(path.join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

/**
 * Installs verdaccio and the package managers.
 * @param {string} scratch
 * @returns {(name: string, file: string) => string} Finds a file of one of them.
 */
function installTools(scratch) {
  const folder = makeFolder(path.join(scratch, 'tools'), {
    'package.json': { private: true, dependencies: TOOLS, overrides: OVERRIDES },
  });
  execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund'], { cwd: folder, timeout: PATIENCE });
  return (name, file) => path.join(folder, 'node_modules', name, file);
}

/** Finds a port that is free. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => { server.once('listening', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

/**
 * Starts verdaccio.
 * @param {string} scratch
 * @param {string} program
 * @returns {Promise<{ url: string, stop: () => void }>}
 */
async function startRegistry(scratch, program) {
  const folder = makeFolder(path.join(scratch, 'registry'), {
    // YAML takes JSON.
    'config.yaml': {
      storage: './storage',
      auth: {},
      uplinks: { npm: { url: execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim() } },
      packages: { 'ferrequest*': { access: '$all', publish: '$all' }, '**': { access: '$all', proxy: 'npm' } },
      max_body_size: '50mb',
      log: { type: 'stdout', level: 'warn' },
    },
  });
  const url = `http://127.0.0.1:${await freePort()}/`;
  const listen = ['--config', path.join(folder, 'config.yaml'), '--listen', url];
  const child = spawn(process.execPath, [program, ...listen], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  for (let left = 150; ; left--) {
    if (child.exitCode !== null || left === 0) throw new Error('verdaccio does not start');
    const answer = await fetch(`${url}-/ping`).catch(() => undefined);
    if (answer?.ok) break;
    await new Promise((resolve) => { setTimeout(resolve, 200); });
  }
  return { url, stop: () => child.kill() };
}

/**
 * Says how each package manager adds the package to a project, and how it runs node there.
 * @param {(name: string, file: string) => string} tool
 * @param {string} url
 * @returns {{ name: string, files: object, install: string[], node: string[] }[]}
 */
function packageManagers(tool, url) {
  const npmrc = `registry=${url}\nupdate-notifier=false\naudit=false\nfund=false\n`;
  const npm = realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim());
  const yarn4 = tool('@yarnpkg/cli-dist', 'bin/yarn.js');
  return [
    { name: 'npm', files: { '.npmrc': npmrc }, install: [npm, 'install', 'ferrequest'], node: [] },
    {
      name: 'pnpm',
      files: { '.npmrc': `${npmrc}minimum-release-age=0\n` },
      install: [tool('pnpm', 'bin/pnpm.cjs'), 'add', 'ferrequest'],
      node: [],
    },
    {
      name: 'yarn 1',
      files: { '.npmrc': npmrc, '.yarnrc': `registry "${url}"\n` },
      install: [tool('yarn', 'bin/yarn.js'), 'add', 'ferrequest'],
      node: [],
    },
    {
      name: 'yarn 4, Plug\'n\'Play',
      files: {
        'yarn.lock': '',
        '.yarnrc.yml': {
          npmRegistryServer: url,
          unsafeHttpWhitelist: ['127.0.0.1'],
          enableTelemetry: false,
          enableGlobalCache: false,
          npmMinimalAgeGate: 0,
          nodeLinker: 'pnp',
          pnpEnableEsmLoader: true,
        },
      },
      install: [yarn4, 'add', 'ferrequest'],
      node: [yarn4, 'node'],
    },
  ];
}

/**
 * Installs the package in an empty project, and uses it there.
 * @param {string} scratch
 * @param {ReturnType<typeof packageManagers>[number]} manager
 */
function tryManager(scratch, { name, files, install, node }) {
  console.log(`\n${name}`);
  const folder = path.join(scratch, name.replace(/\W+/g, '-'));
  const project = makeFolder(path.join(folder, 'project'), {
    'package.json': { name: 'consumer', version: '1.0.0', private: true }, ...files,
  });
  const home = makeFolder(path.join(folder, 'home'), {});
  for (const file of ['consumer.cjs', 'consumer.mjs', 'registered.cjs', 'registered.mjs']) {
    cpSync(path.join(root, '__test__/package', file), path.join(project, file));
  }
  // A fallback would pass what is not looked at.
  const search = [path.dirname(process.execPath), process.env.PATH].join(path.delimiter);
  const env = { PATH: search, HOME: home, FERREQUEST: 'strict' };
  const run = (args, stdio = 'inherit') => {
    execFileSync(process.execPath, args, { cwd: project, env, stdio, timeout: PATIENCE });
  };
  run(install, ['ignore', 'ignore', 'inherit']);
  run([...node, 'consumer.cjs']);
  run([...node, 'consumer.mjs']);
  run([...node, '--require', 'ferrequest/register', 'registered.cjs']);
  run([...node, '--import', 'ferrequest/register', 'registered.mjs']);
  const lock = LOCK_FILES.map((one) => path.join(project, one)).find(existsSync);
  for (const build of builds) {
    assert(readFileSync(lock, 'utf8').includes(`ferrequest-${build}`), `${lock} lacks ferrequest-${build}`);
  }
  console.log(`ok   the lock file has the packages of all ${builds.length} platforms`);
}

assert(builds.includes(ours), `${artifacts} has no addon for ${ours}`);

const scratch = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'ferrequest-rehearsal-')));
let registry;
try {
  const tarballs = makeFolder(path.join(scratch, 'tarballs'), {});
  packages.pack({ artifacts, destination: tarballs, release: true, builds });
  const tool = installTools(scratch);
  registry = await startRegistry(scratch, tool('verdaccio', 'bin/verdaccio'));
  const home = makeFolder(path.join(scratch, 'publisher'), {
    '.npmrc': `registry=${registry.url}\n${registry.url.replace('http:', '')}:_authToken=rehearsal\n`,
  });
  // Without what `npm run` has set: the file of settings of whoever runs this, above all.
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const env = { ...Object.fromEntries(inherited), HOME: home };
  const publish = { options: ['--provenance=false'], env, log: console.log };
  publishing.publish(tarballs, publish);
  // As when an interrupted release is run again.
  publishing.publish(tarballs, publish);
  for (const manager of packageManagers(tool, registry.url)) tryManager(scratch, manager);
  const left = targets.filter(({ build }) => !builds.includes(build)).map(({ build }) => build);
  console.log(`\nRehearsed with ${builds.join(', ')}${left.length > 0 ? `; without ${left.join(', ')}` : ''}`);
} finally {
  registry?.stop();
  if (keep) console.log(`kept ${scratch}`);
  else rmSync(scratch, { recursive: true, force: true });
}
