'use strict';

/** `ferrequest bench [URL]`: compares Node's client, undici if it is there, and ferrequest, on one URL. */

const fs = require('node:fs');
const { createRequire } = require('node:module');
const os = require('node:os');
const path = require('node:path');

const { spread } = require('../bench/lib/statistics');
const { Failure } = require('./failure');
const { makeBar } = require('./progress');
const { printable } = require('./terminal');
const { parseHeaders, parseUrl } = require('./url');

const SERVER = path.join(__dirname, 'bench/server.js');

/** Milliseconds that the first request to the user's URL may take. */
const PROBE_MS = 10_000;
/** Time before each measurement in which connections are made and V8 compiles: a share of the measured time. */
const WARM_UP_SHARE = 0.5;

const COMPARED = ['rate', 'cpu', 'p50', 'p99'];

/** The client that all others are compared with. */
const BASELINE = 'node';

/**
 * Finds the clients that can be compared.
 * @returns {{ clients: { id: string, label: string, undici?: string }[], missing: string[] }}
 */
function findClients() {
  const undici = undiciFolder();
  return {
    clients: [
      { id: 'node', label: 'node:http' },
      ...undici ? [{ id: 'undici', label: 'undici', undici }] : [],
      { id: 'ferrequest', label: 'ferrequest' },
    ],
    missing: undici ? [] : ['undici: not installed in this folder'],
  };
}

/** @returns {string|undefined} the undici of the project in which the command is run */
function undiciFolder() {
  try {
    const { resolve } = createRequire(path.join(process.cwd(), 'ferrequest-bench'));
    return path.dirname(resolve('undici/package.json'));
  } catch (_error) {
    return undefined;
  }
}

/**
 * Asks the URL once, so that a wrong one is told before anything is measured.
 * @param {URL} url
 * @param {Record<string, string|string[]>} headers
 * @param {boolean} insecure
 * @returns {Promise<{ status: number, bytes: number }>}
 */
async function probe(url, headers, insecure) {
  const { get } = url.protocol === 'https:' ? require('node:https') : require('node:http');
  const { statusCode, location, bytes } = await new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(PROBE_MS);
    const request = get(url, { headers, agent: false, rejectUnauthorized: !insecure, signal });
    request.on('error', reject).on('response', (response) => {
      const answer = { statusCode: response.statusCode, location: response.headers.location, bytes: 0 };
      response.on('data', (chunk) => { answer.bytes += chunk.length; });
      response.on('end', () => resolve(answer)).on('error', reject);
    });
  }).catch((error) => {
    throw new Failure(error.name === 'AbortError' ? `${url} has not answered within ${PROBE_MS / 1000} s`
      : `${url} cannot be measured: ${printable(error.message || error.code)}`);
  });
  if (statusCode >= 200 && statusCode < 300) return { status: statusCode, bytes };
  const hint = location ? `, and redirects to ${location}: measure that, if you mean it` : '';
  throw new Failure(`${url} answers with ${statusCode}${printable(hint)}`);
}

/**
 * Starts the server that is measured where no URL is given.
 * @returns {Promise<{ url: URL, stop: () => void }>}
 */
async function ownServer() {
  const child = require('./bench/rounds').start(SERVER);
  const { url } = await new Promise((resolve, reject) => {
    child.once('message', resolve).once('error', reject);
    child.once('exit', () => reject(new Failure('the server does not start')));
  });
  return { url: new URL(url), stop: () => child.disconnect() };
}

/**
 * Makes a client's part of the result.
 * @param {object} measured of `measureRounds`
 * @param {object} baseline that of Node's client
 * @returns {object}
 */
function summarise({ client: { id, label }, version, samples, errors }, baseline) {
  const valuesOf = (row, metric) => row.samples.map((sample) => sample?.[metric] ?? NaN);
  const all = (toValues) => Object.fromEntries(COMPARED.map((metric) => [metric, spread(toValues(metric))]));
  const metrics = all((metric) => valuesOf({ samples }, metric));
  // Round by round: what disturbed the machine for a while disturbed neighbours alike.
  const ratios = all((metric) => {
    const others = valuesOf(baseline, metric);
    return valuesOf({ samples }, metric).map((value, round) => value / others[round]);
  });
  return { id, label, version: version ?? null, ...metrics, ratios, samples, errors };
}

/** @returns {object} what the figures depend on */
function describeMachine() {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.versions.node,
    // Windows has none.
    load: process.platform === 'win32' ? null : os.loadavg()[0],
  };
}

/**
 * Measures.
 * @param {string|undefined} urlText
 * @param {{ connections: number, duration: number, rounds: number, header?: string[], insecure?: boolean }} options
 * @returns {Promise<object>} the result, as `--json` prints it
 */
async function measure(urlText, { connections, duration, rounds, header = [], insecure = false }) {
  const { measureRounds } = require('./bench/rounds');
  const headers = parseHeaders(header);
  const server = urlText === undefined ? await ownServer() : { url: parseUrl(urlText), stop() {} };
  const { clients, missing } = findClients();
  const measureMs = duration * 1000;
  const timing = { warmUpMs: measureMs * WARM_UP_SHARE, measureMs };
  const machine = describeMachine();
  const startedAt = new Date().toISOString();
  const bar = makeBar('measuring {bar} {value}/{total}  {eta_formatted} left');
  try {
    const answer = await probe(server.url, headers, insecure);
    let done = 0;
    bar.start(rounds * clients.length, 0);
    const settings = { url: server.url.href, headers, connections, insecure, status: answer.status, ...timing };
    const measured = await measureRounds(clients, rounds, ({ id, undici }) => ({ ...settings, client: id, undici }),
      () => bar.update(++done));
    const baseline = measured.find(({ client }) => client.id === BASELINE);
    return {
      url: urlText === undefined ? null : server.url.href, answer, startedAt, connections, rounds, ...timing, machine,
      baseline: BASELINE, missing, clients: measured.map((row) => summarise(row, baseline)),
    };
  } finally {
    bar.stop();
    server.stop();
  }
}

/**
 * Runs the command.
 * @param {string|undefined} urlText
 * @param {{ json?: boolean, html?: string }} options with those of `measure`
 * @returns {Promise<number>} the exit code
 */
async function bench(urlText, options) {
  const result = await measure(urlText, options);
  const text = options.json ? `${JSON.stringify(result, null, 2)}\n` : require('./bench/text').toText(result);
  process.stdout.write(text);
  if (options.html !== undefined) writeReport(options.html, result);
  return result.clients.some(({ errors }) => errors.length > 0) ? 1 : 0;
}

/** Writes the report, after the figures have been printed: they are not lost where it cannot be written. */
function writeReport(file, result) {
  try {
    fs.writeFileSync(file, require('./bench/html').toHtml(result));
  } catch (error) {
    throw new Failure(`the report cannot be written: ${error.message}`);
  }
}

module.exports = { bench };
