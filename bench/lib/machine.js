'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { packageOf } = require('../clients');

/**
 * What the figures depend on, for the reader to judge them by.
 *
 * @typedef {object} Machine
 * @property {string} cpu
 * @property {number} cores
 * @property {string} memory
 * @property {string} system
 * @property {string} node
 * @property {Record<string, string>} packages
 *
 * @param {string} nodeBinary
 * @param {import('../clients').Client[]} clients those that were measured
 * @returns {Machine}
 */
function describeMachine(nodeBinary, clients) {
  const cpus = os.cpus();
  return {
    cpu: processorName(cpus[0]?.model.trim()),
    cores: cpus.length,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: firstLine(nodeBinary, '--version'),
    packages: versionsOf(clients, nodeBinary),
  };
}

/**
 * Names the processor. Some virtual machines tell only the maker and the line, which has generations of very different
 * speed: then family and model say which it is.
 *
 * @param {string | undefined} name
 * @returns {string}
 */
function processorName(name) {
  if (!name) {
    return 'unknown';
  }
  if (/\d/.test(name) || process.platform !== 'linux') {
    return name;
  }
  const text = fs.readFileSync('/proc/cpuinfo', 'utf8');
  const family = /^cpu family\s*: (\d+)$/m.exec(text);
  const model = /^model\s*: (\d+)$/m.exec(text);
  return family && model ? `${name} (family ${family[1]} model ${model[1]})` : name;
}

/**
 * @param {import('../clients').Client[]} clients
 * @param {string} nodeBinary
 * @returns {Record<string, string>}
 */
function versionsOf(clients, nodeBinary) {
  /** @type {Record<string, string>} */
  const versions = {};
  const nodeVersion = firstLine(nodeBinary, '--version').replace('v', '');
  for (const client of clients) {
    const packageName = packageOf(client, nodeVersion);
    if (client.package && packageName) {
      versions[client.package] = packageVersion(packageName);
    }
    if (client.id === 'fetch') {
      versions['fetch (undici in Node)'] = firstLine(nodeBinary, '-p', 'process.versions.undici');
    }
    if (client.ours) {
      versions.ferrequest = require('../../package.json').version;
    }
    if (client.id === 'wrk') {
      versions.wrk = firstLine('wrk', '-v').split(' ')[1];
    }
  }
  return versions;
}

/**
 * @param {string} program
 * @param {string[]} args
 * @returns {string} of what it prints, whatever it ends with: `wrk -v` ends as if it had failed
 */
function firstLine(program, ...args) {
  return spawnSync(program, args, { encoding: 'utf8' }).stdout.split('\n', 1)[0];
}

/**
 * @param {string} name
 * @returns {string}
 */
function packageVersion(name) {
  // Its package.json need not be among its exports, so it is looked for above the file that was found.
  let directory = path.dirname(require.resolve(name));
  let version = versionIn(directory);
  while (!version) {
    directory = path.dirname(directory);
    version = versionIn(directory);
  }
  return version;
}

/**
 * @param {string} directory
 * @returns {string | undefined}
 */
function versionIn(directory) {
  const file = path.join(directory, 'package.json');
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).version : undefined;
}

module.exports = { describeMachine };
