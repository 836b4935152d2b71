'use strict';

/** Copies of the package, in which a test damages or removes the addon. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { cleanUp } = require('./cleanup');
const { ROOT, runNode } = require('./child');
const manifest = require('../../package.json');

const FILES = ['binding.js', 'index.js', 'https.js', 'register.js', 'lib'];

/** The addon under test: the file that this process has loaded. */
const ADDON = require('../..').diagnose?.().addon?.file;

/**
 * Copies the package, without an addon.
 * @param {object} [changes] Changes of package.json.
 * @returns {string} The folder, removed after the test.
 */
function copyPackage(changes = {}) {
  const top = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-copy-')));
  cleanUp(() => fs.rmSync(top, { recursive: true, force: true }));
  const folder = path.join(top, 'node_modules', 'ferrequest');
  for (const name of FILES) fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ ...manifest, ...changes }));
  return folder;
}

/**
 * Puts the package of a build beside a copy.
 * @param {string} folder of the copy
 * @param {string} build
 * @param {string} addon file
 */
function installBuild(folder, build, addon) {
  const target = path.join(folder, '..', `ferrequest-${build}`);
  const main = `ferrequest.${build}.node`;
  fs.mkdirSync(target);
  fs.writeFileSync(path.join(target, 'package.json'), JSON.stringify({ name: `ferrequest-${build}`, main }));
  fs.copyFileSync(addon, path.join(target, main));
}

/**
 * Loads a copy in a process of its own, which has it say how it stands and make a request to a port where nobody
 * listens.
 * @param {string} folder
 * @param {{ execArgv?: string[], env?: NodeJS.ProcessEnv, properties?: object, file?: string }} [options] properties:
 *   those of `process` that it is to believe in
 * @returns {Promise<{ diagnosis?: import('../..').Diagnosis, error?: { code: string, message: string },
 *   refused?: string, stderr: string, code: number }>}
 */
async function loadCopy(folder, { execArgv = [], env, properties = {}, file = '.' } = {}) {
  const main = (target, values) => {
    for (const [name, value] of Object.entries(values)) Object.defineProperty(process, name, { value });
    try {
      const http = require(target);
      const diagnosis = http.diagnose();
      http.get({ host: '127.0.0.1', port: 1 }).on('error', ({ code }) => {
        console.log(JSON.stringify({ diagnosis, refused: code }));
      });
    } catch ({ code, message }) {
      console.log(JSON.stringify({ error: { code, message } }));
    }
  };
  const source = `(${main})(${JSON.stringify(path.join(folder, file))}, ${JSON.stringify(properties)})`;
  const { stdout, stderr, code } = await runNode([...execArgv, '-e', source], {
    env: { FERREQUEST: '', NAPI_RS_NATIVE_LIBRARY_PATH: '', ...env },
  });
  return { ...JSON.parse(stdout || '{}'), stderr, code };
}

module.exports = { ADDON, copyPackage, installBuild, loadCopy };
