/**
 * Bundles the modules of ferrequest into `dist/`, which the package's `exports` name: `node scripts/bundle.mjs`.
 *
 * Node takes a fifth of a millisecond to find, read and compile a file, and there are some seventy. So the package has
 * two: `ferrequest.js` holds what is run when ferrequest is loaded, `later.js` what is run when it is first asked for.
 * Every module is a function there, with its own names and its own code; comments are left out, because V8 reads them
 * too. The files in `lib/` are in the package as well, for readers and for tools that know no `exports`.
 *
 * Everything that is not a file of JavaScript keeps its `require` with a literal, so that bundlers and tracers find it.
 */
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

/** Writes the bundle. Jest calls it before it runs tests. */
export default function bundle() {
  const all = closure(ENTRIES, (file) => requiredBy(file, REQUIRE));
  // index.js asks for the client in a function, because it asks which one first.
  const first = closure(['index.js'], (file) => requiredBy(file, file === 'index.js' ? REQUIRE : REQUIRE_AT_ONCE));
  for (const file of ['lib/ladder/node-client.js', 'lib/ladder/diagnose.js']) first.delete(file);
  const later = [...all].filter((file) => !first.has(file));
  const note = '// Made by scripts/bundle.mjs of the files in lib/, which have the comments.\n';

  mkdirSync(path.join(root, 'dist'), { recursive: true });
  write('ferrequest.js', `'use strict';
${note}
const packageRoot = require('node:path').dirname(__dirname);

const loaded = new Map();

function ${LOADER}(name) {
  let module = loaded.get(name);
  if (module === undefined) {
    if (modules[name] === undefined) Object.assign(modules, require('./later.js')(${LOADER}, packageRoot));
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

// In parentheses, because V8 then compiles a function at once, and does not first look where it ends.
const modules = {
__proto__: null,
${[...first].map((file) => `'${file}': (function (module) {\n${bundled(file)}}),\n`).join('\n')}
};

module.exports = ${LOADER};
`);
  write('later.js', `'use strict';
${note}
module.exports = (${LOADER}, packageRoot) => ({
${later.map((file) => `'${file}'(module) {\n${bundled(file)}},\n`).join('\n')}
});
`);
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
