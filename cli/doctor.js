'use strict';

/** `ferrequest doctor`: tells which client serves requests here, who stands before it, and what to do. */

const path = require('node:path');
const { pathToFileURL } = require('node:url');

const { Failure } = require('./failure');
const { findOwners } = require('./owners');
const { painter, printable, table, timeText } = require('./terminal');

/** The mark of a registered copy on node:http (lib/node/modules.js), which any copy of ferrequest leaves there. */
const kRegistered = Symbol.for('ferrequest.registered');

/** The first libuv that keeps track of a descriptor that two threads share, with UV_USE_IO_URING=1. */
const LIBUV_WITH_IO_URING = [1, 50];

const MODES = {
  native: 'the client in Rust, with connections on its I/O thread',
  stream: 'the decoder in Rust, over sockets of Node',
  node: "Node's own client",
};

/**
 * Loads a module of the user's, as `node --require` or `--import` would.
 * @param {string} request
 */
async function preload(request) {
  const { createRequire } = require('node:module');
  try {
    const file = createRequire(path.join(process.cwd(), 'ferrequest-doctor')).resolve(request);
    await import(path.isAbsolute(file) ? pathToFileURL(file).href : file);
  } catch (error) {
    throw new Failure(`${request} cannot be loaded: ${error.message}`);
  }
}

/**
 * Lists what libraries replace in order to see requests or connections.
 * @returns {Record<string, Function>}
 */
function places() {
  const http = require('node:http');
  const https = require('node:https');
  const net = require('node:net');
  const tls = require('node:tls');
  return {
    'http.request': http.request,
    'http.get': http.get,
    'http.ClientRequest': http.ClientRequest,
    'http.Agent': http.Agent,
    'http.globalAgent': http.globalAgent.constructor,
    'http.Agent.prototype.addRequest': http.Agent.prototype.addRequest,
    'http.Agent.prototype.createConnection': http.Agent.prototype.createConnection,
    'https.request': https.request,
    'https.get': https.get,
    'https.Agent': https.Agent,
    'https.globalAgent': https.globalAgent.constructor,
    'net.connect': net.connect,
    'net.Socket.prototype.connect': net.Socket.prototype.connect,
    'tls.connect': tls.connect,
    'tls.TLSSocket.prototype._start': tls.TLSSocket.prototype._start,
  };
}

/**
 * Asks for owners, where this Node has an inspector that may be used.
 * @param {Record<string, Function>} functions
 * @returns {Record<string, import('./owners').Owner[]> | null}
 */
function ownersIfKnown(functions) {
  try {
    return findOwners(functions);
  } catch (_error) {
    return null;
  }
}

/** @returns {{ by: string, before: Record<string, import('./owners').Owner[]> } | null} the copy that is registered */
function describeRegistered() {
  const registered = require('node:http')[kRegistered];
  if (registered === undefined) return null;
  const before = Object.fromEntries(['http', 'https'].flatMap((name) => (
    ['request', 'get'].map((key) => [`${name}.${key}`, registered.before[name][key]?.value]))));
  const owners = ownersIfKnown({ unregister: registered.unregister, ...before });
  if (owners === null) return { by: 'unknown', before: {} };
  const { unregister: [owner], ...found } = owners;
  // The file is register.js, or dist/tls.js.
  return { by: owner?.file ?? 'unknown', before: found };
}

/**
 * Makes a request to a server of this process.
 * @param {typeof import('ferrequest')} client
 * @returns {Promise<{ ok: boolean, error: string | null, milliseconds: number, byOurs: boolean }>}
 */
async function tryRequest(client) {
  const http = require('node:http');
  const server = http.createServer((_request, response) => response.end('well'));
  await new Promise((resolve, reject) => { server.once('error', reject).listen(0, '127.0.0.1', resolve); });
  const before = client.stats().requests;
  const started = performance.now();
  const error = await new Promise((resolve) => {
    const request = client.get({ host: '127.0.0.1', port: server.address().port, agent: false, timeout: 5000 });
    request.on('response', (response) => response.resume().on('end', () => resolve(null)).on('error', resolve));
    request.on('timeout', () => request.destroy(new Error('no answer within 5 s')));
    request.on('error', resolve);
  });
  const milliseconds = performance.now() - started;
  server.closeAllConnections();
  server.close();
  return { ok: error === null, error: error && error.message, milliseconds, byOurs: client.stats().requests > before };
}

/** @returns {boolean} true where this process's libuv loses track of shared descriptors */
function hasUnsafeIoUring() {
  const [major, minor] = (process.versions.uv ?? '').split('.').map(Number);
  const [leastMajor, leastMinor] = LIBUV_WITH_IO_URING;
  return process.platform === 'linux' && process.env.UV_USE_IO_URING === '1' &&
    (major < leastMajor || (major === leastMajor && minor < leastMinor));
}

/** @returns {boolean} true for a function that is not Node's, and not ferrequest's */
const isForeign = ([owner]) => owner !== undefined && !['node', 'ferrequest'].includes(owner.name);

/**
 * Says what is wrong, and what may be done.
 * @returns {{ problems: string[], advice: string[] }}
 */
function judge({ diagnosis, request, registered, wrapped }) {
  const problems = [];
  const advice = [];
  if (diagnosis.mode === 'node' && diagnosis.code !== null) problems.push(diagnosis.reason);
  if (diagnosis.mode !== 'native' && diagnosis.code === null && diagnosis.environment.FERREQUEST) {
    advice.push(`FERREQUEST=${diagnosis.environment.FERREQUEST} has chosen this client: unset it for the one in Rust.`);
  }
  if (!request.ok) problems.push(`A request to a server of this process has failed: ${request.error}`);
  if (hasUnsafeIoUring()) {
    problems.push(`UV_USE_IO_URING=1 is not safe with libuv ${process.versions.uv}: unset it, or use Node 24.`);
  }
  for (const [name, owners] of Object.entries(registered?.before ?? {})) {
    if (isForeign(owners)) {
      problems.push(`${owners[0].name} had replaced ${name} before ferrequest did, and sees no requests now: load ` +
        'ferrequest/register first (docs/register.md).');
    }
  }
  if (diagnosis.mode === 'node') return { problems, advice };
  if (registered === null) {
    const foreign = Object.entries(wrapped ?? {}).filter(([name, owners]) => name.startsWith('http') &&
      isForeign(owners));
    advice.push(foreign.length === 0
      ? "Take requests by require('ferrequest'), or those of a whole program by: node --require ferrequest/register"
      : `Load ferrequest/register before ${foreign[0][1][0].name}, so that it sees the requests of both.`);
  }
  const sockets = ['net.Socket.prototype.connect', 'tls.TLSSocket.prototype._start', 'net.connect']
    .filter((name) => isForeign(wrapped?.[name] ?? []));
  if (sockets.length > 0) {
    advice.push(`${wrapped[sockets[0]][0].name} has replaced ${sockets[0]}: connections are Node's own while it is ` +
      'there, so that it sees them. That is slower.');
  }
  return { problems, advice };
}

/** @returns {typeof import('ferrequest')} */
function loadClient() {
  try {
    return require('ferrequest');
  } catch (error) {
    // FERREQUEST=strict makes an error of what is a fallback otherwise.
    if (error.code?.startsWith('ERR_FERREQUEST_')) throw new Failure(error.message.replace(/^ferrequest: /, ''));
    throw error;
  }
}

/**
 * Examines this process.
 * @returns {Promise<object>}
 */
async function examine() {
  const client = loadClient();
  const diagnosis = client.diagnose();
  const request = await tryRequest(client);
  const registered = describeRegistered();
  const owners = ownersIfKnown(places());
  const wrapped = owners && Object.fromEntries(Object.entries(owners)
    .filter(([, found]) => found.length > 0 && found[0].name !== 'node'));
  const account = { diagnosis, request, registered, wrapped };
  return { ...account, ...judge(account) };
}

/** @returns {string} such as `express (/srv/app/node_modules/express/index.js:12)` */
const ownerText = ({ name, file, line }) => (file === null ? name : `${name} (${file}:${line})`);

/** @returns {string[][]} the rows of what stands before Node's own functions */
function rowsOfWrapped(wrapped) {
  if (wrapped === null) return [['wrapped', 'not known: this Node lets nothing use its inspector']];
  const foreign = Object.entries(wrapped).filter(([, owners]) => isForeign(owners));
  const others = Object.keys(wrapped).length > foreign.length ? 'ferrequest and of Node' : 'Node';
  return [
    ['wrapped', foreign.length > 0 ? '' : `by nothing else: http, https, net and tls have functions of ${others}`],
    ...foreign.map(([name, owners]) => [`  ${name}`, owners.map(ownerText).join(' around ')]),
  ];
}

/** @returns {string[][]} the rows of what diagnose() says */
function rowsOf({ diagnosis, request, registered, wrapped }) {
  const { addon, arch, environment, execArgv, libc, mode, node, platform, supportedNode } = diagnosis;
  const failed = addon?.attempts.filter(({ error }) => error !== null) ?? [];
  const tried = failed.map(({ source, error }) => ['', `${source}: ${error.message.split('\n', 1)[0]}`]);
  const loaded = addon?.version && `${addon.file ?? 'in a bundle'} (${addon.build}, version ${addon.version})`;
  return [
    ['client', `${mode}: ${MODES[mode]}`],
    ...diagnosis.reason ? [['why', diagnosis.reason]] : [],
    ['node', `${diagnosis.runtime} ${node} (supported: ${supportedNode})`],
    ['platform', `${platform} ${arch}${libc ? `, ${libc.family} ${libc.version ?? ''}` : ''}`],
    ['binary', loaded || (addon === null ? 'not looked for' : 'none')],
    ...loaded ? [] : tried,
    ['request', request.ok ? `answered in ${timeText(request.milliseconds)}, by ${
      request.byOurs ? 'ferrequest' : "Node's own client"}` : `failed: ${request.error}`],
    ['registered', registered === null ? 'no' : `yes, by ${registered.by}`],
    ...rowsOfWrapped(wrapped),
    ...Object.entries(environment).map(([name, value]) => [name, value]),
    ...execArgv.length > 0 ? [['options', execArgv.join(' ')]] : [],
  ].map((row) => row.map(printable));
}

/** @returns {string} the account for a reader */
function toText(account, stream) {
  const paint = painter(stream);
  const { problems, advice } = account;
  const rows = rowsOf(account).map(([name, value]) => [paint('bold', name), value]);
  const todo = [
    ...problems.map((text) => `${paint('red', '!')} ${printable(text)}`),
    ...advice.map((text) => `- ${printable(text)}`),
  ];
  return [
    paint('bold', `ferrequest ${account.diagnosis.version}`),
    table({ rows }),
    '',
    problems.length > 0 ? paint('red', 'To be done:') : paint('green', 'Nothing is wrong.'),
    ...todo,
    '',
  ].join('\n');
}

/**
 * Runs the command.
 * @param {{ json?: boolean, require?: string[] }} options
 * @returns {Promise<number>} the exit code
 */
async function doctor(options) {
  for (const request of options.require ?? []) await preload(request);
  const account = await examine();
  process.stdout.write(options.json ? `${JSON.stringify(account, null, 2)}\n` : toText(account, process.stdout));
  return account.problems.length > 0 ? 1 : 0;
}

module.exports = { doctor };
