'use strict';

const { execFile, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');

const { MIB } = require('../workloads');
const { threadCpu } = require('./proc');
const { unitsPerAnswer } = require('./steady-run');

const SCRIPT = path.join(__dirname, 'wrk-request.lua');

/** @returns {string | null} why wrk cannot be run, null if it can */
function wrkProblem() {
  return spawnSync('wrk', ['-v']).error ? 'wrk is not installed' : null;
}

/**
 * Measures wrk as if it were a client. It has one thread, and nothing of it needs warming up.
 *
 * @param {import('../workloads').Workload} workload
 * @param {import('./worker').Settings} settings
 * @returns {Promise<{ sample?: import('./steady-run').Sample, error?: string }>}
 */
async function measureWrk(workload, { server, timing }) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-wrk-'));
  const requestFile = path.join(directory, 'request');
  fs.writeFileSync(requestFile, requestBytes(workload));
  // It takes whole seconds only.
  const seconds = Math.max(1, Math.round(timing.measureMs / 1000));
  const protocol = workload.tls ? 'https' : 'http';
  const port = workload.tls ? server.https : server.http;
  const url = `${protocol}://${server.host}:${port}${workload.request.path}`;
  const args = ['-t1', `-c${workload.connections}`, `-d${seconds}s`, '-s', SCRIPT, url, '--', requestFile];
  const serverBefore = threadCpu(`/proc/${server.pid}`);
  try {
    // The shell's own `times` is the portable way to the CPU time of a child.
    const { stdout } = await promisify(execFile)('sh', ['-c', 'wrk "$@"; times', 'sh', ...args]);
    return toSample(workload, stdout, threadCpu(`/proc/${server.pid}`) - serverBefore);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/**
 * @param {import('../workloads').Workload} workload
 * @param {string} output
 * @param {number} serverCpuUs
 * @returns {{ sample?: import('./steady-run').Sample, error?: string }}
 */
function toSample(workload, output, serverCpuUs) {
  const report = JSON.parse(/** @type {RegExpMatchArray} */ (output.match(/^\{.*\}$/m))[0]);
  if (report.errors > 0 || report.requests === 0) {
    return { error: `wrk had ${report.errors} errors in ${report.requests} requests` };
  }
  const perAnswer = unitsPerAnswer(workload);
  // A body that was not whole at the end counts too, where bodies are what is counted.
  const units = perAnswer === 1 ? report.requests : report.bytes / MIB;
  return {
    sample: {
      rate: units / (report.microseconds / 1e6),
      cpu: childCpu(output) / units,
      p50: report.p50 / 1000,
      p99: report.p99 / 1000,
      server: serverCpuUs / report.microseconds,
    },
  };
}

/**
 * @param {string} output that ends with what `times` prints: the shell's user and system time, then its children's
 * @returns {number} microseconds
 */
function childCpu(output) {
  const last = /** @type {string} */ (output.trim().split('\n').at(-1));
  const parts = [...last.matchAll(/(\d+)m([\d.]+)s/g)];
  return parts.reduce((sum, [, minutes, seconds]) => sum + (Number(minutes) * 60 + Number(seconds)) * 1e6, 0);
}

/**
 * The bytes of the workload's request, which wrk sends as they are.
 *
 * @param {import('../workloads').Workload} workload
 * @returns {Buffer}
 */
function requestBytes({ request, newConnections }) {
  const { method, path: target, headers, body } = request;
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: 127.0.0.1'];
  for (const [name, value] of Object.entries(headers ?? {})) {
    lines.push(`${name}: ${value}`);
  }
  lines.push(`Connection: ${newConnections ? 'close' : 'keep-alive'}`);
  const content = [];
  if (body?.kind === 'chunked') {
    lines.push('Transfer-Encoding: chunked');
    for (let sent = 0; sent < body.count; sent++) {
      content.push(`${body.piece.length.toString(16)}\r\n`, body.piece, '\r\n');
    }
    content.push('0\r\n\r\n');
  } else if (body) {
    lines.push(`Content-Length: ${body.piece.length * body.count}`);
    content.push(...Array(body.count).fill(body.piece));
  }
  return Buffer.concat([`${lines.join('\r\n')}\r\n\r\n`, ...content].map((part) => Buffer.from(part)));
}

module.exports = { wrkProblem, measureWrk };
