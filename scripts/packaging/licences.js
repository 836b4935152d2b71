'use strict';

/** Collects the licences of the crates that are linked into the addon, which their texts have to go with. */

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

/** Licences that a crate may have, best first. A crate that has none of them must not be linked. */
const ACCEPTED = ['MIT', 'ISC', 'BSD-3-Clause', 'BSD-2-Clause', 'Apache-2.0', 'Zlib', 'Unlicense'];

/** Names of files with a licence, by what Cargo.toml calls it. */
const FILES = {
  MIT: /^licen[sc]e[-_.]?mit(?:\.\w+)?$/i,
  'Apache-2.0': /^licen[sc]e[-_.]?apache(?:[-_.]?2\.0)?(?:\.\w+)?$/i,
  Unlicense: /^unlicense$/i,
};
const ANY_FILE = /^(?:licen[sc]e|copying)(?:\.(?:md|txt))?$/i;

/** The terms of the MIT licence, for crates that name it and have no file. */
function termsOfMit(root) {
  const text = fs.readFileSync(path.join(root, 'LICENSE'), 'utf8');
  return text.slice(text.indexOf('Permission is hereby granted'));
}

/**
 * Lists the crates that are linked into the addon on any target: no macros, no build scripts, no tests.
 * @param {object} metadata Of `cargo metadata`.
 * @returns {object[]} By name.
 */
function linked({ packages, resolve }) {
  const byId = new Map(packages.map((one) => [one.id, one]));
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const seen = new Set();
  const pending = [resolve.root];
  while (pending.length > 0) {
    const id = pending.pop();
    const isMacro = byId.get(id).targets.some(({ kind }) => kind.includes('proc-macro'));
    if (seen.has(id) || isMacro) continue;
    seen.add(id);
    pending.push(...nodes.get(id).deps.filter(({ dep_kinds: kinds }) => kinds.some(({ kind }) => kind === null))
      .map(({ pkg }) => pkg));
  }
  seen.delete(resolve.root);
  return [...seen].map((id) => byId.get(id)).sort((one, other) => (one.name < other.name ? -1 : 1));
}

/**
 * Chooses among the licences of a crate.
 * @param {{ name: string, license: string|null }} crate
 * @returns {string} The best that is accepted.
 */
function choose({ name, license }) {
  const expression = license ?? '';
  const offered = expression.split(/\s+OR\s+|\//).map((one) => one.replace(/[()]/g, '').trim());
  const chosen = ACCEPTED.find((one) => offered.includes(one));
  if (chosen === undefined) throw new Error(`The licence of ${name} is not accepted: ${expression || 'none'}`);
  return chosen;
}

/**
 * Reads the text of the licence of a crate.
 * @param {object} crate
 * @param {string} licence
 * @param {string} root
 * @returns {string}
 */
function textOf(crate, licence, root) {
  const folder = path.dirname(crate.manifest_path);
  const names = fs.readdirSync(folder);
  const name = names.find((one) => FILES[licence]?.test(one)) ?? names.find((one) => ANY_FILE.test(one));
  if (name !== undefined) return fs.readFileSync(path.join(folder, name), 'utf8').trim();
  if (licence !== 'MIT') throw new Error(`${crate.name} has no file with its licence`);
  const holders = crate.authors.length > 0 ? crate.authors.join(', ') : `the authors of ${crate.name}`;
  return `Copyright (c) ${holders}\n\n${termsOfMit(root)}`.trim();
}

/**
 * Collects the licences of everything that is linked into the addon.
 * @param {string} root Folder of the crate.
 * @returns {string} A text of which each licence is a part, with the crates that have it.
 */
function collect(root) {
  const args = ['metadata', '--locked', '--format-version', '1'];
  const metadata = JSON.parse(execFileSync('cargo', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 }));
  const parts = new Map();
  const add = (crate, licence, text) => parts.set(text, [...parts.get(text) ?? [], `${crate} (${licence})`]);
  add('The Rust standard library', 'MIT', `Copyright (c) The Rust Project Contributors\n\n${termsOfMit(root)}`.trim());
  for (const crate of linked(metadata)) {
    const licence = choose(crate);
    add(`${crate.name} ${crate.version}`, licence, textOf(crate, licence, root));
  }
  const rule = '-'.repeat(80);
  return ['The addon of ferrequest has the following linked into it, under the licences given.',
    ...[...parts].map(([text, crates]) => `${rule}\n${crates.join('\n')}\n\n${text}`), ''].join('\n\n');
}

module.exports = { choose, collect, linked };
