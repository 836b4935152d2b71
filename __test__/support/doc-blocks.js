'use strict';

/**
 * Takes the fenced blocks of code out of README.md and the pages of docs/, and runs them as they are. What a page may
 * take for granted is said in CONTRIBUTING.md, under "Docs".
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const certificates = require('./certificates');
const { cleanUp } = require('./cleanup');
const { ROOT, runNode } = require('./child');

const RUNNER = path.join(__dirname, 'docs/run-blocks.js');
const PROGRAMS = path.join(__dirname, 'docs/programs');

/**
 * @typedef {object} Block
 * @property {string} name page and line, such as `docs/retry.md:8`
 * @property {string} language `js`, `sh`, ...
 * @property {string | null} notRun why the block is not run: the info string `not-run="..."`
 * @property {string} source
 */

/** @returns {string[]} README.md and the pages of docs/, as paths from the root */
function pages() {
  const docs = fs.readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', ...docs.map((name) => `docs/${name}`)];
}

/**
 * @param {string} page path from the root
 * @returns {Block[]} all fenced blocks of the page
 */
function blocksOf(page) {
  const text = fs.readFileSync(path.join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```(\w*)(.*)\n([^]*?)^```$/gm)].map((match) => {
    const [, language, info, source] = match;
    const line = text.slice(0, match.index).split('\n').length;
    return { name: `${page}:${line}`, language, notRun: /not-run="([^"]+)"/.exec(info)?.[1] ?? null, source };
  });
}

/** @returns {string} a folder in which `ferrequest`, and every package of ours, is installed */
function makeFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-docs-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  const work = path.join(folder, 'work');
  fs.mkdirSync(path.join(work, 'node_modules'), { recursive: true });
  fs.symlinkSync(fs.realpathSync(path.join(ROOT, 'node_modules')), path.join(folder, 'node_modules'));
  fs.symlinkSync(ROOT, path.join(work, 'node_modules/ferrequest'));
  fs.writeFileSync(path.join(work, 'ca.pem'), certificates.ca);
  fs.cpSync(PROGRAMS, work, { recursive: true });
  return work;
}

/**
 * Runs blocks of JavaScript in one process, each when nothing of the one before holds the process any more.
 * @param {string} folder
 * @param {Block[]} blocks
 */
async function runJavaScript(folder, blocks) {
  const results = `${path.join(folder, blocks[0].name.replace(/\W/g, '-'))}.json`;
  const plan = blocks.map(({ name, source }) => ({ name, source, isModule: /^import /m.test(source) }));
  const { stderr, timedOut } = await runNode([RUNNER, results, JSON.stringify(plan)], {
    cwd: folder,
    env: { NODE_EXTRA_CA_CERTS: path.join(folder, 'ca.pem') },
  });
  const of = fs.existsSync(results) ? JSON.parse(fs.readFileSync(results, 'utf8')) : {};
  const why = timedOut ? 'it, or a block before it, does not end' : `not reached: ${stderr}`;
  return blocks.map(({ name }) => of[name] ?? { failure: why, stdout: '', asked: 0 });
}

/**
 * Runs a block of shell commands, in the folder. Any program but node is refused: npm, for one, would install into what
 * this checkout has installed.
 */
function runShell(folder, { source }) {
  const other = source.split('\n').filter((line) => line !== '' && !/^([A-Z_]+=\S+ )*node /.test(line));
  if (other.length > 0) return { failure: `nothing but node is run: ${other[0]}`, stdout: '', asked: 0 };
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-e'], { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => { stdout += chunk; });
    child.stderr.on('data', (chunk) => { stderr += chunk; });
    child.once('error', reject);
    child.once('close', (code) => resolve({ failure: code === 0 ? null : `${code}: ${stderr}`, stdout, asked: 0 }));
    child.stdin.end(source);
  });
}

/**
 * @returns {Block[][]} blocks that may run in one process: `ferrequest/register` changes node:http for all that
 *   follows, and `stats()` counts what came before
 */
function groups(blocks) {
  const isAlone = ({ source }) => /ferrequest\/register|stats\(\)/.test(source);
  const together = blocks.filter((block) => !isAlone(block));
  return [...together.length > 0 ? [together] : [], ...blocks.filter(isAlone).map((block) => [block])];
}

/**
 * Runs blocks of JavaScript and shell commands.
 * @param {Block[]} blocks
 * @returns {Promise<Map<string, { failure: string | null, stdout: string, asked: number }>>} by the names of blocks;
 *   asked: requests that came to the servers which a page takes for granted
 */
async function runBlocks(blocks) {
  const folder = makeFolder();
  const results = new Map();
  for (const group of groups(blocks.filter(({ language }) => language === 'js'))) {
    const outcomes = await runJavaScript(folder, group);
    group.forEach(({ name }, index) => results.set(name, outcomes[index]));
  }
  for (const block of blocks.filter(({ language }) => language === 'sh')) {
    results.set(block.name, await runShell(folder, block));
  }
  return results;
}

/**
 * Looks for what a block says that it prints: comments that begin with `//=>`, in which `…` stands for anything.
 * @param {Block} block
 * @param {string} stdout
 * @returns {string[]} those that were not printed
 */
function notPrinted({ source }, stdout) {
  const lines = stdout.split('\n');
  return [...source.matchAll(/\/\/=> (.*)$/gm)].map(([, text]) => text).filter((text) => {
    const pattern = text.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.*');
    return !lines.some((line) => new RegExp(`^${pattern}$`).test(line));
  });
}

module.exports = { pages, blocksOf, runBlocks, notPrinted };
