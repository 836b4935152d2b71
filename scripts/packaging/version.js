'use strict';

/** Keeps the version the same in package.json, package-lock.json, Cargo.toml, Cargo.lock and CHANGELOG.md. */

const fs = require('node:fs');
const path = require('node:path');

const changelog = require('./changelog');

const VERSION = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

/** The version in Cargo.toml, and in the part of Cargo.lock that is ours. */
const IN_CARGO = /(name = "ferrequest"\nversion = ")([^"]+)(")/;

/**
 * Lists the places that a version stands in.
 * @param {string} root
 * @returns {{ name: string, read: () => string|undefined, write: (version: string) => void }[]}
 */
function places(root) {
  const text = (name) => fs.readFileSync(path.join(root, name), 'utf8');
  const save = (name, content) => fs.writeFileSync(path.join(root, name), content);
  const json = (name, set) => ({
    name,
    read: () => JSON.parse(text(name)).version,
    write(version) {
      const content = JSON.parse(text(name));
      set(content, version);
      save(name, `${JSON.stringify(content, null, 2)}\n`);
    },
  });
  const cargo = (name) => ({
    name,
    read: () => IN_CARGO.exec(text(name))?.[2],
    write: (version) => save(name, text(name).replace(IN_CARGO, `$1${version}$3`)),
  });
  return [
    json('package.json', (content, version) => { content.version = version; }),
    json('package-lock.json', (content, version) => {
      content.version = version;
      content.packages[''].version = version;
    }),
    cargo('Cargo.toml'),
    cargo('Cargo.lock'),
  ];
}

/**
 * Sets the version everywhere, and dates its section of the changelog.
 * @param {string} root
 * @param {string} version
 * @param {string} date
 */
function set(root, version, date) {
  if (!VERSION.test(version)) throw new Error(`No version: ${version}`);
  const file = path.join(root, 'CHANGELOG.md');
  const released = changelog.release(fs.readFileSync(file, 'utf8'), version, date);
  for (const { write } of places(root)) write(version);
  fs.writeFileSync(file, released);
}

/**
 * Lists what keeps a tag from being released.
 * @param {string} root
 * @param {string} tag Such as `v0.1.0`.
 * @returns {string[]}
 */
function faultsOf(root, tag) {
  const version = tag.replace(/^v/, '');
  if (tag === version || !VERSION.test(version)) return [`${tag} is no tag of a version, such as v1.2.3`];
  const faults = places(root).map(({ name, read }) => ({ name, found: read() }))
    .filter(({ found }) => found !== version).map(({ name, found }) => `${name} has version ${found}`);
  const section = changelog.find(fs.readFileSync(path.join(root, 'CHANGELOG.md'), 'utf8'), version);
  if (section === undefined) faults.push(`CHANGELOG.md has no dated section of ${version}`);
  else if (!/^\d{4}-\d\d-\d\d$/.test(section.date)) faults.push(`CHANGELOG.md dates ${version} by ${section.date}`);
  return faults;
}

module.exports = { faultsOf, set };
