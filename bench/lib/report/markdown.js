'use strict';

const { columnsFor, number } = require('./columns');

/**
 * Everything that a run found, as a section of bench/RESULTS.md without its heading.
 *
 * @typedef {object} Run
 * @property {string} command
 * @property {Date} startedAt
 * @property {Date} endedAt
 * @property {number} rounds
 * @property {import('../options').Timing} timing
 * @property {import('../machine').Machine} machine
 * @property {{ client: import('../../clients').Client, reason: string }[]} missing
 * @property {import('../summary').WorkloadSummary[]} summaries
 * @property {string[]} scope the choices of workloads and clients, if not all were measured
 *
 * @param {Run} run
 * @param {string} chartFile name of the chart's file; empty for none
 * @returns {string}
 */
function toMarkdown(run, chartFile) {
  const parts = [
    conditions(run),
    chartFile && `![Requests a second and CPU a request, relative to node:http](${chartFile})`,
    goalTable(run.summaries),
    ...run.summaries.map(workloadSection),
  ];
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

/**
 * @param {Run} run
 * @returns {string}
 */
function conditions({ command, startedAt, endedAt, rounds, timing, machine, missing }) {
  const versions = [`Node ${machine.node}`, ...Object.entries(machine.packages).map((entry) => entry.join(' '))];
  const minutes = Math.round((endedAt.getTime() - startedAt.getTime()) / 60_000);
  const lines = [
    `- Command: \`${command}\``,
    `- Date: ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, ${minutes} minutes`,
    `- Machine: ${machine.cpu}, ${machine.cores} processors, ${machine.memory}, ${machine.system}`,
    `- ${versions.join(', ')}`,
    `- ${rounds} interleaved rounds; each client in a process of its own, ${timing.warmUpMs} ms of warm-up (on to ` +
      `${timing.warmUpAnswers} answers, within ${timing.longestWarmUpMs} ms) and ` +
      `${timing.measureMs} ms measured, or ${timing.warmUpTransfers} transfers and ${timing.transfers}`,
  ];
  for (const { client, reason } of missing) {
    lines.push(`- Not measured: ${client.label} (${reason.split('\n', 1)[0]})`);
  }
  return lines.join('\n');
}

/**
 * @param {import('../summary').WorkloadSummary[]} summaries
 * @returns {string}
 */
function goalTable(summaries) {
  const rows = summaries.flatMap(({ workload, goals }) =>
    goals
      .filter(({ met }) => met !== null)
      .map(({ text, value, met }) => [workload.title, text, number(value ?? NaN, 2), met ? 'yes' : '**no**']),
  );
  return rows.length === 0 ? '' : `### Goals\n\n${table(['workload', 'goal', 'measured', 'reached'], rows, 2)}`;
}

/**
 * @param {import('../summary').WorkloadSummary} summary
 * @returns {string}
 */
function workloadSection({ workload, rows }) {
  const columns = columnsFor(workload);
  const body = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const failures = rows.flatMap(({ client, errors }) =>
    errors.map((error) => `- Failed: ${client.label}: ${error.split('\n', 1)[0]}`),
  );
  const parts = [`### ${workload.title}`, table(columns.map(({ title }) => title), body), failures.join('\n')];
  return parts.filter(Boolean).join('\n\n');
}

/**
 * @param {string[]} head
 * @param {string[][]} rows
 * @param {number} [textColumns] how many columns, from the left, hold text and not numbers
 * @returns {string}
 */
function table(head, rows, textColumns = 1) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = `|${head.map((_, column) => (column < textColumns ? '---' : '---:')).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

module.exports = { toMarkdown, table };
