'use strict';

/** Publishes tarballs with npm: the main package last, so that it never names one that is not there. */

const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { name: MAIN } = require('../../package.json');

/**
 * Reads the manifest in a tarball.
 * @param {string} tarball
 * @returns {{ name: string, version: string }}
 */
function manifestOf(tarball) {
  const args = ['-xzOf', path.basename(tarball), 'package/package.json'];
  return JSON.parse(execFileSync('tar', args, { cwd: path.dirname(tarball), encoding: 'utf8' }));
}

/**
 * Puts tarballs into the order in which they are published.
 * @param {string} folder
 * @returns {{ tarball: string, name: string, version: string, dependsOn: string[] }[]} The main package is the last.
 * @throws {Error} If versions differ, or the main package depends on one that is not there.
 */
function plan(folder) {
  const packages = fs.readdirSync(folder).filter((name) => name.endsWith('.tgz')).sort().map((name) => {
    const tarball = path.join(folder, name);
    const manifest = manifestOf(tarball);
    return { tarball, ...manifest, dependsOn: Object.keys(manifest.optionalDependencies ?? {}) };
  });
  const main = packages.find(({ name }) => name === MAIN);
  if (main === undefined) throw new Error(`${folder} has no tarball of ${MAIN}`);
  const platforms = packages.filter((one) => one !== main);
  const other = platforms.find(({ version }) => version !== main.version);
  if (other !== undefined) throw new Error(`${other.name} has version ${other.version}, and ${MAIN} ${main.version}`);
  const names = platforms.map(({ name }) => name);
  if (names.join() !== main.dependsOn.slice().sort().join()) {
    throw new Error(`${MAIN} depends on ${main.dependsOn.join(', ') || 'nothing'}, and there are ${names.join(', ')}`);
  }
  return [...platforms, main];
}

/**
 * Lists what package.json lacks for a release: npm compares `repository` with the one whose workflow has signed.
 * @param {object} manifest
 * @returns {string[]}
 */
function lacksOf({ repository }) {
  return repository === undefined ? ['package.json names no repository, without which npm refuses provenance'] : [];
}

/**
 * Publishes tarballs. One that the registry has already is passed over, so that an interrupted run can be repeated.
 * @param {string} folder
 * @param {{ options: string[], env?: NodeJS.ProcessEnv, log: (line: string) => void }} how Options for `npm publish`.
 */
function publish(folder, { options, env = process.env, log }) {
  const shell = process.platform === 'win32';
  for (const { tarball, name, version } of plan(folder)) {
    const registry = options.filter((option) => option.startsWith('--registry='));
    const { stdout } = spawnSync('npm', ['view', `${name}@${version}`, 'version', ...registry], {
      env, encoding: 'utf8', shell, stdio: ['ignore', 'pipe', 'ignore'],
    });
    if (stdout.trim() === version) {
      log(`${name}@${version} is there already`);
    } else {
      execFileSync('npm', ['publish', tarball, '--access=public', '--loglevel=error', ...options], {
        env, shell, stdio: ['ignore', 'ignore', 'inherit'],
      });
      log(`published ${name}@${version}`);
    }
  }
}

module.exports = { lacksOf, plan, publish };
