'use strict';

/**
 * Packs what is published: the main package, which has no addon, and a package for each build of the addon. Everything
 * is made in a folder of its own, by `npm pack` and @napi-rs/cli; the clone stays as it is.
 */

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const licences = require('./licences');
const napi = require('./napi');
const { fileName, targets } = require('./targets');

const ROOT = path.join(__dirname, '../..');
const LICENCES = 'THIRD-PARTY-LICENSES.txt';

/**
 * Runs `npm pack`.
 * @param {string} folder
 * @param {string} destination
 * @param {string[]} [options]
 * @returns {string} The tarball.
 */
function npmPack(folder, destination, options = []) {
  const args = ['pack', '--loglevel=error', '--pack-destination', destination, ...options];
  const stdio = ['ignore', 'ignore', 'inherit'];
  execFileSync('npm', args, { cwd: folder, stdio, shell: process.platform === 'win32' });
  const { name, version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return path.join(destination, `${name}-${version}.tgz`);
}

/**
 * Changes a package.json.
 * @param {string} folder
 * @param {(manifest: object) => void} change
 */
function changeManifest(folder, change) {
  const file = path.join(folder, 'package.json');
  const manifest = JSON.parse(fs.readFileSync(file, 'utf8'));
  change(manifest);
  fs.writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * Makes the folder of the main package. What `npm pack` makes in a clone has this machine's addon, so that it can be
 * installed as it is; what is published has none.
 * @param {string} scratch
 * @returns {string}
 */
function makeStage(scratch) {
  execFileSync(process.execPath, [path.join(ROOT, 'scripts/bundle.mjs')]);
  const tarball = npmPack(ROOT, scratch, ['--ignore-scripts']);
  execFileSync('tar', ['-xzf', path.basename(tarball)], { cwd: scratch });
  const stage = path.join(scratch, 'package');
  for (const name of fs.readdirSync(stage)) if (name.endsWith('.node')) fs.rmSync(path.join(stage, name));
  changeManifest(stage, (manifest) => {
    manifest.files = manifest.files.filter((pattern) => !pattern.endsWith('.node'));
  });
  return stage;
}

/**
 * Makes the folders of the packages of the platforms, each with its addon and the licences of what is linked into it.
 * @param {string} stage Folder of the main package, whose manifest lists the targets.
 * @param {string} addons Folder with their addons, and nothing else.
 * @returns {string[]}
 */
function makePlatformFolders(stage, addons) {
  napi.runSilently(['create-npm-dirs'], stage);
  napi.runSilently(['artifacts', '--output-dir', addons], stage);
  const text = licences.collect(ROOT);
  return fs.readdirSync(path.join(stage, 'npm')).map((name) => {
    const folder = path.join(stage, 'npm', name);
    fs.copyFileSync(path.join(ROOT, 'LICENSE'), path.join(folder, 'LICENSE'));
    fs.writeFileSync(path.join(folder, LICENCES), text);
    changeManifest(folder, (manifest) => manifest.files.push(LICENCES));
    return folder;
  });
}

/**
 * Packs the main package and those of the platforms.
 * @param {object} options
 * @param {string} options.artifacts Folder with the addons, by the names that the loader looks for.
 * @param {string} options.destination Folder that the tarballs go to.
 * @param {boolean} [options.release] Whether every target has to be there, and the main package depends on all of them.
 *   Otherwise those are packed that are there, and the main package depends on none: npm would look for them.
 * @param {string[]} [options.builds] Names of the builds to pack; all, by default.
 * @returns {{ main: string, platforms: string[] }} The tarballs.
 */
function pack({ artifacts, destination, release = false, builds }) {
  const wanted = builds === undefined ? targets : targets.filter(({ build }) => builds.includes(build));
  const isThere = (target) => fs.existsSync(path.join(artifacts, fileName(target)));
  const missing = wanted.filter((target) => !isThere(target)).map(fileName);
  if (release && missing.length > 0) throw new Error(`A release needs every addon; missing: ${missing.join(', ')}`);
  const there = wanted.filter(isThere);

  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-pack-'));
  try {
    const addons = path.join(scratch, 'addons');
    fs.mkdirSync(addons);
    for (const name of there.map(fileName)) fs.copyFileSync(path.join(artifacts, name), path.join(addons, name));
    const stage = makeStage(scratch);
    changeManifest(stage, ({ napi: config }) => { config.targets = there.map(({ triple }) => triple); });
    const platforms = there.length === 0 ? []
      : makePlatformFolders(stage, addons).map((folder) => npmPack(folder, destination));
    if (release) {
      napi.runSilently(['pre-publish', '--tag-style', 'npm', '--skip-optional-publish', '--no-gh-release'], stage);
    }
    // @napi-rs/cli leaves a copy of each addon beside the manifest; `files` leaves them out.
    return { main: npmPack(stage, destination, ['--ignore-scripts']), platforms };
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

module.exports = { LICENCES, pack };
