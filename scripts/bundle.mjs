/**
 * Bundles the modules of ferrequest into `dist/`, which the package's `exports` name: `node scripts/bundle.mjs`.
 *
 * Node takes a fifth of a millisecond to find, read and compile a file, and there are some ninety. So the package has
 * four: `ferrequest.js` holds what is run when ferrequest is loaded, `tls.js` what is run when its client of https is,
 * `requests.js` what the first request runs, `later.js` all else.
 * Every module is a function there, with its own names and its own code; comments are left out, because V8 reads them
 * too. The files in `lib/` are in the package as well, for readers and for tools that know no `exports`.
 *
 * Everything that is not a file of JavaScript keeps its `require` with a literal, so that bundlers and tracers find it.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'acorn';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { resolve } = createRequire(import.meta.url);

/** Public modules, and the function of the bundle that gives each. */
const ENTRIES = ['index.js', 'https.js', 'register.js'];

/** A call of `require` for a file of the package. */
const REQUIRE = /\brequire\('(\.[^']+)'\)/g;
/** Such a call that is run when its module is: no function is around it, so its statement is not indented. */
const REQUIRE_AT_ONCE = /^(?:const [^;=]+ = )?require\('(\.[^']+)'\)/gm;

/** Modules that public modules ask for only when something is called. */
const ON_DEMAND = ['lib/ladder/node-client.js', 'lib/ladder/diagnose.js', 'lib/bridge/stats.js'];

/** The name by which a module of the bundle asks for another one. No module may have a variable of that name. */
const LOADER = 'bundledModule';

/**
 * Names the module that a file asks for.
 * @param {string} file Name of the file, relative to the root.
 * @param {string} request Such as `../node/errors`.
 * @returns {string} Such as `lib/node/errors.js`.
 */
function nameOf(file, request) {
  return path.relative(root, resolve(path.resolve(root, path.dirname(file), request))).replaceAll(path.sep, '/');
}

/** Tells whether a request is for the addon, which stays a file. */
const isAddon = (request) => request.endsWith('.node');

/**
 * Leaves out the comments of a module, and the lines that are empty then.
 * @param {string} source
 * @returns {string}
 */
function withoutComments(source) {
  const comments = [];
  parse(source, { ecmaVersion: 2023, onComment: comments });
  let code = '';
  let at = 0;
  for (const { start, end } of comments) {
    code += source.slice(at, start).replace(/[ \t]+$/, '');
    at = end;
  }
  return (code + source.slice(at)).replace(/\n{2,}/g, '\n');
}

/**
 * Makes a module's code for the bundle.
 * @param {string} file
 * @returns {string}
 */
function bundled(file) {
  const source = readFileSync(path.join(root, file), 'utf8');
  if (file === 'package.json') {
    const { engines, version } = JSON.parse(source);
    return `module.exports = ${JSON.stringify({ engines: { node: engines.node }, version })};\n`;
  }
  if (file === 'lib/node/is-bundled.js') return 'module.exports = true;\n';
  if (source.includes(LOADER)) throw new Error(`${file} has a name that the bundle needs: ${LOADER}`);
  const code = withoutComments(source).replace(/^'use strict';\n/, '').replace(REQUIRE, (call, request) => (
    isAddon(request) ? `require('.${request}')` : `${LOADER}('${nameOf(file, request)}')`
  ));
  const place = /\b__(?:dirname|filename)\b/.test(code)
    ? `const __filename = require('node:path').join(packageRoot, '${file}');\n` +
      'const __dirname = require(\'node:path\').dirname(__filename);\n'
    : '';
  return place + code.replace(/^\n+/, '');
}

/**
 * Lists the modules that a module asks for.
 * @param {string} file
 * @param {RegExp} pattern
 * @returns {string[]}
 */
function requiredBy(file, pattern) {
  if (!file.endsWith('.js')) return [];
  return [...readFileSync(path.join(root, file), 'utf8').matchAll(pattern)].map(([, request]) => request)
    .filter((request) => !isAddon(request)).map((request) => nameOf(file, request));
}

/**
 * Lists modules and all that they need.
 * @param {string[]} files
 * @param {(file: string) => string[]} needs
 * @returns {Set<string>}
 */
function closure(files, needs) {
  const found = new Set(files);
  for (const file of found) for (const needed of needs(file)) found.add(needed);
  return found;
}

/**
 * Writes a file of the bundle, by a rename: a process may be reading the old one.
 * @param {string} name
 * @param {string} text
 */
function write(name, text) {
  const unfinished = path.join(root, 'dist', `.unfinished.${process.pid}.${name}`);
  writeFileSync(unfinished, text);
  renameSync(unfinished, path.join(root, 'dist', name));
}

/** Files of the bundle besides the first, with the modules that each is loaded for. What is left is in the last one. */
const CHUNKS = [
  { file: 'tls.js', roots: ['https.js', 'register.js'] },
  { file: 'requests.js', roots: ['lib/request/members.js', 'lib/agent/parts.js'] },
  { file: 'later.js', roots: ENTRIES },
];

/**
 * Divides the modules among the files of the bundle.
 * @returns {{ first: string[], chunks: { file: string, modules: string[] }[] }}
 */
function divide() {
  const all = closure(ENTRIES, (file) => requiredBy(file, REQUIRE));
  const taken = new Set();
  const take = (files) => {
    const modules = [...new Set(files)].filter((file) => !taken.has(file));
    for (const file of modules) taken.add(file);
    return modules;
  };
  const atOnce = (roots) => closure(roots, (file) => (
    // Public modules ask for the client in a function, because they ask which one first.
    ENTRIES.includes(file) ? requiredBy(file, REQUIRE).filter((name) => !ON_DEMAND.includes(name)) :
      requiredBy(file, REQUIRE_AT_ONCE)
  ));
  // What several files need is in the first one: to have it, none loads another one.
  const uses = CHUNKS.slice(0, -1).flatMap(({ roots }) => [...atOnce(roots)]);
  const shared = uses.filter((file, index) => uses.indexOf(file) !== index);
  const first = take([...atOnce(['index.js', 'binding.js']), ...shared]);
  const chunks = CHUNKS.map(({ file, roots }, index) => (
    { file, modules: take(index === CHUNKS.length - 1 ? all : atOnce(roots)) }
  ));
  return { first, chunks };
}

/**
 * Makes the beginning of the first file: how modules and the other files are loaded.
 * @param {string} build
 * @param {{ file: string, modules: string[] }[]} chunks
 * @returns {string}
 */
function loaderFor(build, chunks) {
  const last = chunks.at(-1).file;
  const places = chunks.filter(({ file }) => file !== last)
    .flatMap(({ file, modules }) => modules.map((name) => `'${name}': '${file}',\n`));
  return `const packageRoot = require('node:path').dirname(__dirname);

const loaded = new Map();

function ${LOADER}(name) {
  let module = loaded.get(name);
  if (module === undefined) {
    if (modules[name] === undefined) loadFile(places[name]);
    module = { exports: {} };
    loaded.set(name, module);
    try {
      modules[name](module);
    } catch (error) {
      // As Node does: another require runs it again.
      loaded.delete(name);
      throw error;
    }
  }
  return module.exports;
}

const files = {
__proto__: null,
${chunks.map(({ file }) => `'${file}': () => require('./${file}'),\n`).join('')}};

const places = {
__proto__: null,
${places.join('')}};

function loadFile(file = '${last}') {
  let loadedFile;
  try {
    loadedFile = files[file]();
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    throw replaced(error);
  }
  if (loadedFile.build !== '${build}') throw replaced();
  Object.assign(modules, loadedFile.define(${LOADER}, packageRoot));
}

// A file of another build would fail in ways that nobody could explain.
function replaced(cause) {
  const code = 'ERR_FERREQUEST_REPLACED';
  const message = 'The package was removed or replaced while the process ran, before all of it was loaded. Start the ' +
    'process anew. See docs/troubleshooting.md#err_ferrequest_replaced';
  return Object.assign(new Error('ferrequest: ' + message, { cause }), { code });
}
`;
}

/**
 * Makes entries of modules. V8 compiles a function in parentheses at once, and does not first look where it ends.
 * @param {string[]} files
 * @param {boolean} areRun False for modules of which most are never run.
 * @returns {string}
 */
function entriesOf(files, areRun) {
  return files.map((file) => (areRun ? `'${file}': (function (module) {\n${bundled(file)}}),\n` :
    `'${file}'(module) {\n${bundled(file)}},\n`)).join('\n');
}

/** Writes the bundle. Jest calls it before it runs tests. */
export default function bundle() {
  const { first, chunks } = divide();
  const note = '// Made by scripts/bundle.mjs of the files in lib/, which have the comments.\n';
  const hash = createHash('sha256');
  for (const file of [first, ...chunks.map(({ modules }) => modules)].flat()) hash.update(`${file}\0${bundled(file)}`);
  const build = hash.digest('hex').slice(0, 16);

  mkdirSync(path.join(root, 'dist'), { recursive: true });
  write('ferrequest.js', `'use strict';
${note}
${loaderFor(build, chunks)}
const modules = {
__proto__: null,
${entriesOf(first, true)}
};

// A program may give up reading files, with Node's permission model, before it makes a request.
if (process.permission !== undefined) {
  try {
    Object.keys(files).forEach(loadFile);
  } catch (_error) {
    // What may not be read now fails when it is needed.
  }
}

module.exports = ${LOADER};
`);
  for (const { file, modules } of chunks) {
    write(file, `'use strict';
${note}
module.exports = {
build: '${build}',
define: (function (${LOADER}, packageRoot) {
return {
${entriesOf(modules, file !== chunks.at(-1).file)}
};
}),
};
`);
  }
  for (const entry of ENTRIES) {
    const module = `require('./ferrequest.js')('${entry}')`;
    // Node finds the names that an ES module can import in the source, where they are written so.
    const [, names] = /^module\.exports = (\{ [\w, ]+ \});$/m.exec(readFileSync(path.join(root, entry), 'utf8')) ?? [];
    write(entry, `'use strict';\n\n${names ? `const ${names} = ${module};\n\nmodule.exports = ${names}` :
      `module.exports = ${module}`};\n`);
  }
  for (const face of ['index.mjs', 'https.mjs']) write(face, readFileSync(path.join(root, face), 'utf8'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) bundle();
